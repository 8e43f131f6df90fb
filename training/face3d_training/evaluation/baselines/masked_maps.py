"""Masked depth maps to learn from: the maps of a dataset with a mask drawn over each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.geometry.depth_map import resampled_map
from face3d_data.shards.read import Dataset
from face3d_training.config import VaryMapConfig
from face3d_training.map_place import MapPlace
from face3d_training.map_variation import MapVariation

if TYPE_CHECKING:
    import pandas as pd

BATCH = 256
DRAWN = "drawn"
"""Tag `mask` of these faces."""


def masked_depth_maps(
    dataset: Dataset, split: str, rows: pd.DataFrame, progress: Callable[[int], None] | None = None
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw a mask over the map of every row, the same one in each call.

    Args:
        dataset: a dataset with `map`.
        split: the split.
        rows: of that split, indexed by their places in it.
        progress: called with the number of rows done.

    Returns:
        The depth maps f4 (n, G) of the masked faces, and the rows with the tag `mask`.

    Raises:
        UserError: the dataset does not say where the cells of its maps lie.
    """
    place = MapPlace.of(dataset.info, tuple(dataset.info["shapes"]["map"]), dataset.name)
    grid, draws = place.grid, MapVariation(VaryMapConfig(), place)
    reader, places, keys = dataset.reader(split, ["map"]), rows.index.to_numpy(np.int64), rows["key"].tolist()
    found: list[np.ndarray] = []
    for start in range(0, len(places), BATCH):
        images = reader.__getitems__(places[start : start + BATCH].tolist()).arrays["map"]
        for image, key in zip(images, keys[start : start + BATCH], strict=True):
            covered, *_ = draws.masked(image.astype(np.float32), np.random.default_rng(seed_from("lda mask", key)))
            found.append(resampled_map(covered, grid.cell_mm, grid.left_mm, grid.top_mm))
        if progress is not None:
            progress(len(found))
    return np.array(found, np.float32), rows.assign(mask=DRAWN)
