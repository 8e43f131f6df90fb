"""Export form: the rows to export, the folder to write, and notes on what is lost; shared by all export formats."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from face3d_data.atomic import make_folder
from face3d_data.errors import UserError
from face3d_data.names import name_of
from face3d_data.plurals import counted
from face3d_data.shards.batch import Batch
from face3d_data.shards.csv_lines import csv_text
from face3d_data.shards.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = ("shard", "index")
"""Columns of the dataset's CSVs that mean nothing outside of it."""
LONGEST_NAME = 240
"""Bytes of a name, below the 255 that file systems take, with room for endings."""
LISTS = ("gallery", "probe")
EXPORT_FRAMES = ("centroid", "scale")
"""Arrays that shards of unit-sphere clouds have beside their fields."""
FRAME_SHAPES: dict[str, tuple[int, ...]] = {"centroid": (3,), "scale": ()}


@dataclass(frozen=True)
class ExportRows:
    """What is exported: a dataset, which of its splits, and to which folder in the end."""

    dataset: Dataset
    splits: tuple[str, ...]
    final: Path

    @property
    def fields(self) -> list[str]:
        """Names of the arrays that every sample has."""
        return list(self.dataset.info["spec"]["fields"])

    @property
    def normalized(self) -> bool:
        """Whether points lie on the unit sphere."""
        return bool(self.dataset.info["spec"].get("normalize"))

    def shape(self, field: str) -> tuple[int, ...]:
        """Return the shape of an array in every sample."""
        return tuple(self.dataset.info["shapes"][field])

    def every_array(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return shape and dtype of every array of a sample, those of clouds on the unit sphere included."""
        info = self.dataset.info
        found = {form["field"]: (self.shape(form["field"]), np.dtype(form["dtype"]).name)
                 for form in info["arrays"].values()}  # fmt: skip
        frames = {name: shape for name, shape in FRAME_SHAPES.items() if self.normalized}
        return {name: found[name] for name in self.fields} | {name: (s, "float32") for name, s in frames.items()}

    def bytes_a_row(self) -> int:
        """Return how many bytes the arrays of a sample are."""
        return sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in self.every_array().values())

    def table(self, split: str) -> pd.DataFrame:
        """Return a split's rows without the columns that mean nothing outside of the dataset."""
        return self.dataset.table(split).drop(columns=list(LEFT_OUT))

    def class_names(self) -> list[str]:
        """Return the names of the whole dataset's people; a class is a place among them."""
        names: dict[int, str] = {}
        for split in self.dataset.splits:
            table = self.dataset.table(split)[["class", "name"]].drop_duplicates()
            names |= dict(zip(table["class"].tolist(), table["name"].tolist(), strict=True))
        return [names.get(number, "") for number in range(max(names, default=-1) + 1)]


class Form:
    """One form that rows are written in: `begin` a split, `write` its rows block by block, `finish` after the last.

    Args:
        rows: what is exported.
        out: folder to write into; it is there and empty.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    """Arrays that the dataset must have, all of them."""
    holds: ClassVar[tuple[str, ...]] = ()
    """Arrays that the form can hold."""
    knows_recordings: ClassVar[bool] = True
    """Whether the files themselves record which rows are one recording, and which people are mirror images."""

    def __init__(self, rows: ExportRows, out: Path) -> None:
        self.rows, self.out = rows, out
        self.n_variants = 0
        self.n_mirrored = 0

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Prepare for the rows of a split."""
        self.n_variants += int((table["variant"] != "plain").sum())
        self.n_mirrored += int(table["identity"].str.contains("~", regex=False).sum())

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Write some rows of the split, in order.

        Args:
            table: the rows.
            batch: their arrays.
        """

    def finish(self) -> None:
        """Write what comes after the last row."""

    def losses(self) -> list[str]:
        """Return a line for each thing that the form cannot hold."""
        lines = []
        kept = [name for name in self.holds if name in self.rows.fields]
        gone = [name for name in self.rows.fields if name not in kept]
        if gone:
            lines.append(f"left out: {', '.join(gone)} (it holds {', '.join(self.holds) or 'no arrays'})")
        if not self.knows_recordings and self.n_variants:
            lines.append(
                f"{counted(self.n_variants, 'row is a variant', 'rows are variants')} of other rows, which only "
                "the CSVs record"
            )
        if not self.knows_recordings and self.n_mirrored:
            one, many = (
                "row is a mirrored face, counted as another person",
                "rows are mirrored faces, counted as other people",
            )
            lines.append(f"{counted(self.n_mirrored, one, many)} here; only the CSVs name the people that they mirror")
        return lines


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write rows as a CSV; what is not known is empty."""
    known = table.astype(object)
    rows = known.where(known.notna(), "").to_numpy().tolist()
    path.write_text(csv_text(list(table.columns), rows), "utf-8")


def copy_lists(rows: ExportRows, out: Path) -> list[str]:
    """Write gallery and probe, pairs and protocols, which name samples as the exported files do.

    Returns:
        A line if some of these lists are left out: those that name samples of splits that are not written.
    """
    known = {name for split in rows.splits for name in rows.table(split)["id"]}
    folder = rows.dataset.path
    gone = []
    for name in LISTS:
        if (folder / f"{name}.csv").exists():
            table = rows.table(name)
            if known.issuperset(table["id"]):
                write_csv(out / f"{name}.csv", table)
            else:
                gone.append(f"{name}.csv")
    for path in (*folder.glob("pairs.csv"), *sorted(folder.glob("protocols/*.csv"))):
        relative = path.relative_to(folder)
        if not known.issuperset(_ids_in(path)):
            gone.append(relative.as_posix())
            continue
        for copied in (relative, *((relative.with_suffix(".txt"),) if path.name == "pairs.csv" else ())):
            make_folder((out / copied).parent)
            shutil.copyfile(folder / copied, out / copied)
    return [f"left out: {', '.join(gone)}: of samples in splits that are not written"] if gone else []


def _ids_in(path: Path) -> set[str]:
    """Return the ids that a list of pairs, or of a protocol, names."""
    import pandas as pd

    wanted = ("id", "id1", "id2")
    table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=lambda name: name in wanted)
    return {text for name in table for text in table[name]}


