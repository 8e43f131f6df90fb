"""Surface sampling: evenly distributed points on a triangle mesh, and its vertices as points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.normals import mesh_normals
from face3d_data.geometry.sampling import distinct

_STEPS = (0.7548776662466927, 0.5698402909980532)
"""1/p and 1/p**2 of the plastic number p: multiples of these fill a square evenly (Roberts 2018, the R2 sequence)."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points of a surface.

    Attributes:
        points: f8 (N, 3).
        normals: f4 (N, 3), unit, outwards by the triangles' winding.
        colors: u1 (N, 3), or None where the vertices have none.
    """

    points: np.ndarray
    normals: np.ndarray
    colors: np.ndarray | None


def face_normals(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return triangles' areas f8 (T,) and unit normals f8 (T, 3); zeros where a triangle has no area.

    Args:
        vertices: f8 (V, 3).
        triangles: int (T, 3), counter-clockwise seen from outside.
    """
    first = vertices[triangles[:, 0]]
    cross = np.cross(vertices[triangles[:, 1]] - first, vertices[triangles[:, 2]] - first)
    length = np.sqrt((cross**2).sum(axis=1))
    return length / 2, cross / np.where(length > 0, length, 1.0)[:, None]


def sample_surface(
    vertices: np.ndarray, triangles: np.ndarray, n_points: int, colors: np.ndarray | None = None
) -> SurfacePoints:
    """Return points spread over a surface, as many on each piece as its area asks for; the same every time.

    Triangles are laid end to end by area, and a point is taken at the middle of each of `n_points` equal parts; where
    in its triangle it lies, a fixed sequence says. So a triangle gets what is due to it to within one point.

    Args:
        vertices: f8 (V, 3), finite.
        triangles: int (T, 3).
        n_points: how many.
        colors: u1 (V, 3), blended between the three corners.

    Raises:
        ValueError: the surface has no area.
    """
    areas, normals = face_normals(vertices, triangles)
    ends = np.cumsum(areas)
    total = float(ends[-1]) if len(ends) else 0.0
    if not 0 < total < np.inf:
        raise ValueError("its faces have no area")
    number = np.arange(n_points, dtype=np.float64)
    # Not beyond the last triangle that has an area, though the last middle may be rounded to the end.
    chosen = np.minimum(np.searchsorted(ends, (number + 0.5) / n_points * total, side="right"), np.argmax(ends))
    along, across = ((number * step) % 1.0 for step in _STEPS)
    outside = along + across > 1
    along, across = np.where(outside, 1 - along, along), np.where(outside, 1 - across, across)
    weights = np.stack([1 - along - across, along, across], axis=1)
    corners = triangles[chosen]
    points = np.einsum("nk,nkd->nd", weights, vertices[corners])
    blended = None
    if colors is not None:
        blended = np.rint(np.einsum("nk,nkd->nd", weights, colors[corners].astype(np.float64))).astype(np.uint8)
    return SurfacePoints(points, normals[chosen].astype(np.float32), blended)


def surface_vertices(vertices: np.ndarray, triangles: np.ndarray, colors: np.ndarray | None = None) -> SurfacePoints:
    """Return a mesh's vertices in their order, each position once, with the mean normal of the triangles around it.

    Vertices without a triangle of positive area are left out: they have no normal.

    Args:
        vertices: f8 (V, 3), finite.
        triangles: int (T, 3).
        colors: u1 (V, 3); of vertices at the same position the first one's.

    Raises:
        ValueError: no vertex is left.
    """
    if not distinct(vertices):
        # STL gives each triangle its own vertices, and seams of textures give a vertex twice.
        _, first, place = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        vertices, triangles = vertices[first[order]], rank[place.reshape(-1)][triangles]
        colors = None if colors is None else colors[first[order]]
    normals = mesh_normals(vertices, triangles)
    kept = (normals**2).sum(axis=1) > 0.5
    if not kept.any():
        raise ValueError("its faces have no area")
    return SurfacePoints(vertices[kept], normals[kept], None if colors is None else colors[kept])
