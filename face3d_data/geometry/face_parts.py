"""Parts of a face on a map, and how much of each is visible: weights for networks that look at parts.

The parts are regions of the face frame, so they are the same cells in every map: the upper face, which masks leave
free; the nose; the lower face, which they cover; and the whole.
"""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.surface_map import MapGrid

PARTS = ("upper", "nose", "lower", "whole")
HALF_WIDTH_MM, HALF_HEIGHT_MM = 58.0, 65.0
"""Half axes of the ellipse round the tip of the nose that the whole face is: from the brows' upper edge to the chin."""
UPPER_MM = 10.0
"""From the ridge of the nose on upwards, masks cover next to nothing."""
NOSE_MM = (20.0, -14.0, 45.0)
"""Half width of the nose, its lower and its upper end."""


def part_cells(grid: MapGrid) -> np.ndarray:
    """Return which cells belong to each of `PARTS`, bool (4, rows, columns); cells may belong to several."""
    x, y = np.meshgrid(grid.x_mm(), grid.y_mm())
    whole = (x / HALF_WIDTH_MM) ** 2 + (y / HALF_HEIGHT_MM) ** 2 <= 1
    half_width, low, high = NOSE_MM
    nose = (np.abs(x) <= half_width) & (y >= low) & (y <= high)
    return np.stack([whole & (y > UPPER_MM), whole & nose, whole & (y <= UPPER_MM), whole])


def visible_shares(cells: np.ndarray, seen: np.ndarray, occluded: np.ndarray | None = None) -> np.ndarray:
    """Return the share of each part that is seen and not occluded, f4 (4,), from 0 to 1; 0 of a part without cells.

    Args:
        cells: bool (4, rows, columns), as `part_cells` returns it.
        seen: bool (rows, columns).
        occluded: (rows, columns), share of each cell that is not skin; None: nothing is known to be occluded.
    """
    visible = seen.astype(np.float64) if occluded is None else seen * (1.0 - occluded)
    return ((cells * visible).sum(axis=(1, 2)) / np.maximum(cells.sum(axis=(1, 2)), 1)).astype(np.float32)
