"""Depth registration: the depth of one camera as seen by one next to it; the nearest reading in a pixel counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.camera import depth_to_points, project, slopes

WIDEST_PX = 16
"""Most pixels across that one reading covers: a colour image is a few times finer than its depth image."""


@dataclass(frozen=True)
class CalibratedCamera:
    """A camera: `intrinsics` (4,) px, `distortion` (13,) or None, `shape` height and width of its image."""

    intrinsics: np.ndarray
    distortion: np.ndarray | None
    shape: tuple[int, int]


def register_depth(
    depth: np.ndarray,
    seen_by: CalibratedCamera,
    seen_from: CalibratedCamera,
    rotation: np.ndarray,
    translation_mm: np.ndarray,
) -> np.ndarray:
    """Return a depth image as another camera sees it.

    A reading covers the pixels that its own pixel covers there, from corner to corner, so that a finer image has no
    holes between readings. Where several fall on a pixel, the nearest hides the others.

    Args:
        depth: f4 (H, W), mm along the optical axis, 0 = no reading.
        seen_by: the depth's camera; its shape is that of `depth`.
        seen_from: the other camera.
        rotation: (3, 3), from the depth camera's frame to the other's.
        translation_mm: (3,), mm.

    Returns:
        f4 (H', W') of the other camera, mm along its axis, 0 = no reading.
    """
    points, pixels = depth_to_points(depth, seen_by.intrinsics, distortion=seen_by.distortion)
    v, u = np.divmod(pixels, depth.shape[1])
    z = points[:, 2].astype(np.float64)
    corners = []
    for off in (-0.5, 0.5):
        rays = slopes(np.stack([u + off, v + off], axis=1), seen_by.intrinsics, seen_by.distortion)
        moved = np.column_stack([rays * z[:, None], z]) @ np.asarray(rotation).T + np.asarray(translation_mm)
        seen = project(moved, seen_from.intrinsics, seen_from.distortion)
        seen[~(moved[:, 2] > 0)] = np.nan
        corners.append(seen)
    moved_z = (points.astype(np.float64) @ np.asarray(rotation).T + np.asarray(translation_mm))[:, 2]
    return _splat(np.minimum(*corners), np.maximum(*corners), moved_z, seen_from.shape)


def _splat(low: np.ndarray, high: np.ndarray, z: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the nearest z in each pixel whose centre is in a reading's rectangle, low to high (N, 2), px."""
    height, width = shape
    good = np.isfinite(low).all(axis=1) & np.isfinite(high).all(axis=1) & (z > 0)
    good &= (high > -0.5).all(axis=1) & (low < np.array([width, height])).all(axis=1)
    first = np.ceil(low[good]).astype(np.int64)
    last = np.ceil(high[good]).astype(np.int64) - 1  # half open, so that neighbours do not overlap
    # A coarser image: a reading between centres counts in the pixel that it lies in.
    between = last < first
    first = np.where(between, np.floor((low[good] + high[good]) / 2 + 0.5).astype(np.int64), first)
    last = np.minimum(np.where(between, first, last), first + WIDEST_PX - 1)
    nearest = np.full(height * width, np.inf)
    across, down = (last - first).max(axis=0, initial=0)
    for dy in range(down + 1):
        for dx in range(across + 1):
            x, y = first[:, 0] + dx, first[:, 1] + dy
            inside = (x <= last[:, 0]) & (y <= last[:, 1]) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            np.minimum.at(nearest, y[inside] * width + x[inside], z[good][inside])
    return np.where(np.isfinite(nearest), nearest, 0).astype(np.float32).reshape(shape)
