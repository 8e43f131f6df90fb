"""Surface normals and curvature by principal component analysis of each point's neighbours."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


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
    _, index = cKDTree(points).query(points, k=min(k, len(points)))
    neighbours = points[index].astype(np.float64)
    neighbours -= neighbours.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(neighbours.transpose(0, 2, 1) @ neighbours)
    normals = vectors[:, :, 0]
    away = np.einsum("ij,ij->i", normals, points - np.asarray(viewpoint)) > 0
    normals[away] *= -1
    total = values.sum(axis=1)
    variation = np.divide(values[:, 0], total, out=np.zeros(len(points)), where=total > 0)
    return normals.astype(np.float32), np.maximum(variation, 0).astype(np.float32)
