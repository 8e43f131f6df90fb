"""Place of a dataset's maps: which cells they have, which channels, and the mean face on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.surface_map import MapGrid, surface_map
from face3d_data.json_text import parse_json

PLACE_KEYS = ("cell_mm", "left_mm", "top_mm", "channels", "fill")
"""What has to be the same in the maps that a network learns from and in those that it is used on."""
UPPER_MM, UPPER_HALF_MM = (8.0, 50.0), 45.0
"""Upper face, above the tip of the nose and to either side: no mask covers it, and few movements move it."""
MEAN_SIGMA_MM, MEAN_GAP_MM = 2.5, 8.0


def said_of_maps(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataset's `dataset.json` says of the place and the channels of its maps; empty: nothing."""
    said = info.get("array_attributes", {}).get("map", {})
    return {key: said[key] for key in PLACE_KEYS if key in said}


def check_same_maps(learnt: str | None, said: Mapping[str, Any], dataset: str, checkpoint: str) -> None:
    """Check that maps are of the kind that a network learnt from.

    Args:
        learnt: what its checkpoint says of the maps that it learnt from, as JSON; None or empty: nothing.
        said: what the dataset says of its own.
        dataset: what messages call it.
        checkpoint: what messages call the network.

    Raises:
        UserError: they differ.
    """
    before = parse_json(learnt) if learnt else {}
    differing = [key for key in PLACE_KEYS if before.get(key) != said.get(key)] if before and said else []
    if differing:
        shown = ", ".join(f"{key} is {said.get(key)} and was {before.get(key)}" for key in differing)
        raise UserError(
            f"dataset {dataset}: its maps are not of the kind that {checkpoint} learnt from ({shown}): make them by "
            f"{step_of_maps(before)}"
        )


def step_of_maps(said: Mapping[str, Any]) -> str:
    """Return the step of a pipeline that makes maps of a kind, without its id and what it follows.

    Args:
        said: what a dataset says of the place and the channels of its maps.
    """
    if not {"cell_mm", "left_mm", "top_mm", "channels"} <= said.keys():
        return "stage: maps"
    options = {
        "cell_mm": f"{said['cell_mm']:g}",
        "size": round(-2 * said["left_mm"] / said["cell_mm"]),
        "above_mm": f"{said['top_mm']:g}",
        "channels": "normals" if "normal_x" in str(said["channels"]) else "slopes",
        "fill": said.get("fill", "none"),
    }
    return f"stage: maps, with: {{{', '.join(f'{key}: {value}' for key, value in options.items())}}}"


def check_holes(said: Mapping[str, Any], dataset: str) -> None:
    """Check that the holes of maps are empty: varied and masked ones are, and a network must not tell them by that.

    Args:
        said: what the dataset says of its maps.
        dataset: what messages call it.

    Raises:
        UserError: they are filled.
    """
    if said.get("fill", "none") != "none":
        raise UserError(
            f"dataset {dataset}: the holes of its maps are filled ({said['fill']}), which data.map_height: residual, "
            f"vary_map and masks cannot do again: make them by {step_of_maps({**said, 'fill': 'none'})}"
        )


def check_has_maps(learnt: str | None, fields: Collection[str], dataset: str, checkpoint: str) -> None:
    """Check that a dataset has maps, which a network takes.

    Args:
        learnt: what its checkpoint says of the maps that it learnt from, as JSON; None or empty: nothing.
        fields: the dataset's arrays.
        dataset: what messages call it.
        checkpoint: what messages call the network.

    Raises:
        UserError: it has none.
    """
    if "map" not in fields:
        raise UserError(
            f"dataset {dataset}: has no field map, which {checkpoint} takes: put the step {{"
            f"{step_of_maps(parse_json(learnt) if learnt else {})}}} behind align_3d in its pipeline, and map into the "
            "fields of the dataset"
        )


@dataclass(frozen=True)
class MapPlace:
    """Cells and channels of maps.

    Attributes:
        grid: the cells.
        normals: the channels between height and validity are those of the normal; else the two slopes.
    """

    grid: MapGrid
    normals: bool

    @classmethod
    def of(cls, info: Mapping[str, Any], shape: tuple[int, ...], dataset: str) -> MapPlace:
        """Return what a dataset says of its maps.

        Args:
            info: the dataset's `dataset.json`.
            shape: of one map, (C, rows, columns).
            dataset: what messages call it.

        Raises:
            UserError: it does not say where the cells of its maps lie.
        """
        said = info.get("array_attributes", {}).get("map", {})
        if not {"cell_mm", "left_mm", "top_mm", "channels"} <= said.keys():
            raise UserError(
                f"dataset {dataset}: does not say where the cells of its maps lie, which data.map_height, vary_map and "
                "masks need: make the maps with the stage 'maps'"
            )
        grid = MapGrid(float(said["cell_mm"]), shape[1], shape[2], float(said["left_mm"]), float(said["top_mm"]))
        return cls(grid, "normal_x" in str(said["channels"]))

    @cached_property
    def mean_height(self) -> np.ndarray:
        """The mean face's height f4 (rows, columns), mm; 0 where it does not reach."""
        face = surface_map(mean_face().points, self.grid, MEAN_SIGMA_MM, MEAN_GAP_MM)
        return np.nan_to_num(face.height).astype(np.float32)

    @cached_property
    def upper(self) -> np.ndarray:
        """Bool (rows, columns): the upper face."""
        y, x = self.grid.y_mm()[:, None], self.grid.x_mm()[None, :]
        return (y >= UPPER_MM[0]) & (y <= UPPER_MM[1]) & (np.abs(x) <= UPPER_HALF_MM)

    def residual(self, maps: np.ndarray, clip_mm: float) -> None:
        """Replace the heights of maps f4 (B, C, rows, columns) by what sets them apart from the mean face, in place.

        From each is taken the mean face's height, then the median of what is left over the upper face; the rest is
        clipped to `clip_mm` and 0 in holes.
        """
        height, seen = maps[:, 0], maps[:, -1] > 0
        height -= self.mean_height
        counted = seen & self.upper
        for one, cells in zip(height, counted, strict=True):
            one -= np.median(one[cells]) if cells.any() else np.float32(0)
        np.clip(height, -clip_mm, clip_mm, out=height)
        height[~seen] = 0

    def slopes(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the slopes f4 (rows, columns) along x and y of one map (C, rows, columns)."""
        if not self.normals:
            return image[1], image[2]
        z = np.maximum(image[3], np.float32(0.05))
        return -image[1] / z, -image[2] / z

    def channels(self, height: np.ndarray, slopes: tuple[np.ndarray, np.ndarray], seen: np.ndarray) -> np.ndarray:
        """Return a map f4 (C, rows, columns) of heights, slopes and validity, 0 in holes."""
        sx, sy = slopes
        if self.normals:
            length = np.sqrt(sx**2 + sy**2 + 1)
            between = [-sx / length, -sy / length, 1 / length]
        else:
            between = [sx, sy]
        made = np.zeros((len(between) + 2, *height.shape), np.float32)
        for channel, values in zip(made, [height, *between, np.float32(1)], strict=True):
            np.copyto(channel, values, where=seen, casting="same_kind")
        return made
