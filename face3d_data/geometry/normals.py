"""Surface normals and curvature by principal component analysis of each point's neighbours."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.nearest import NearestPoints

BLOCK = 1 << 16
"""Points whose neighbours are held at once."""


def normals_and_curvature(points: np.ndarray, k: int, viewpoint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit normals turned towards the viewer, and the surface variation.

    Surface variation is the smallest eigenvalue's share of the neighbours' covariance, 0 on a plane and 1/3 where
    nothing is a surface (Pauly, Gross and Kobbelt 2002, Efficient Simplification of Point-Sampled Surfaces).

    Args:
        points: f4 (N, 3), N ≥ 3, finite, mm.
        k: neighbours that count, the point itself included; N where it is more.
        viewpoint: (3,), the camera's place in the frame of the points, mm.

    Returns:
        f4 (N, 3) normals and f4 (N,) surface variation.
    """
    tree = NearestPoints(points)
    exact = tree.points
    normals, variation = np.empty((len(points), 3), np.float32), np.empty(len(points), np.float32)
    for start in range(0, len(points), BLOCK):
        block = slice(start, start + BLOCK)
        _, index = tree.k_nearest(exact[block], min(k, len(points)))
        values, vectors = np.linalg.eigh(mean_and_scatter(exact, index, exact[block])[1])
        found = vectors[:, :, 0]
        away = np.einsum("ij,ij->i", found, points[block] - np.asarray(viewpoint)) > 0
        found[away] *= -1
        total = values.sum(axis=1)
        share = np.divide(values[:, 0], total, out=np.zeros(len(total)), where=total > 0)
        normals[block], variation[block] = found, np.maximum(share, 0)
    return normals, variation


def mean_and_scatter(
    points: np.ndarray, index: np.ndarray, around: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each point's neighbours and their scatter about it.

    Offsets from the point itself are small numbers, so that the mean may be taken off at the end; coordinates apart,
    this is three times as fast as centring (N, k, 3) neighbours.

    Args:
        points: f8 (N, 3).
        index: int (M, k), each point's neighbours.
        around: f8 (M, 3), the points that have them; None: all, in order.

    Returns:
        f8 (M, 3) means, relative to each point, and f8 (M, 3, 3) sums of products.
    """
    around = points if around is None else around
    offsets = [np.take(points[:, axis], index) - around[:, axis, None] for axis in range(3)]
    means = [offset.mean(axis=1) for offset in offsets]
    scatter = np.empty((len(around), 3, 3))
    for i in range(3):
        for j in range(i, 3):
            products = np.einsum("nk,nk->n", offsets[i], offsets[j])
            scatter[:, i, j] = scatter[:, j, i] = products - index.shape[1] * means[i] * means[j]
    return np.stack(means, axis=1), scatter


def mesh_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return a mesh's unit vertex normals: its triangles' normals, each weighted by its area.

    Args:
        vertices: (V, 3).
        triangles: int (T, 3), counter-clockwise seen from outside.

    Returns:
        f4 (V, 3), outwards; zeros at vertices without a triangle.
    """
    # Coordinates apart: twice as fast as (T, 3) vectors.
    corners = np.ascontiguousarray(np.asarray(vertices, np.float64).T)
    first, along, across = (corners[:, column] for column in np.asarray(triangles).T)
    along -= first
    across -= first
    flat = np.asarray(triangles).T.ravel()
    normals = np.empty((len(vertices), 3))
    for i in range(3):
        area = along[i - 2] * across[i - 1] - along[i - 1] * across[i - 2]
        normals[:, i] = np.bincount(flat, np.tile(area, 3), minlength=len(vertices))
    length = np.sqrt(np.einsum("vi,vi->v", normals, normals))
    return (normals / np.maximum(length, 1e-12)[:, None]).astype(np.float32)
