"""Visibility of the points of a scan to another camera: those that face it and are not occluded."""

from __future__ import annotations

import numpy as np

from face3d_data.augment.raster import PointsInView, own_raster
from face3d_data.geometry.nearest import NearestPoints
from face3d_data.geometry.normals import mean_and_scatter, thinnest

NEIGHBOURS = 16
"""Points to a plane. The planes are what is tested: noise of single points, along the old rays, would hide or show."""
BIAS_MM = 3.0
STEEP_MM = 8.0
"""However steep a surface is, two of its points in one pixel are no farther apart than this and the bias."""
PIXEL_REACH = 0.7
"""Distance of a point in a pixel from another there, in pixels: half a diagonal."""


def visible(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return which points of a surface a new camera sees, of those that the old one saw.

    Each point is laid into the plane of its neighbours. It is hidden where that plane turns its back on the new camera,
    or where another point in the same pixel is nearer by more than the plane's slope explains: a z-buffer whose pixels
    are as wide as points lie apart. Surfaces that the old camera did not see cannot hide anything.

    Args:
        points: f8 (N, 3), mm, finite, in the old camera's frame, z > 0.
        motion: (4, 4), rigid, old camera's frame to the new one's.

    Returns:
        bool (N,).
    """
    if len(points) < 3:
        return np.ones(len(points), bool)
    spacing_mm, flat, normals = neighbour_planes(points)
    flat = flat @ motion[:3, :3].T + motion[:3, 3]
    faces = -np.einsum("ij,ij->i", normals @ motion[:3, :3].T, flat)
    cosine = faces / np.maximum(np.linalg.norm(flat, axis=1), 1e-6)
    before = np.isfinite(flat).all(axis=1) & (flat[:, 2] > 0) & (cosine > 0)
    if not before.any():
        return before
    seen = PointsInView(np.eye(4), flat, before)
    depth = seen.depths()
    raster = own_raster(seen, max(spacing_mm, 1e-3) / float(np.median(depth[before])))
    nearest = raster.nearest(depth).ravel()[raster.pixel]
    slope = np.sqrt(np.maximum(1 - cosine**2, 0)) / np.maximum(cosine, 1e-3)
    allowed = BIAS_MM + np.minimum(PIXEL_REACH * spacing_mm * slope, STEEP_MM)
    return before & (depth <= nearest + allowed)


def neighbour_planes(points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return how far points lie apart, where they are in the planes of their neighbours, and these planes' normals.

    Args:
        points: f8 (N, 3), N ≥ 2, mm, seen from the origin.

    Returns:
        The median distance to the nearest other point in mm, f8 (N, 3) places, f8 (N, 3) normals towards the origin.
    """
    distance, index = NearestPoints(points).k_nearest(points, min(NEIGHBOURS, len(points)))
    mean, scatter = mean_and_scatter(points, index)
    normals = thinnest(scatter)[0]
    normals *= -np.sign(np.einsum("ij,ij->i", normals, points))[:, None]
    flat = points + normals * np.einsum("ij,ij->i", normals, mean)[:, None]
    return float(np.median(distance[:, 1])), flat, normals
