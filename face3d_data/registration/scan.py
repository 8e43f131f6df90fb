"""Scan that a template is fitted to: points thinned evenly, each with the plane of its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from face3d_data.geometry.normals import mean_and_scatter
from face3d_data.registration.tint import tints

RADIUS_MM = 150.0
"""Points farther from the nose tip are no face."""
CELL_MM = 1.6
"""Of the points in a cell of this size their mean is kept."""
NEIGHBOURS = 12
LEAST_POINTS = 60
HEAD_MM = np.array([0.0, -20.0, -110.0])
"""A place inside the head: normals look away from it."""


@dataclass(frozen=True, eq=False)
class Scan:
    """What a template is fitted to.

    Attributes:
        points: f8 (N, 3), mm, face frame: centres of the neighbours, which evens out noise.
        normals: f8 (N, 3), unit, outwards.
        skin: bool (N,), False where the point is known to be something worn.
        tree: over `points`.
        spacing_mm: median distance of neighbours.
        tint: f8 (N, 3), of `tint.tints`, averaged over neighbours; None where the points have no colour.
    """

    points: np.ndarray
    normals: np.ndarray
    skin: np.ndarray
    tree: cKDTree
    spacing_mm: float
    tint: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class NearScan:
    """What a scan has near each vertex.

    Attributes:
        offset: f8 (V,), mm along the scan's normal from the vertex to the plane; positive: the scan is in front.
        normals: f8 (V, 3), the plane's normal.
        slide_mm: f8 (V,), how far beside the vertex the scan's point is.
        facing: f8 (V,), cosine between the normals.
        skin: bool (V,), not labelled as worn.
        index: int (V,), the scan's point.
    """

    offset: np.ndarray
    normals: np.ndarray
    slide_mm: np.ndarray
    facing: np.ndarray
    skin: np.ndarray
    index: np.ndarray


def prepare_scan(
    points: np.ndarray, occlusion: np.ndarray | None = None, colors: np.ndarray | None = None
) -> Scan | None:
    """Thin points and fit a plane to each one's neighbours.

    Args:
        points: (N, 3), finite, mm, face frame.
        occlusion: u1 (N,), 0 = skin, or None.
        colors: u1 (N, 3), RGB, or None.

    Returns:
        The scan, or None where too few different points are near the face.
    """
    near = np.einsum("ij,ij->i", points, points) < RADIUS_MM**2
    points = points[near].astype(np.float64)
    skin = np.ones(len(points), bool) if occlusion is None else occlusion[near] == 0
    values = points if colors is None else np.concatenate([points, colors[near]], axis=1)
    values, skin = _thinned(values, skin)
    points = values[:, :3]
    if len(points) < LEAST_POINTS:
        return None
    rough = cKDTree(points)
    distance, index = rough.query(points, k=NEIGHBOURS)
    mean, scatter = mean_and_scatter(points, index)
    _, vectors = np.linalg.eigh(scatter)
    normals = vectors[:, :, 0]
    # Only along the normal: at a border the mean of the neighbours lies farther in.
    points = points + normals * np.einsum("ij,ij->i", mean, normals)[:, None]
    normals[np.einsum("ij,ij->i", normals, points - HEAD_MM) < 0] *= -1
    tint = None if colors is None else tints(values[:, 3:])[index].mean(axis=1)
    return Scan(points, normals, skin, cKDTree(points), float(np.median(distance[:, 1:4])), tint)


def _thinned(values: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the rows of each cell, place first, and whether they are skin; cells hold one or the other."""
    if not len(values):
        return values, skin
    cell = np.floor((values[:, :3] + 2 * RADIUS_MM) / CELL_MM).astype(np.int64)
    side = int(4 * RADIUS_MM / CELL_MM)
    key = ((cell[:, 0] * side + cell[:, 1]) * side + cell[:, 2]) * 2 + skin
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(key[order]) != 0))
    count = np.diff(np.append(starts, len(key)))
    return np.add.reduceat(values[order], starts, axis=0) / count[:, None], skin[order][starts]


def match(scan: Scan, vertices: np.ndarray, normals: np.ndarray) -> NearScan:
    """Return what the scan has next to vertices (V, 3) with normals (V, 3)."""
    _, index = scan.tree.query(vertices)
    planes = scan.normals[index]
    apart = scan.points[index] - vertices
    offset = np.einsum("ij,ij->i", apart, planes)
    beside = np.linalg.norm(apart - offset[:, None] * planes, axis=1)
    facing = np.einsum("ij,ij->i", planes, normals)
    return NearScan(offset, planes, beside, facing, scan.skin[index], index)
