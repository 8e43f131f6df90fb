"""Relief of a face in a depth image: how far it stands out of the plane that a photograph of it would lie in."""

from __future__ import annotations

import numpy as np

CELLS = 12
LEAST_CELLS = 40
MOST_PIXELS = 4000
BAND_MM = 80.0
"""Readings farther from the median are hair in front, a hand, or the background."""


def relief_mm(depth: np.ndarray, landmarks: np.ndarray) -> float | None:
    """Return how far the surface round five landmarks departs from a plane, None where too little was read to tell.

    A plane is linear in 1 / z over the pixels of a pinhole. What remains of the fit is averaged in 12 x 12 cells, which
    takes the noise out; returned is the distance between their 5th and 95th percentile.

    Args:
        depth: f4 (H, W), mm along the optical axis, 0 = no reading.
        landmarks: (5, 2), px.
    """
    low, high = landmarks.min(axis=0).astype(np.float64), landmarks.max(axis=0).astype(np.float64)
    margin = 0.15 * (high - low)
    height, width = depth.shape
    x0, y0 = np.clip(np.floor(low - margin), 0, [width, height]).astype(int)
    x1, y1 = np.clip(np.ceil(high + margin) + 1, 0, [width, height]).astype(int)
    step = max(1, int(np.sqrt(max(1, (y1 - y0) * (x1 - x0)) / MOST_PIXELS)))
    part = depth[y0:y1:step, x0:x1:step].astype(np.float64)
    rows, columns = np.nonzero(part > 0)
    z = part[rows, columns]
    if len(z) < LEAST_CELLS:
        return None
    middle = float(np.median(z))
    kept = np.abs(z - middle) <= BAND_MM
    rows, columns, z = rows[kept], columns[kept], z[kept]
    cell = rows * CELLS // part.shape[0] * CELLS + columns * CELLS // part.shape[1]
    count = np.bincount(cell, minlength=CELLS * CELLS)
    if (count > 0).sum() < LEAST_CELLS:
        return None
    basis = np.stack([columns - columns.mean(), rows - rows.mean(), np.ones(len(z))])
    inverse = 1.0 / z
    plane = np.linalg.lstsq(basis @ basis.T, basis @ inverse, rcond=None)[0]
    off_mm = (inverse - plane @ basis) * middle**2
    means = np.bincount(cell, off_mm, CELLS * CELLS)[count > 0] / count[count > 0]
    few, most = np.percentile(means, [5, 95])
    return float(most - few)
