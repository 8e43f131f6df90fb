"""Export of plain and masked images as the trees of the latent-part network's authors (LPD, mindspore-ai/models).

research/cv/MaskedFaceRecognition reads for training `faces_webface_112x112_raw_image/<person>/<number>_<scale>.png`
and beside that folder masked versions of the same image, `<style>/<person>/<number>.jpg`, of one style drawn from
eight; and for its test `test/{query,gallery}/<person>/<number>.jpg`, the same people in both.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from face3d_data.atomic import make_folder
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.readers.masked_webface import PLAIN_FOLDER, STYLES, TEST
from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import ExportRows, Form, write_csv
from face3d_data.shards.export.samples import write_color

if TYPE_CHECKING:
    import pandas as pd

QUALITY = 95


class MaskedWebFace(Form):
    """Both trees, and `images.csv`: which row a file is.

    The splits but `test` make the training tree, `test` query (masked) and gallery (plain). A plain image's scale is
    the mean `visible_ratio` of its masked variants.

    Args:
        rows: what is exported.
        out: folder to write into.

    Raises:
        UserError: there is no masked row.
    """

    needs: ClassVar[tuple[str, ...]] = ("color",)
    holds: ClassVar[tuple[str, ...]] = ("color",)

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        self.files: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self.listed: list[pd.DataFrame] = []
        if not any(_is_masked(rows.table(split)).any() for split in rows.splits):
            raise UserError(
                f"{rows.dataset.path}: masked-webface has plain and masked images, and no row wears a mask: put the "
                "stage mask into the pipeline"
            )
        for split in rows.splits:
            make = _test_files if split == TEST else _training_files
            found = make(rows.table(split), split, self.notes)
            self.files.update(found)

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Make the folders of a split's people."""
        super().begin(split, table)
        table = table.copy()
        table.insert(0, "image", [" ".join(self.files[row]) for row in table["id"]])
        self.listed.append(table)
        for path in {Path(file).parent for row in table["id"] for file in self.files[row]}:
            make_folder(self.out / path)

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Write the rows' images."""
        for row, sample in zip(table["id"].tolist(), batch, strict=True):
            for file in self.files[row]:
                if file.endswith(".jpg"):
                    _write_jpeg(self.out / file, sample["color"])
                else:
                    write_color(self.out / file, sample["color"])

    def finish(self) -> None:
        """Write images.csv."""
        import pandas as pd

        write_csv(self.out / "images.csv", pd.concat(self.listed))

    def losses(self) -> list[str]:
        """Return what the trees do not hold."""
        return [*super().losses(), *self.notes]


def _is_masked(table: pd.DataFrame) -> np.ndarray:
    """Return bool (n,), who wears a mask: as the tag says, or the variant where there is no such tag."""
    by_variant = table["variant"].str.contains("mask:", regex=False).to_numpy(bool)
    return (table["mask"].fillna("none") != "none").to_numpy(bool) | by_variant if "mask" in table else by_variant


def _training_files(table: pd.DataFrame, split: str, notes: list[str]) -> dict[str, list[str]]:
    """Return the files of each row of the training tree, none for those that have no place in it."""
    import pandas as pd

    masked = _is_masked(table)
    ratios = pd.to_numeric(table["visible_ratio"], errors="coerce") if "visible_ratio" in table else np.nan
    known = table.assign(ratio=ratios)[masked].groupby("origin_id")["ratio"].mean().dropna()
    numbers, files = _numbers(table, masked), dict[str, list[str]]()
    used: defaultdict[str, int] = defaultdict(int)
    without, more = 0, 0
    columns = (table[name].tolist() for name in ("id", "name", "origin_id"))
    for row, name, origin, worn in zip(*columns, masked.tolist(), strict=True):
        scale, number = known.get(origin), numbers.get(origin)
        files[row] = []
        if number is None or scale is None:
            without += 1
        elif not worn:
            files[row] = [f"{PLAIN_FOLDER}/{name}/{number}_{scale:.4f}.png"]
        elif used[origin] == len(STYLES):
            more += 1
        else:
            files[row] = [f"{STYLES[used[origin]]}/{name}/{number}.jpg"]
            used[origin] += 1
    if without:
        notes.append(
            f"split {split}: {counted(without, 'row')} left out: of captures without both a plain and a masked image "
            "whose visible_ratio is known"
        )
    if more:
        notes.append(f"split {split}: {counted(more, 'masked row')} left out: more than {len(STYLES)} of a capture")
    return files


def _test_files(table: pd.DataFrame, split: str, notes: list[str]) -> dict[str, list[str]]:
    """Return the files of each row of query and gallery; people who are not in both have none."""
    masked = _is_masked(table)
    both = set(table["name"][masked]) & set(table["name"][~masked])
    taken: defaultdict[str, int] = defaultdict(int)
    files: dict[str, list[str]] = {}
    for row, name, worn in zip(table["id"].tolist(), table["name"].tolist(), masked.tolist(), strict=True):
        folder = f"{TEST}/{'query' if worn else 'gallery'}/{name}"
        files[row] = [f"{folder}/{taken[folder]}.jpg"] if name in both else []
        taken[folder] += 1
    alone = table["name"].nunique() - len(both)
    if alone:
        notes.append(f"split {split}: {counted(alone, 'person')} left out: in query or gallery alone")
    return files


def _numbers(table: pd.DataFrame, masked: np.ndarray) -> dict[str, int]:
    """Return a whole number for each capture with a plain row, among those of its person."""
    numbers: dict[str, int] = {}
    taken: defaultdict[str, int] = defaultdict(int)
    for origin, name in table[["origin_id", "name"]][~masked].itertuples(index=False):
        if origin not in numbers:
            numbers[origin] = taken[name]
            taken[name] += 1
    return numbers


def _write_jpeg(path: Path, color: np.ndarray) -> None:
    import cv2

    pixels = np.ascontiguousarray(color[..., ::-1])
    path.write_bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
