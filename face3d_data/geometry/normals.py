"""Surface normals and curvature by principal component analysis of each point's neighbours."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.nearest import NearestPoints

LEAST_CROSS = 1e-4
"""Cross products of rows shorter than this, of 3 at most, have lost half of their digits."""
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
        scatter = mean_and_scatter(exact, index, exact[block])[1]
        found, least = thinnest(scatter)
        away = np.einsum("ij,ij->i", found, points[block] - np.asarray(viewpoint)) > 0
        found[away] *= -1
        total = np.trace(scatter, axis1=1, axis2=2)
        share = np.divide(least, total, out=np.zeros(len(total)), where=total > 0)
        normals[block], variation[block] = found, np.maximum(share, 0)
    return normals, variation


def thinnest(scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the direction in which neighbours vary least, and how much.

    The eigenvalue in closed form (Smith 1961, Eigenvalues of a symmetric 3 x 3 matrix, Communications of the ACM 4(4)),
    the vector as the cross product of two rows; where these are nearly parallel, as on a line, by LAPACK.

    Args:
        scatter: f8 (N, 3, 3), symmetric.

    Returns:
        f8 (N, 3) unit eigenvectors of the smallest eigenvalues, of either sign, and f8 (N,) these.
    """
    xx, xy, xz, yy, yz, zz = (scatter[:, i, j] for i in range(3) for j in range(i, 3))
    mean = (xx + yy + zz) / 3
    size = np.sqrt(((xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2 * (xy**2 + xz**2 + yz**2)) / 6)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, z, a, b, c = ((value / size) for value in (xx - mean, yy - mean, zz - mean, xy, xz, yz))
        half = (x * (y * z - c * c) - a * (a * z - c * b) + b * (a * c - y * b)) / 2
        least = 2 * np.cos(np.arccos(np.clip(half, -1, 1)) / 3 + 2 * np.pi / 3)
        rows = np.array([[x - least, a, b], [a, y - least, c], [b, c, z - least]])
        crosses = np.array([_cross(rows[i - 2], rows[i - 1]) for i in range(3)])
        squares = (crosses**2).sum(axis=1)
        longest = squares.argmax(axis=0)
        at = np.arange(len(scatter))
        length = np.sqrt(squares[longest, at])
        found = (crosses[longest, :, at].T / length).T
    values = mean + size * least
    poor = np.flatnonzero(~(length > LEAST_CROSS))
    if len(poor):
        exact, vectors = np.linalg.eigh(scatter[poor])
        found[poor], values[poor] = vectors[:, :, 0], exact[:, 0]
    return found, values


def _cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cross products (3, N) of vectors (3, N)."""
    return np.array([one[i - 2] * other[i - 1] - one[i - 1] * other[i - 2] for i in range(3)])


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
