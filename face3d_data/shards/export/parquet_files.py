"""Parquet export: rows with their arrays in files of some 256 MB a split; and the same as a Hugging Face dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.shards.batch import Batch
from face3d_data.shards.export.columns import ExportColumns
from face3d_data.shards.export.croissant import PublishedFile, croissant_text
from face3d_data.shards.export.dataset_card import OPENED_AS, card_text
from face3d_data.shards.export.form import ExportRows, Form, copy_lists
from face3d_data.shards.export.sharing import sharing_terms

if TYPE_CHECKING:
    import pandas as pd

FILE_BYTES = 256 * 2**20
"""Bytes of arrays that a file holds, before it is compressed."""
CARD, CROISSANT = "README.md", "croissant.json"


class ParquetFiles(Form):
    """`<split>-00000-of-00001.parquet`: a row a sample, with the columns of the CSVs, and the arrays.

    Args:
        rows: what is exported.
        out: folder to write into.
    """

    folder = "."

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        self.columns = ExportColumns(rows)
        self.per_file = max(1, FILE_BYTES // max(1, rows.bytes_a_row()))
        self.split, self.total, self.done = "", 0, 0
        self.writer: Any = None
        self.files: list[tuple[str, Path]] = []
        self.left_out: list[str] = []

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Note how many rows the split has, which the names of its files say."""
        super().begin(split, table)
        self._close()
        self.split, self.total, self.done = split, len(table), 0

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Append rows, continuing in the next file when one is full."""
        from pyarrow import parquet

        start = 0
        while start < len(table):
            number, at = divmod(self.done, self.per_file)
            if at == 0:
                self._close()
                count = -(-self.total // self.per_file)
                path = self.out / self.folder / f"{self.split}-{number:05d}-of-{count:05d}.parquet"
                path.parent.mkdir(exist_ok=True)
                self.writer = parquet.ParquetWriter(path, self.columns.schema(), compression="zstd")
                self.files.append((self.split, path))
            stop = min(len(table), start + self.per_file - at)
            self.writer.write_table(self.columns.table(table.iloc[start:stop], batch[start:stop]))
            self.done += stop - start
            start = stop

    def finish(self) -> None:
        """Close the last file, and copy gallery, probe and pairs."""
        self._close()
        self.left_out = copy_lists(self.rows, self.out)

    def losses(self) -> list[str]:
        """Return which lists name rows that are not written, and why registered faces come without meshes."""
        return [*self.left_out, *([f"no meshes: {self.columns.without_mesh}"] if self.columns.without_mesh else [])]

    def _close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class HuggingFaceFiles(ParquetFiles):
    """A folder that `load_dataset` opens: `data/<split>-00000-of-00001.parquet`, a dataset card, Croissant metadata.

    Args:
        rows: what is exported.
        out: folder to write into.

    Raises:
        UserError: a split has a name that Hugging Face does not allow.
    """

    folder = "data"

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        odd = [split for split in rows.splits if not split.replace("_", "a").isalnum() or not split.isascii()]
        if odd:
            raise UserError(
                f"{rows.dataset.path}: Hugging Face allows letters, digits and _ in the name of a split, not "
                f"{odd[0]!r}: choose another with --split, or name it otherwise in the pipeline"
            )

    def losses(self) -> list[str]:
        """Return also which splits are opened under another name."""
        opened = [(split, OPENED_AS[split]) for split in self.rows.splits if split in OPENED_AS]
        lines = (f"split {split}: load_dataset opens it as {name}, as it reserves the name" for split, name in opened)
        return [*super().losses(), *lines]

    def finish(self) -> None:
        """Write the card and the Croissant metadata, too."""
        super().finish()
        published = [
            PublishedFile(split, path.relative_to(self.out).as_posix(), path.stat().st_size, digest_file(path))
            for split, path in self.files
        ]
        terms = sharing_terms(self.rows.dataset)
        (self.out / CARD).write_text(card_text(self.rows, self.columns, published, terms), "utf-8")
        (self.out / CROISSANT).write_text(croissant_text(self.rows, self.columns, published, terms), "utf-8")
