"""Surface normals and curvature by principal component analysis of each point's neighbours."""

from __future__ import annotations

import numpy as np


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
    from scipy.spatial import cKDTree

    _, index = cKDTree(points).query(points, k=min(k, len(points)))
    values, vectors = np.linalg.eigh(mean_and_scatter(points.astype(np.float64), index)[1])
    normals = vectors[:, :, 0]
    away = np.einsum("ij,ij->i", normals, points - np.asarray(viewpoint)) > 0
    normals[away] *= -1
    total = values.sum(axis=1)
    variation = np.divide(values[:, 0], total, out=np.zeros(len(points)), where=total > 0)
    return normals.astype(np.float32), np.maximum(variation, 0).astype(np.float32)


def mean_and_scatter(points: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each point's neighbours and their scatter about it.

    Offsets from the point itself are small numbers, so that the mean may be taken off at the end; coordinates apart,
    this is three times as fast as centring (N, k, 3) neighbours.

    Args:
        points: f8 (N, 3).
        index: int (N, k), each point's neighbours.

    Returns:
        f8 (N, 3) means, relative to each point, and f8 (N, 3, 3) sums of products.
    """
    offsets = [np.take(points[:, axis], index) - points[:, axis, None] for axis in range(3)]
    means = [offset.mean(axis=1) for offset in offsets]
    scatter = np.empty((len(points), 3, 3))
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
