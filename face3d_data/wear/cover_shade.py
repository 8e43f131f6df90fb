"""Self-shading of an occluder: where it blocks its lamp, and where it has hollows."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.camera import Region
from face3d_data.wear.cover_depth import Sight
from face3d_data.wear.light import Light
from face3d_data.wear.occluder import Occluder

START_MM = 1.5
"""Rays to the lamp start so far before the surface: a mesh's own facets cast no shadow."""
PENUMBRA_MM = 2.5
LATTICE_MM = 0.45
"""Of pixels this narrow, every other one of every other row asks for the lamp: its penumbra is wider than ten."""
HOLLOW_MM = 5.0
DARKER_PER_MM = 0.07
WIDE_PX = 8.0
OPENNESS = (0.6, 1.05)


def self_shading(
    occluder: Occluder, sight: Sight, box: Region, to_face: np.ndarray, light: Light, mm_per_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of the lamp, and of the light from everywhere, reaches the pixels of a box, f4 (h, w) each.

    Hollows are found from the depth relative to its mean over the surroundings (Luft, Colditz and Deussen 2006, Image
    Enhancement by Unsharp Masking the Depth Buffer).

    Args:
        occluder: the occluder.
        sight: of whole pixels in the box.
        box: the pixels.
        to_face: (4, 4), camera frame to face frame.
        light: the light, camera frame.
        mm_per_px: width of a pixel on the occluder.
    """
    x0, y0, x1, y1 = box
    column, row = (sight.pixels - [x0, y0]).astype(np.intp).T
    on, z, lamp, lit = np.zeros((4, y1 - y0, x1 - x0), np.float32)
    on[row, column] = 1
    z[row, column] = sight.hits.t - sight.hits.t.mean() if len(row) else 0
    some = np.arange(len(row))
    if mm_per_px <= LATTICE_MM:
        some = np.flatnonzero((row % 2 == 0) & (column % 2 == 0))
    lit[row[some], column[some]] = 1
    lamp[row[some], column[some]] = _lamp_reaches(occluder, sight.take(some), to_face, light)
    lamp = _spread(lamp, lit, PENUMBRA_MM / mm_per_px)
    hollow = on * (z - _spread(z, on, HOLLOW_MM / mm_per_px))
    return lamp, np.clip(1 - DARKER_PER_MM * hollow, *OPENNESS).astype(np.float32)


def _lamp_reaches(occluder: Occluder, sight: Sight, to_face: np.ndarray, light: Light) -> np.ndarray:
    """Return f4 (N,), 1 where nothing of the occluder is between a place and the lamp, else 0."""
    toward = np.asarray(light.toward, np.float32)
    along = sight.rays[:, 3:].T
    length = np.sqrt(along[0] * along[0] + along[1] * along[1] + along[2] * along[2])
    rays = np.empty(sight.rays.shape, np.float32)
    for axis in range(3):
        # Off the surface towards the viewer: normals that carry relief would start some rays under the mesh.
        rays[:, axis] = along[axis] * sight.hits.t + np.float32(START_MM) * (toward[axis] - along[axis] / length)
    rays[:, 3:] = toward
    return (~occluder.cast(rays, to_face).found).astype(np.float32)


def _spread(values: np.ndarray, on: np.ndarray, sigma_px: float) -> np.ndarray:
    """Return values smoothed over the pixels that are on."""
    import cv2

    size = values.shape[::-1]
    total, weight = values * on, on
    if sigma_px > WIDE_PX:
        # So wide a mean of half the pixels is that of all.
        half = (-(-size[0] // 2), -(-size[1] // 2))
        total, weight = (cv2.resize(image, half, interpolation=cv2.INTER_AREA) for image in (total, weight))
        sigma_px /= 2
    total, weight = (cv2.GaussianBlur(image, (0, 0), sigma_px) for image in (total, weight))
    mean = total / np.maximum(weight, np.float32(1e-3))
    return mean if total.shape == values.shape else cv2.resize(mean, size, interpolation=cv2.INTER_LINEAR)
