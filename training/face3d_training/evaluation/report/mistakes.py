"""Worst mistakes of a method: false accepts and false rejects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from face3d_data.shards.read import Dataset
from face3d_training.evaluation.metrics.figure import ScoredPairs
from face3d_training.evaluation.report.face_picture import draw_face, picture_fields
from face3d_training.split_table import Splits, rows_of

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 6


@dataclass(frozen=True)
class Mistake:
    """A pair on the wrong side, or the nearest to it.

    Attributes:
        kind: `accept`, of strangers, or `reject`, of one person.
        first: row of its first sample; `second` of its second.
        score: their similarity.
        wrong: it lies beyond the threshold of equal errors; None: there is no threshold.
    """

    kind: Literal["accept", "reject"]
    first: int
    second: int
    score: float
    wrong: bool | None


def worst_mistakes(
    pairs: ScoredPairs, names: Sequence[str], threshold: float | None, most: int = SHOWN
) -> dict[str, list[Mistake]]:
    """Return the top false accepts and false rejects, the worst first, any two people at most once in each.

    Args:
        pairs: scored pairs.
        names: the person of each row of the table.
        threshold: least similarity that counts as one person; None: not known.
        most: maximum number of mistakes of each kind.

    Returns:
        `accept` and `reject` to mistakes.
    """
    found: dict[str, list[Mistake]] = {"accept": [], "reject": []}
    for kind, chosen in found.items():
        strangers = kind == "accept"
        places = np.flatnonzero(pairs.same != strangers)
        order = np.argsort(-pairs.scores[places] if strangers else pairs.scores[places], kind="stable")
        seen = set()
        for place in places[order].tolist():
            first, second, score = int(pairs.first[place]), int(pairs.second[place]), float(pairs.scores[place])
            people = frozenset((names[first], names[second]))
            if people not in seen:
                seen.add(people)
                wrong = None if threshold is None else (score >= threshold) == strangers
                chosen.append(Mistake(kind, first, second, score, wrong))  # type: ignore[arg-type]
            if len(chosen) == most:
                break
    return found


class FacePictures:
    """Pictures of a split's faces, drawn when asked for and kept.

    Args:
        dataset: a dataset's folder.
        split: the split, or several.
        table: rows of it; pictures are asked for by their places in this table.
        size: width and height of a picture, px.
    """

    def __init__(self, dataset: str | Path, split: Splits, table: pd.DataFrame, size: int = 160) -> None:
        source = Dataset(dataset)
        self._fields = picture_fields(tuple(source.info["spec"]["fields"]))
        self._unit_sphere = bool(source.info["spec"]["normalize"]) and "points" in self._fields
        more = ("centroid", "scale") if self._unit_sphere else ()
        self._reader = source.reader(split, (*self._fields, *more) or None)
        places = {sample: place for place, sample in enumerate(rows_of(source, split, None)["sample_id"].tolist())}
        self._places = [places[sample] for sample in table["sample_id"].tolist()]
        self._size = size
        self._drawn: dict[int, np.ndarray] = {}

    def picture(self, row: int) -> np.ndarray | None:
        """Return the picture of a row, u1 (size, size, 3) RGB; None where the dataset has nothing to be seen."""
        if not self._fields:
            return None
        if row not in self._drawn:
            self._drawn[row] = draw_face(self._arrays(self._places[row]), self._size)
        return self._drawn[row]

    def _arrays(self, place: int) -> dict[str, np.ndarray]:
        sample = self._reader[place]
        arrays = {name: sample[name] for name in self._fields}
        if self._unit_sphere:  # in mm it is seen which way a cloud is turned
            arrays["points"] = arrays["points"] * sample["scale"] + sample["centroid"]
        return arrays
