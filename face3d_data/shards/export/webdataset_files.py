"""WebDataset export: tar files whose members of one key are a sample: JSON, PNG and NumPy files."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import ExportRows, Form, copy_lists
from face3d_data.shards.export.samples import png_bytes

if TYPE_CHECKING:
    import pandas as pd

SHARD_BYTES = 256 * 2**20
"""Bytes of arrays that a tar file holds."""


class WebDatasetFiles(Form):
    """`<split>-000000.tar`: of each sample `<id>.json` (its row), `<id>.cls`, `<id>.png` (colour), `<id>.<array>.npy`.

    Ids hold no dot, so that the loader's keys are ids; the same dataset gives the same bytes.

    Args:
        rows: what is exported.
        out: folder to write into.
    """

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        self.arrays = rows.every_array()
        self.per_file = max(1, SHARD_BYTES // max(1, rows.bytes_a_row()))
        self.split, self.done = "", 0
        self.file: tarfile.TarFile | None = None
        self.left_out: list[str] = []

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Begin with the first file of the split."""
        super().begin(split, table)
        self._close()
        self.split, self.done = split, 0

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Append samples, continuing in the next file when one is full."""
        records: list[Any] = table.astype(object).where(table.notna(), None).to_dict("records")
        for record, sample in zip(records, batch, strict=True):
            number, at = divmod(self.done, self.per_file)
            if at == 0:
                self._close()
                # Ids may be longer than the 100 bytes of the old form of names.
                self.file = tarfile.open(  # noqa: SIM115 - it is open until it is full
                    self.out / f"{self.split}-{number:06d}.tar", "w", format=tarfile.PAX_FORMAT
                )
            self._write_sample(record, sample)
            self.done += 1

    def _write_sample(self, record: dict[str, Any], sample: dict[str, Any]) -> None:
        key = record["id"]
        text = json.dumps({str(name): value for name, value in record.items()}, ensure_ascii=False)
        self._add(f"{key}.json", text.encode())
        self._add(f"{key}.cls", str(record["class"]).encode())
        for name in self.arrays:
            if name == "color":
                self._add(f"{key}.png", png_bytes(sample[name]))
                continue
            stream = io.BytesIO()
            np.save(stream, np.ascontiguousarray(sample[name]))
            self._add(f"{key}.{name}.npy", stream.getvalue())

    def _add(self, name: str, data: bytes) -> None:
        if self.file is None:
            raise RuntimeError("no file is open")
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        self.file.addfile(info, io.BytesIO(data))

    def finish(self) -> None:
        """Close the last file, and copy gallery, probe and pairs."""
        self._close()
        self.left_out = copy_lists(self.rows, self.out)

    def losses(self) -> list[str]:
        """Return which lists name rows that are not written."""
        return self.left_out

    def _close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
