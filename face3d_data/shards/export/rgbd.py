"""RGB-D export: colour and depth files with `train.csv eval.csv test.csv dirty.csv`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from face3d_data.errors import UserError
from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import ExportRows, Form, beside, copy_lists, dirty_table, make_folders, write_csv
from face3d_data.shards.export.samples import write_color
from face3d_data.shards.schema import ONLY_SPLIT

if TYPE_CHECKING:
    import pandas as pd

CAMERA = ("intrinsics", "distortion")
LISTS = ("train", "eval", "test")
BLOCK = 4096


class RgbdFiles(Form):
    """`<name>/<id>.png` and `<id>.npy` (depth in mm, f4), the four CSVs, and the camera as `intrinsics.json`.

    The only split of a dataset that is not split is in train.csv.

    Args:
        rows: what is exported.
        out: folder to write into.

    Raises:
        UserError: a split is none of train, eval and test.
    """

    needs: ClassVar[tuple[str, ...]] = ("color", "depth")
    holds: ClassVar[tuple[str, ...]] = ("color", "depth", *CAMERA)

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        self.is_split = list(rows.dataset.splits) != [ONLY_SPLIT]
        odd = [split for split in rows.splits if self.is_split and split not in LISTS]
        if odd:
            raise UserError(
                f"{rows.dataset.path}: rgbd has train.csv, eval.csv and test.csv, and no place for split {odd[0]!r}: "
                "export others with --split, or name it so in the pipeline's 'split' step"
            )
        self.lists_left_out: list[str] = []
        self.cameras = _cameras(rows) if "intrinsics" in rows.fields else []

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Write the split's CSV and make its people's folders."""
        super().begin(split, table)
        write_csv(self.out / f"{split if self.is_split else LISTS[0]}.csv", table)
        make_folders(self.out, table["name"].tolist(), table["id"].tolist(), str(self.rows.dataset.path))

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Write colour and depth of the rows, and their cameras where these differ."""
        for name, stem, sample in zip(table["name"].tolist(), table["id"].tolist(), batch, strict=True):
            path = self.out / name / stem
            write_color(beside(path, ".png"), sample["color"])
            np.save(beside(path, ".npy"), sample["depth"].astype("<f4"))
            if len(self.cameras) > 1:
                camera = np.concatenate([sample[name] for name in CAMERA if name in self.rows.fields])
                beside(path, "_intrinsics.json").write_text(self._camera(camera))

    def _camera(self, values: np.ndarray) -> str:
        height, width = self.rows.shape("depth")
        camera = dict(zip(("fx", "fy", "cx", "cy"), values[:4].tolist(), strict=True))
        if values[4:-1].any():
            after_radial = bool(values[-1])  # RealSense's model has five numbers, OpenCV's twelve
            camera["model"] = "modified_brown_conrady" if after_radial else "rational_polynomial"
            camera["coeffs"] = values[4:9].tolist() if after_radial else values[4:-1].tolist()
        return json.dumps({**camera, "width": width, "height": height, "depth_scale": 0.001}, indent=1) + "\n"

    def finish(self) -> None:
        """Write the CSVs of splits without rows, dirty.csv, the lists, and the camera that all rows share."""
        header = self.rows.table(self.rows.dataset.splits[0]).iloc[:0]
        for name in LISTS:
            if not (self.out / f"{name}.csv").exists():
                write_csv(self.out / f"{name}.csv", header)
        write_csv(self.out / "dirty.csv", dirty_table(self.rows))
        self.lists_left_out = copy_lists(self.rows, self.out)
        if len(self.cameras) == 1:
            (self.out / "intrinsics.json").write_text(self._camera(self.cameras[0]))

    def losses(self) -> list[str]:
        """Return what the files do not hold."""
        lines = super().losses()
        if len(self.cameras) > 1:
            lines.append("the camera differs from row to row: it is in <id>_intrinsics.json next to each image")
        if not self.is_split:
            lines.append(f"the dataset is not split: all rows are in {LISTS[0]}.csv, none in the other lists")
        return lines + self.lists_left_out


def _cameras(rows: ExportRows) -> list[np.ndarray]:
    """Return the cameras of all rows as far as the second, f8 (4,) each, and (13,) more where they have a lens."""
    names = [name for name in CAMERA if name in rows.fields]
    found: list[np.ndarray] = []
    for split in rows.splits:
        reader = rows.dataset.reader(split, names)
        for start in range(0, len(reader), BLOCK):
            arrays = reader.__getitems__(range(start, min(start + BLOCK, len(reader)))).arrays
            block = np.concatenate([arrays[name] for name in names], axis=1)
            found = list(np.unique(np.concatenate([block, *(camera[None] for camera in found)]), axis=0)[:2])
            if len(found) > 1:
                return found
    return found
