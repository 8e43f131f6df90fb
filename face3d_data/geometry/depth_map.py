"""Depth maps: heights of aligned faces on one grid, and the distance between two of them.

A map is f4 (G,), one height in mm over each of the cells `GRID`, in the face frame: origin = nose tip, x right in the
image, y up, z towards the viewer. NaN = nothing there.
"""

from __future__ import annotations

import warnings

import numpy as np

from face3d_data.geometry.surface_map import MapGrid, surface_map

CELL_MM = 2.5
_X, _Y = np.meshgrid(np.arange(-60.0, 60.1, CELL_MM), np.arange(-60.0, 65.1, CELL_MM))
REGION = (_X / 58.0) ** 2 + (_Y / 65.0) ** 2 <= 1.0
GRID = np.stack([_X[REGION], _Y[REGION]], axis=1)
"""f8 (G, 2): x and y of cells inside an ellipse from the brows' upper edge to the chin."""
UPPER = GRID[:, 1] > 10.0
"""bool (G,): cells from the ridge of the nose on upwards, of which masks cover next to nothing."""
CLIP_MM = 6.0
BACK_MM = -75.0
"""What is farther back is not the face."""
KERNEL_MM, KERNEL_SPACINGS = 1.8, 0.45
"""Standard deviation of the Gaussian that weighs points around a cell, and at least this share of points' distance."""
GAP_MM, GAP_SPACINGS = 10.0, 2.5
"""Gaps between points that are no holes; both are in millimetres for clouds of 1,024 points and more."""
_CELLS = MapGrid(CELL_MM, _X.shape[0], _X.shape[1], float(_X[0, 0]) - CELL_MM / 2, float(_Y[-1, 0]) + CELL_MM / 2)


def smooth_map(points: np.ndarray) -> np.ndarray:
    """Return the map f4 (G,) of points (N, 3), mm, that need not be dense: by `surface_map`."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2]
    near = (z > BACK_MM) & (x >= _X[0, 0]) & (x <= _X[0, -1]) & (y >= _Y[0, 0]) & (y <= _Y[-1, 0])
    spacing_mm = float(np.sqrt(_X.size / max(1, int(near.sum())))) * CELL_MM
    sigma_mm, gap_mm = max(KERNEL_MM, KERNEL_SPACINGS * spacing_mm), max(GAP_MM, GAP_SPACINGS * spacing_mm)
    found = surface_map(points[z > BACK_MM], _CELLS, sigma_mm, gap_mm)
    return np.ascontiguousarray(found.height[::-1][REGION])


def resampled_map(channels: np.ndarray, cell_mm: float, left_mm: float, top_mm: float) -> np.ndarray:
    """Return the map f4 (G,) of an image that the stage `maps` made: each height along the plane of the nearest cell.

    Args:
        channels: (C, H, W), height, two slopes or the unit normal, validity.
        cell_mm: width of its cells.
        left_mm: x of its left edge.
        top_mm: y of its upper edge.
    """
    rows, columns = channels.shape[1:]
    column = np.clip(np.floor((GRID[:, 0] - left_mm) / cell_mm), 0, columns - 1).astype(np.intp)
    row = np.clip(np.floor((top_mm - GRID[:, 1]) / cell_mm), 0, rows - 1).astype(np.intp)
    right = GRID[:, 0] - (left_mm + cell_mm * (column + 0.5))
    up = GRID[:, 1] - (top_mm - cell_mm * (row + 0.5))
    height, first, second, *third, seen = (channel[row, column].astype(np.float64) for channel in channels)
    if third:
        ahead = np.maximum(third[0], 1e-3)
        first, second = -first / ahead, -second / ahead
    inside = (np.abs(right) <= cell_mm) & (np.abs(up) <= cell_mm) & (seen > 0.5) & (height > BACK_MM)
    return np.where(inside, height + first * right + second * up, np.nan).astype(np.float32)


def level(maps: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
    """Return maps (N, G) with each one's median difference from a mean map (G,), theirs if not given, removed."""
    mean = np.nanmean(maps, axis=0) if mean is None else mean
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty map has no median, and stays empty
        return maps - np.nanmedian(maps - mean, axis=1, keepdims=True)


def level_upper(maps: np.ndarray) -> np.ndarray:
    """Return maps (N, G) with each one's median over `UPPER` removed, so that a mask does not shift it.

    Where the upper face is empty the median of all cells is taken; a map without any height stays empty.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        upper, whole = (np.nanmedian(part, axis=1, keepdims=True) for part in (maps[:, UPPER], maps))
    return maps - np.where(np.isnan(upper), whole, upper)


def filled(maps: np.ndarray, mean: np.ndarray | None = None) -> np.ndarray:
    """Return maps (N, G) with a mean map (G,), theirs if not given, in the place of holes."""
    return np.where(np.isnan(maps), np.nanmean(maps, axis=0) if mean is None else mean, maps)


def clipped_distance(maps: np.ndarray, other: np.ndarray, clip_mm: float = CLIP_MM) -> np.ndarray:
    """Return how far maps are from another: the mean over cells that both have of |difference|, at most `clip_mm` each.

    Args:
        maps: (N, G), mm.
        other: (G,) or (N, G), mm.
        clip_mm: what a cell counts at most: a mask, a lock of hair or a raised brow is not a bigger stranger.

    Returns:
        (N,), mm, in the dtype of `maps`; `clip_mm` where no cell is in both.
    """
    apart = maps - other
    np.abs(apart, out=apart)
    np.minimum(apart, clip_mm, out=apart)
    seen = ~np.isnan(apart)
    np.copyto(apart, 0, where=~seen)
    count = seen.sum(axis=1)
    return np.where(count > 0, apart.sum(axis=1) / np.maximum(count, 1), clip_mm).astype(maps.dtype)
