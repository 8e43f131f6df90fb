"""An occluder in a cloud of points: those behind it go, its own come, along the same rays and as dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.camera import project
from face3d_data.geometry.cover_depth import tolerance_mm
from face3d_data.geometry.cover_view import View
from face3d_data.geometry.occluder import Hits, Occluder

REACH_MM = 1000.0
"""Rays start this far before the points, or at the camera: single precision would lose 0.01 mm from afar."""


@dataclass(frozen=True, eq=False)
class NewPoints:
    """What becomes of a cloud.

    Attributes:
        kept: int (K,), indices of the points that stay as they are, in order.
        rays: f4 (M, 6), camera frame, of the new points; directions unit.
        hits: of these rays.
        points: f8 (M, 3), mm, camera frame: the new points.
    """

    kept: np.ndarray
    rays: np.ndarray
    hits: Hits
    points: np.ndarray


def cover_points(
    view: View, depth: np.ndarray | None, silhouette: np.ndarray | None, occluder: Occluder, rng: np.random.Generator
) -> NewPoints:
    """Return which points stay and which come.

    Args:
        view: the view, with points.
        depth: f4 (H, W), its depth with the occluder in it.
        silhouette: bool (H, W), where that shows the occluder.
        occluder: the occluder.
        rng: draws noise.
    """
    hidden, rays, hits = _hidden(view, occluder)
    kept = np.delete(np.arange(len(view.camera_points)), hidden)
    points = rays[:, :3] + hits.t[:, None].astype(np.float64) * rays[:, 3:]
    if depth is not None and silhouette is not None and view.intrinsics is not None:
        rays, hits, points = _read(points, rays, hits, depth, silhouette, view.intrinsics)
    return NewPoints(kept, rays, hits, points)


def rays_through(points: np.ndarray, viewpoint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rays f4 (N, 6) with unit directions towards points (N, 3) and the points' distances along them f8 (N,)."""
    offset = points - viewpoint
    distance = np.linalg.norm(offset, axis=1)
    directions = offset / np.maximum(distance, 1e-9)[:, None]
    along = np.minimum(distance, REACH_MM)
    return np.column_stack([points - along[:, None] * directions, directions]).astype(np.float32), along


def _hidden(view: View, occluder: Occluder) -> tuple[np.ndarray, np.ndarray, Hits]:
    """Return int (M,) indices of hidden points, f4 (M, 6) rays to them and where these meet the occluder."""
    finite = np.flatnonzero(np.isfinite(view.camera_points).all(axis=1))
    rays, distance = rays_through(view.camera_points[finite], view.viewpoint)
    hits = occluder.cast(rays, view.to_face)
    hidden = hits.found & (hits.t - distance <= tolerance_mm(view.noise))
    return finite[hidden], rays[hidden], hits.take(hidden)


def _read(
    points: np.ndarray,
    rays: np.ndarray,
    hits: Hits,
    depth: np.ndarray,
    silhouette: np.ndarray,
    intrinsics: np.ndarray,
) -> tuple[np.ndarray, Hits, np.ndarray]:
    """Return the points at what a depth image reads at their pixels; those without a reading go."""
    pixels = np.rint(project(points, intrinsics)).astype(np.intp)
    height, width = depth.shape
    inside = ((pixels >= 0) & (pixels < [width, height])).all(axis=1)
    chosen = np.flatnonzero(inside)
    u, v = pixels[chosen].T
    readable = silhouette[v, u] & (depth[v, u] > 0)
    chosen = chosen[readable]
    reading = depth[v[readable], u[readable]].astype(np.float64)
    return rays[chosen], hits.take(chosen), points[chosen] * (reading / points[chosen, 2])[:, None]
