"""Mirror images of a network's input: left and right of a face exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.sample import ArrayMap

COLUMN_AXES = {"color": -2, "depth": -1, "map_occlusion": -1}
"""Axis of each image's columns; a map is `mirrored_map`."""


def mirrored_map(maps: np.ndarray) -> np.ndarray:
    """Return maps f4 (…, C, rows, columns) of the mirrored faces.

    Their columns lie evenly to both sides of the face's plane of symmetry, x = 0. Channel 1, the slope or the component
    of the normal along x, changes its sign, too.
    """
    mirrored = np.ascontiguousarray(maps[..., ::-1])
    mirrored[..., 1, :, :] *= -1
    return mirrored


def mirrored_images(arrays: ArrayMap) -> dict[str, np.ndarray]:
    """Return a batch's images and maps, as they are stored, of the mirrored faces.

    Args:
        arrays: `color` u1 (B, H, W, 3), `depth` f4 (B, H, W), `map` f4 (B, C, H, W), `map_occlusion` f4 (B, H, W).
    """
    return {
        name: mirrored_map(array) if name == "map" else np.flip(array, COLUMN_AXES[name])
        for name, array in arrays.items()
    }


def check_mirrors(inputs: str, fields: tuple[str, ...], said: Mapping[str, Any], columns: int, dataset: str) -> None:
    """Check that the mirror image of a network's input is that of a face.

    Args:
        inputs: what the network takes, `points` or `image`.
        fields: arrays that the input is made of.
        said: what the dataset says of its maps.
        columns: of its maps; 0: it has none.
        dataset: what messages call it.

    Raises:
        UserError: it takes points, whose plane of symmetry a dataset does not name; or the dataset does not say where
            the cells of its maps lie, or they lie unevenly to both sides.
    """
    if inputs == "points":
        raise UserError("--flip: mirrors images and maps; this network takes points, so leave it out")
    if "map" not in fields:
        return
    if not {"left_mm", "cell_mm"} <= said.keys():
        raise UserError(f"--flip: dataset {dataset} does not say where the cells of its maps lie: leave it out")
    if not np.isclose(-2 * said["left_mm"], columns * said["cell_mm"]):
        right_mm = said["left_mm"] + columns * said["cell_mm"]
        raise UserError(
            f"--flip: the maps of dataset {dataset} reach from {said['left_mm']:g} to {right_mm:g} mm, not evenly to "
            "both sides of the face: leave it out"
        )
