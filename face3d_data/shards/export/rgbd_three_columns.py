"""Export of colour and depth with the CSVs of Face3D-Pytorch: paths of image and depth, and the person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import ExportRows, Form, beside, make_folders, write_csv
from face3d_data.shards.export.samples import write_color

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("rgb_image_path", "dep_image_path", "cls_name")
"""As its `RGBD_Dataset` names them; with any more, pandas would take the first ones for an index."""


class ThreeColumnFiles(Form):
    """`<name>/<id>.png`, `<id>.npy` (depth in mm, f4), and for each split a CSV of whole paths.

    Args:
        rows: what is exported.
        out: folder to write into.
    """

    needs: ClassVar[tuple[str, ...]] = ("color", "depth")
    holds: ClassVar[tuple[str, ...]] = ("color", "depth")

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        self.people: dict[str, set[str]] = {}

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Write the split's CSV and make its people's folders."""
        import pandas as pd

        super().begin(split, table)
        names, ids = table["name"].tolist(), table["id"].tolist()
        make_folders(self.out, names, ids, str(self.rows.dataset.path))
        stems = [self.rows.final / name / row for name, row in zip(names, ids, strict=True)]
        columns = ([str(beside(stem, ending)) for stem in stems] for ending in (".png", ".npy"))
        write_csv(self.out / f"{split}.csv", pd.DataFrame(dict(zip(COLUMNS, (*columns, names), strict=True))))
        self.people[split] = set(names)

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Write colour and depth of the rows."""
        for name, row, sample in zip(table["name"].tolist(), table["id"].tolist(), batch, strict=True):
            stem = self.out / name / row
            write_color(beside(stem, ".png"), sample["color"])
            np.save(beside(stem, ".npy"), sample["depth"].astype("<f4"))

    def losses(self) -> list[str]:
        """Return what the files do not hold, and what its loader makes of them."""
        lines = [*super().losses(), f"the CSVs name files below {self.rows.final}: export again to move them"]
        if len({frozenset(people) for people in self.people.values() if people}) > 1:
            lines.append(
                "its loader numbers the people of each CSV by itself, and these have different ones: for its "
                "closed-set accuracy split by captures ('by: capture')"
            )
        return lines