def make_folders(out: Path, names: Sequence[str], stems: Sequence[str], where: str) -> list[Path]:
    """Make a folder for each person, and return where each row's files go, without their ending.

    Args:
        out: the folder.
        names: each row's person.
        stems: each row's file name without ending.
        where: what messages name first.

    Raises:
        UserError: a name is too long for a file system.
    """
    longest = max((*stems, *names), key=len, default="")
    if len(longest) > LONGEST_NAME:
        raise UserError(f"{where}: {longest[:60]}… is too long for a file name: shorten the capture's name")
    for name in dict.fromkeys(names):
        make_folder(out / name)
    return [out / name / stem for name, stem in zip(names, stems, strict=True)]


def beside(stem: Path, ending: str) -> Path:
    """Return the path of a row's file; a stem may hold dots."""
    return stem.with_name(stem.name + ending)


def dirty_table(rows: ExportRows) -> pd.DataFrame:
    """Return the dataset's dirty rows, with `id`, `name` and `class` first; a person without rows has no class.

    People that were renamed in the dataset have the new name here too.
    """
    table = rows.dataset.table("dirty")
    kept = rows.dataset.info.get("same_person", {})
    people = [kept.get(own, own) for own in (text.rpartition("/")[0] for text in table["sample_id"])]
    classes = {name: number for number, name in enumerate(rows.class_names())}
    names = [name_of(text) for text in people]
    table.insert(0, "class", [classes.get(name, "") for name in names])
    table.insert(0, "name", names)
    table.insert(0, "id", [name_of(text) for text in table["sample_id"]])
    return table
