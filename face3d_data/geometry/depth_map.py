"""Depth maps: heights of aligned faces on one grid, and the distance between two of them.

A map is f4 (G,), one height in mm over each of the cells `GRID`, in the face frame: origin = nose tip, x right in the
image, y up, z towards the viewer. NaN = nothing there.
"""

from __future__ import annotations

import warnings

import numpy as np

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
KERNEL_MM = 1.8
"""Standard deviation of the Gaussian that spreads a point over cells: clouds of 2,048 points are 2.7 mm apart."""
REACH_CELLS = 2
LEAST_WEIGHT = 0.05
"""A cell counts as seen from one point at 4.4 mm on."""
_REACH = np.arange(-REACH_CELLS, REACH_CELLS + 1)
_ACROSS, _UP = (offsets.ravel() for offsets in np.meshgrid(_REACH, _REACH))


def cell_means(points: np.ndarray) -> np.ndarray:
    """Return the map f4 (G,) of dense points (N, 3), mm: the mean height of those in each cell."""
    column, row = _places(points)
    return _weighed(np.rint(column).astype(int), np.rint(row).astype(int), points[:, 2], np.ones(len(points)), 0.0)


def smooth_map(points: np.ndarray) -> np.ndarray:
    """Return the map f4 (G,) of points (N, 3), mm, that need not be dense: Gaussian means of those within 2 cells.

    Nadaraya 1964, On Estimating Regression; Watson 1964, Smooth Regression Analysis.
    """
    column, row = _places(points)
    columns = np.rint(column).astype(int)[:, None] + _ACROSS
    rows = np.rint(row).astype(int)[:, None] + _UP
    apart_mm2 = ((columns - column[:, None]) ** 2 + (rows - row[:, None]) ** 2) * CELL_MM**2
    weights = np.exp(apart_mm2 / (-2 * KERNEL_MM**2))
    heights = np.broadcast_to(points[:, 2:3], weights.shape)
    return _weighed(columns.ravel(), rows.ravel(), heights.ravel(), weights.ravel(), LEAST_WEIGHT)


def _places(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (points[:, 0] - _X[0, 0]) / CELL_MM, (points[:, 1] - _Y[0, 0]) / CELL_MM


def _weighed(
    columns: np.ndarray, rows: np.ndarray, heights: np.ndarray, weights: np.ndarray, least: float
) -> np.ndarray:
    high, wide = _X.shape
    inside = (columns >= 0) & (columns < wide) & (rows >= 0) & (rows < high) & (heights > BACK_MM)
    cell, weight = (rows * wide + columns)[inside], weights[inside]
    count = np.bincount(cell, weights=weight, minlength=high * wide)
    total = np.bincount(cell, weights=weight * heights[inside], minlength=high * wide)
    seen = (count > 0) & (count >= least)
    found = np.where(seen, total / np.where(seen, count, 1.0), np.nan)
    return found.reshape(high, wide)[REGION].astype(np.float32)


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
