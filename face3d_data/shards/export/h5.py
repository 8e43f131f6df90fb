"""HDF5 export of clouds for other programs: ModelNet files with their lists, and face HDF5 with `pid`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from face3d_data.h5_file import open_h5
from face3d_data.names import name_of
from face3d_data.roots import TOKEN_CHARS
from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import EXPORT_FRAMES, ExportRows, Form, write_csv
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    import pandas as pd

PER_FILE = 2048
"""Rows of one of ModelNet's files, as in its own."""


class _H5Files(Form):
    """Files that rows are appended to, contiguous and preallocated; `<split>.csv` says which row is what."""

    needs: ClassVar[tuple[str, ...]] = ("points",)
    knows_recordings: ClassVar[bool] = False
    per_file: ClassVar[int | None] = None

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        self.split, self.total, self.done = "", 0, 0
        self.file: Any = None

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Write the split's CSV, with the file and row of each."""
        super().begin(split, table)
        self.split, self.total, self.done = split, len(table), 0
        size = self.per_file or max(1, self.total)
        table = table.copy()
        table["file"] = [self.file_name(place // size) for place in range(self.total)]
        table["row"] = [place % size for place in range(self.total)]
        write_csv(self.out / f"{split}.csv", self.with_codes(table))

    def file_name(self, number: int) -> str:
        """Return the name of a split's file."""
        raise TypeError(f"{type(self).__name__} defines no file_name()")

    def with_codes(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the CSV's rows with what the form numbers."""
        return table

    def arrays(self, table: pd.DataFrame, batch: Batch) -> dict[str, np.ndarray]:
        """Return what is stored of some rows."""
        raise TypeError(f"{type(self).__name__} defines no arrays()")

    def frames(self, batch: Batch) -> dict[str, np.ndarray]:
        """Return centroid and scale where clouds lie on the unit sphere: their size, which other programs pass over."""
        return {name: batch.arrays[name].astype("<f4") for name in EXPORT_FRAMES} if self.rows.normalized else {}

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Append rows, continuing in the next file when one is full."""
        size = self.per_file or max(1, self.total)
        start = 0
        while start < len(table):
            number, at = divmod(self.done, size)
            stop = min(len(table), start + size - at)
            chosen = self.arrays(table.iloc[start:stop], batch[start:stop])
            with _opened(self.out / self.file_name(number)) as file:
                for name, values in chosen.items():
                    if at == 0:
                        _allocate(file, name, min(size, self.total - self.done), values)
                    file[name][at : at + len(values)] = values
            self.done += stop - start
            start = stop


class ModelNetFiles(_H5Files):
    """`ply_data_<split>0.h5` with `data`, `label`, `normal`; `<split>_files.txt`; `shape_names.txt`, one per line."""

    holds: ClassVar[tuple[str, ...]] = ("points", "normals")
    per_file: ClassVar[int | None] = PER_FILE

    def file_name(self, number: int) -> str:
        """Return the name of a split's file, which loaders look for as `ply_data_train*.h5`."""
        return f"ply_data_{self.split}{number}.h5"

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Write the split's CSV and the list of its files."""
        super().begin(split, table)
        names = [self.file_name(number) for number in range(-(-self.total // PER_FILE))]
        (self.out / f"{split}_files.txt").write_text("".join(f"{name}\n" for name in names), "utf-8")

    def arrays(self, table: pd.DataFrame, batch: Batch) -> dict[str, np.ndarray]:
        """Return clouds f4 (n, points, 3), labels i8 (n, 1) and normals."""
        found = {"data": batch.arrays["points"].astype("<f4"), "label": batch.arrays["label"][:, None].astype("<i8")}
        found["root"] = roots_of(table)
        if "normals" in self.rows.fields:
            found["normal"] = batch.arrays["normals"].astype("<f4")
        return found | self.frames(batch)

    def finish(self) -> None:
        """Write the names of the labels."""
        (self.out / "shape_names.txt").write_text("".join(f"{name}\n" for name in self.rows.class_names()), "utf-8")

    def losses(self) -> list[str]:
        """Return what the files do not hold, and what loaders of ModelNet may miss."""
        lines = super().losses()
        lacking = [f"{name}_files.txt" for name in ("train", "test") if name not in self.rows.splits]
        if lacking:
            lines.append(f"no {' and no '.join(lacking)}, which other programs expect: that split is missing")
        return lines


class FaceFiles(_H5Files):
    """`<split>.h5` with `data`, `pid` and `class`; a mirrored face has a class of its own, and the person's `pid`."""

    holds: ClassVar[tuple[str, ...]] = ("points",)

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        people = {name_of(person_of(identity)) for split in rows.dataset.splits
                  for identity in rows.table(split)["identity"].unique()}  # fmt: skip
        self.pids = {name: number for number, name in enumerate(sorted(people))}

    def file_name(self, number: int) -> str:
        """Return the name of a split's only file."""
        return f"{self.split}.h5"

    def _pid(self, table: pd.DataFrame) -> list[int]:
        return [self.pids[name_of(person_of(identity))] for identity in table["identity"]]

    def with_codes(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the CSV's rows with `pid`."""
        return table.assign(pid=self._pid(table))

    def arrays(self, table: pd.DataFrame, batch: Batch) -> dict[str, np.ndarray]:
        """Return clouds f4 (n, points, 3), people and classes i8 (n,)."""
        pids = np.array(self._pid(table), "<i8")
        clouds, classes = batch.arrays["points"].astype("<f4"), batch.arrays["label"].astype("<i8")
        return {"data": clouds, "pid": pids, "class": classes, "root": roots_of(table)} | self.frames(batch)


ROOT_WIDTH = 256
"""Bytes of a row's `root`: as many as 15 files of a recording take; of more the first count."""


def roots_of(table: pd.DataFrame) -> np.ndarray:
    """Return what recording each row was made of, as our readers read it back; other programs pass over it."""
    kept = (ROOT_WIDTH + 1) // (TOKEN_CHARS + 1) * (TOKEN_CHARS + 1) - 1
    return np.array([root[:kept].encode() for root in table["root"].tolist()], f"S{ROOT_WIDTH}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:

    with open_h5(path, "a", libver=("earliest", "v110")) as file:
        yield file


def _allocate(file: Any, name: str, n: int, values: np.ndarray) -> None:
    """Make an array for all rows of the file, contiguous, so that it can be memory-mapped."""
    file.create_dataset(name, (n, *values.shape[1:]), values.dtype, track_times=False)
