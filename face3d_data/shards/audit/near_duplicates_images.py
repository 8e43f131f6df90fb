"""Near-duplicates among photographs: candidates by low frequencies, confirmed by correlation after a small shift."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.geometry.image_likeness import DETAIL_PX, WAVES_PX, detail, likeness, low_waves, reduced
from face3d_data.shards.audit.look import FacePart
from face3d_data.shards.read import Dataset, ShardReader

if TYPE_CHECKING:
    import pandas as pd

BATCH = 64
REMEMBERED = 4096
"""Reduced images that are kept, 16 KB each."""
PARTS = (("whole image", 1.0, 0.11, 0.975), ("upper half", 0.5, 0.1, 0.99))
"""Name, share of the rows, 1 - cosine of the waves at most, and correlation at least; see docs/concepts/leaks.md."""


class ImagesLook:
    """Photographs of a dataset, reduced.

    Args:
        dataset: the dataset.
        table: its rows, split by split.
        name: the array of images, u1 (H, W, 3).
    """

    def __init__(self, dataset: Dataset, table: pd.DataFrame, name: str) -> None:
        self.name = name
        self.notes: tuple[str, ...] = ()
        self._readers: list[tuple[ShardReader, int, int]] = []
        start = 0
        for split, rows in table.groupby("split", sort=False):
            self._readers.append((dataset.reader(str(split), [name]), start, start + len(rows)))
            start += len(rows)
        waves: list[list[np.ndarray]] = [[] for _ in PARTS]
        shown: list[np.ndarray] = []
        for reader, first, stop in self._readers:
            for at in range(0, stop - first, BATCH):
                images = reader.__getitems__(range(at, min(at + BATCH, stop - first))).arrays[name]
                grey = np.array([reduced(image, WAVES_PX) for image in images])
                shown.append(grey.std(axis=(1, 2)) > 1.0)  # one colour all over shows nobody
                for found, (_, share, _, _) in zip(waves, PARTS, strict=True):
                    found.append(low_waves(detail(grey[:, : round(share * WAVES_PX)])))
        self.places = np.flatnonzero(np.concatenate(shown))
        every = [np.concatenate(found)[self.places] for found in waves]
        self.parts = tuple(
            FacePart(name, found, float(np.sqrt(2.0 * apart)))
            for (name, _, apart, _), found in zip(PARTS, every, strict=True)
        )
        self._detail = lru_cache(REMEMBERED)(self._reduce)

    def _reduce(self, place: int, part: int) -> np.ndarray:
        reader, start = next((reader, start) for reader, start, stop in self._readers if start <= place < stop)
        grey = reduced(reader[place - start][self.name], DETAIL_PX)
        return detail(grey[None, : round(PARTS[part][1] * DETAIL_PX)])[0]

    def confirm(self, first: int, second: int, part: int) -> str | None:
        """Return the similarity of two photographs if they are near-duplicates."""
        name, _, _, least = PARTS[part]
        alike = likeness(self._detail(first, part), self._detail(second, part))
        return f"{name}: correlation {alike:.3f}" if alike >= least else None


def look_at_images(dataset: Dataset, table: pd.DataFrame, name: str) -> ImagesLook:
    """Return the look at the photographs of a dataset."""
    return ImagesLook(dataset, table, name)
