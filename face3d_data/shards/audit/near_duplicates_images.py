"""Near-duplicates among photographs: candidates by low frequencies, confirmed by correlation after a small shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.geometry.image_likeness import DETAIL_PX, WAVES_PX, detail, likeness, low_waves, reduced
from face3d_data.shards.audit.look import Described, FacePart, SplitRows
from face3d_data.shards.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

BATCH = 64
REMEMBERED = 512
"""Reduced images that a worker keeps, 16 KB each."""
PARTS = (("whole image", 1.0, 0.11, 0.975), ("upper half", 0.5, 0.1, 0.99))
"""Name, share of the rows, 1 - cosine of the waves at most, and correlation at least; see docs/concepts/leaks.md."""


@dataclass(frozen=True)
class ImagesLook:
    """Photographs of a dataset, reduced.

    Attributes:
        rows: gives them.
        name: the array of images, u1 (H, W, 3).
    """

    rows: SplitRows
    name: str
    laid_shape: tuple[int, ...] = (0,)
    poor_note: str = ""

    @property
    def parts(self) -> tuple[FacePart, ...]:
        """The whole image and its upper half, whose waves are compared by their cosine."""
        return tuple(
            FacePart(
                name, low_waves(np.zeros((1, round(share * WAVES_PX), WAVES_PX))).shape[1], float(np.sqrt(2 * apart))
            )
            for name, share, apart, _ in PARTS
        )

    def describe(self, start: int, stop: int) -> Described:
        """Describe the rows from `start` to `stop` of the table."""
        shown: list[np.ndarray] = []
        waves: list[list[np.ndarray]] = [[] for _ in PARTS]
        for _, batch in self.rows.batches(start, stop, BATCH):
            grey = np.array([reduced(image, WAVES_PX) for image in batch.arrays[self.name]])
            shown.append(grey.std(axis=(1, 2)) > 1.0)  # one colour all over shows nobody
            for found, (_, share, _, _) in zip(waves, PARTS, strict=True):
                found.append(low_waves(detail(grey[:, : round(share * WAVES_PX)])))
        n = stop - start
        every = tuple(np.concatenate(found) for found in waves)
        return Described(np.concatenate(shown), np.zeros(n, bool), every, np.zeros((n, *self.laid_shape)))

    def comparison(self, laid: Mapping[int, np.ndarray]) -> ImagesComparison:
        """Return the comparison of rows; nothing but their images is needed."""
        return ImagesComparison(self.rows, self.name)


class ImagesComparison:
    """Comparison of photographs by correlation.

    Args:
        rows: gives them.
        name: the array.
    """

    def __init__(self, rows: SplitRows, name: str) -> None:
        def reduce(row: int, part: int) -> np.ndarray:
            grey = reduced(rows.at(row)[name], DETAIL_PX)
            return detail(grey[None, : round(PARTS[part][1] * DETAIL_PX)])[0]

        self._detail = lru_cache(REMEMBERED)(reduce)

    def confirm(self, first: int, second: int, part: int) -> str | None:
        """Return the similarity of two photographs if they are near-duplicates."""
        name, _, _, least = PARTS[part]
        alike = likeness(self._detail(first, part), self._detail(second, part))
        return f"{name}: correlation {alike:.3f}" if alike >= least else None


def look_at_images(dataset: Dataset, table: pd.DataFrame, name: str) -> ImagesLook:
    """Return the look at the photographs of a dataset."""
    return ImagesLook(SplitRows.of(dataset, table, (name,)), name)
