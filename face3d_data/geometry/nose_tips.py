"""Points that may be the tip of a nose: the foremost round about, and standing out of what surrounds them."""

from __future__ import annotations

from functools import cache

import numpy as np

CELL_MM = 6.0
PEAK_CELLS = 4
"""A nose tip is the foremost point within this many cells."""
RING_MM = (28.0, 55.0)
STANDS_OUT_MM = (6.0, 70.0)
"""A nose tip lies so far before the median of what surrounds it at `RING_MM`."""
FEWEST_ROUND = 20
"""Cells of the ring with points in them; fewer surround nothing."""
PEAKS, FOREMOST = 10, 4
"""How many are tried at most: those that stand out most, and the foremost ones."""
REACH_MM = 4000.0
"""What is seen farther than this to a side of the middle is not searched: the map would have no bounds."""


def nose_tips(turned: np.ndarray) -> np.ndarray:
    """Return what may be nose tips, f8 (P, 3), P ≤ 14, those that stand out most first.

    Args:
        turned: f8 (N, 3), N ≥ 1, mm, the z axis towards the viewer.
    """
    import cv2

    x, y, z = np.ascontiguousarray(turned.T)  # coordinates apart: several times as fast
    if max(np.ptp(x), np.ptp(y)) > REACH_MM:
        near = (np.abs(x - np.median(x)) <= REACH_MM) & (np.abs(y - np.median(y)) <= REACH_MM)
        turned, x, y, z = turned[near], x[near], y[near], z[near]
        if not len(x):
            return turned
    height, which = _foremost(x, y, z)
    top = cv2.dilate(height, np.ones((2 * PEAK_CELLS + 1,) * 2, np.uint8))
    # Most cells of a wall are as high as their neighbours: where all is at least so high, nothing stands out.
    around = np.ones((2 * int(RING_MM[1] / CELL_MM) + 1,) * 2, np.uint8)
    low = cv2.erode(np.where(np.isinf(height), np.inf, height), around)
    row, column = np.nonzero(np.isfinite(height) & (height >= top) & (height - low >= STANDS_OUT_MM[0]))
    out = _stands_out(height, row, column)
    tips = np.flatnonzero((out >= STANDS_OUT_MM[0]) & (out <= STANDS_OUT_MM[1]))
    top = height[row[tips], column[tips]]
    # A wall's noise may stand out more than a nose, but not before it.
    first, foremost = np.lexsort((-top, -out[tips]))[:PEAKS], np.lexsort((-out[tips], -top))[:FOREMOST]
    order = tips[list(dict.fromkeys([*first.tolist(), *foremost.tolist()]))]
    return turned[which[row[order], column[order]]]


def _foremost(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a map of the greatest z, f8 (H, W), -inf where no point is, and of the point that has it, int (H, W)."""
    column, row = (((axis - axis.min()) / CELL_MM).astype(np.intp) for axis in (x, y))
    shape = (int(row.max()) + 1, int(column.max()) + 1)
    cell = row * shape[1] + column
    height = np.full(shape[0] * shape[1], -np.inf)
    np.maximum.at(height, cell, z)
    which = np.zeros(len(height), np.intp)
    foremost = np.flatnonzero(z == height[cell])
    which[cell[foremost]] = foremost
    return height.reshape(shape), which.reshape(shape)


@cache
def _ring() -> np.ndarray:
    """Return the steps to the cells of the ring, int (R, 2)."""
    reach = int(RING_MM[1] / CELL_MM)
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    apart_mm = np.hypot(down, across) * CELL_MM
    return np.stack([down, across], axis=1)[(apart_mm >= RING_MM[0]) & (apart_mm <= RING_MM[1])]


def _stands_out(height: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return how far cells lie before the median of the ring round them, f8 (P,), 0 where too little surrounds them."""
    steps = _ring()
    reach = int(np.abs(steps).max())
    wide = np.pad(height, reach, constant_values=-np.inf)
    ring = wide[row[:, None] + steps[:, 0] + reach, column[:, None] + steps[:, 1] + reach]
    ring = -np.sort(-ring, axis=1)  # cells without a point last
    count = np.isfinite(ring).sum(axis=1)
    at, places = np.arange(len(ring)), np.maximum(count - 1, 0)
    median = (ring[at, places // 2] + ring[at, (places + 1) // 2]) / 2
    with np.errstate(invalid="ignore"):
        return np.where(count >= FEWEST_ROUND, height[row, column] - median, 0.0)
