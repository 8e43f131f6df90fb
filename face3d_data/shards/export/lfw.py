"""LFW export of colour images: a folder per person, numbered images, `pairs.txt`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import ExportRows, Form, make_folders, write_csv
from face3d_data.shards.export.samples import write_color
from face3d_data.shards.export.ten_folds import in_ten_folds

if TYPE_CHECKING:
    import pandas as pd


class LfwFolders(Form):
    """`<name>/<name>_0001.png`, `pairs.txt` with a header and image numbers, and `images.csv`: which row an image is.

    A person's images are numbered in the order of their ids, over all splits that are written.

    Args:
        rows: what is exported.
        out: folder to write into.
    """

    needs: ClassVar[tuple[str, ...]] = ("color",)
    holds: ClassVar[tuple[str, ...]] = ("color",)
    knows_recordings: ClassVar[bool] = False

    def __init__(self, rows: ExportRows, out: Path) -> None:
        super().__init__(rows, out)
        people: dict[str, list[str]] = defaultdict(list)
        for split in rows.splits:
            table = rows.table(split)
            for name, row_id in zip(table["name"].tolist(), table["id"].tolist(), strict=True):
                people[name].append(row_id)
        self.numbers = {row_id: i for ids in people.values() for i, row_id in enumerate(sorted(ids), 1)}
        self.pairs_left_out = ""
        self.pair_notes: tuple[str, ...] = ()
        self.listed: list[pd.DataFrame] = []

    def _stems(self, table: pd.DataFrame) -> list[str]:
        rows = zip(table["name"].tolist(), table["id"].tolist(), strict=True)
        return [f"{name}_{self.numbers[row_id]:04d}" for name, row_id in rows]

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Make the folders of a split's people."""
        super().begin(split, table)
        stems = self._stems(table)
        make_folders(self.out, table["name"].tolist(), stems, str(self.rows.dataset.path))
        table = table.copy()
        table.insert(0, "image", [f"{name}/{stem}.png" for name, stem in zip(table["name"], stems, strict=True)])
        self.listed.append(table)

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Write the rows' images."""
        for name, stem, sample in zip(table["name"].tolist(), self._stems(table), batch, strict=True):
            write_color(self.out / name / f"{stem}.png", sample["color"])

    def finish(self) -> None:
        """Write images.csv, and the dataset's pairs with image numbers."""
        import pandas as pd

        write_csv(self.out / "images.csv", pd.concat(self.listed))
        pairs = self.rows.dataset.path / "pairs.csv"
        if not pairs.exists():
            self.pairs_left_out = "no pairs.txt: the dataset has no pairs ('pairs: true' in its entry makes some)"
            return
        table = self.rows.dataset.table("pairs")
        if not {*table["id1"], *table["id2"]} <= self.numbers.keys():
            self.pairs_left_out = "no pairs.txt: the pairs are of a split that is not written"
            return
        folded = in_ten_folds(table)
        table, lines, self.pair_notes = folded.table, [folded.header], folded.notes
        for name1, id1, name2, id2 in zip(*(table[key] for key in ("name1", "id1", "name2", "id2")), strict=True):
            one, two = str(self.numbers[id1]), str(self.numbers[id2])
            lines.append("\t".join((name1, one, two) if name1 == name2 else (name1, one, name2, two)))
        (self.out / "pairs.txt").write_text("\n".join([*lines, ""]), "utf-8")

    def losses(self) -> list[str]:
        """Return what the images do not hold."""
        return [*super().losses(), *([self.pairs_left_out] if self.pairs_left_out else []), *self.pair_notes]
