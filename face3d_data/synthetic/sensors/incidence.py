"""Incidence of viewing rays on the surfaces of a depth map, its edges, and blurs that do not cross them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

MOST_RAD = np.deg2rad(85.0)


def incidence_rad(depth_mm: np.ndarray, focal_px: float) -> np.ndarray:
    """Return the angle f4 (H, W) between each pixel's viewing ray and the surface's normal, 0 to 85 degrees.

    Args:
        depth_mm: f4 (H, W), 0 = nothing; next to nothing, and at jumps, the angle is the largest.
        focal_px: focal length; rays are taken as parallel, which is exact in the middle of an image.
    """
    squared = np.zeros(depth_mm.shape, np.float32)
    flatter = np.empty(depth_mm.shape, np.float32)
    for axis in (0, 1):
        step = np.abs(np.diff(depth_mm, axis=axis))
        low, high = _neighbours(axis)
        # The flatter side counts: a pixel beside an edge still lies on its own surface.
        flatter.fill(np.inf)
        flatter[high] = step
        np.minimum(flatter[low], step, out=flatter[low])
        squared += np.square(flatter, out=flatter)
    pixel_mm = np.maximum(depth_mm, 1.0) / focal_px
    slope = np.divide(np.sqrt(squared, out=squared), pixel_mm, out=squared)
    return np.minimum(np.arctan(slope, out=slope), MOST_RAD).astype(np.float32)


def largest_jump(depth_mm: np.ndarray) -> np.ndarray:
    """Return the largest difference f4 (H, W), mm, to one of the four neighbours."""
    jump = np.zeros(depth_mm.shape, np.float32)
    for axis in (0, 1):
        step = np.abs(np.diff(depth_mm, axis=axis))
        for side in _neighbours(axis):
            jump[side] = np.maximum(jump[side], step)
    return jump


def surface_mean(depth_mm: np.ndarray, sigma_px: float, within_mm: float) -> np.ndarray:
    """Return the mean f4 (H, W) of the readings around each pixel, by a Gaussian; itself where that is far off.

    Args:
        depth_mm: f4 (H, W), 0 = nothing, which has no part in a mean.
        sigma_px: of the Gaussian.
        within_mm: a mean farther off than this mixes two surfaces.
    """
    valid = (depth_mm > 0).astype(np.float32)
    weight = gaussian_filter(valid, sigma_px, truncate=2.5)
    mean = gaussian_filter(depth_mm, sigma_px, truncate=2.5) / np.maximum(weight, 1e-3)
    return np.where((valid > 0) & (np.abs(mean - depth_mm) <= within_mm), mean, depth_mm).astype(np.float32)


def _neighbours(axis: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    low, high, every = slice(None, -1), slice(1, None), slice(None)
    return ((low, every), (high, every)) if axis == 0 else ((every, low), (every, high))
