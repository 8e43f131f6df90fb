"""What does not belong to a scanned face: flying pixels, statistical outliers, loose pieces.

One search for each point's nearest neighbours (the costly part) feeds all three, `Neighbours`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

ALONG_RAY = 0.35
"""Mean squared cosine of the ray to a point's neighbours: 0.5 in a curtain along the ray, 0 on a surface across it."""


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other points of every point.

    Attributes:
        index: int (N, k), nearest first.
        distance: f8 (N, k), mm.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest_neighbours(points: np.ndarray, k: int) -> Neighbours:
    """Find the k nearest other points of every point.

    Args:
        points: (N, 3), finite.
        k: number of neighbours; fewer are given where N - 1 is smaller.
    """
    k = min(k, len(points) - 1)
    if k < 1:
        empty = np.zeros((len(points), 0))
        return Neighbours(empty.astype(np.intp), empty)
    # An unbalanced tree is built twice as fast and, on a depth image's even spread, searched as fast.
    tree = cKDTree(points, leafsize=24, balanced_tree=False, compact_nodes=False)
    distance, index = tree.query(points, k=k + 1)
    return Neighbours(index[:, 1:], distance[:, 1:])


def flying_pixels(points: np.ndarray, neighbours: Neighbours, viewpoint: np.ndarray, gap_mm: float) -> np.ndarray:
    """Mark points that hang between two surfaces: sparse, and with neighbours before and behind them.

    At an edge a depth camera mixes near and far into readings spread along the line of sight: a thin curtain, seen
    edge-on. With pixels s mm apart and a step of G mm, its points have neighbours about sqrt(2.5 s G) apart (8 of
    them), where on a surface of slope t they are 1.6 s (1 + t²)^¼ apart: at 1.2 mm and 6 mm, surfaces steeper than 84°
    are taken for curtains. Lonely points beside the face are no curtain: those have neighbours across the ray.

    Args:
        points: f4 (N, 3), mm.
        neighbours: of these points.
        viewpoint: (3,), the camera's place in the frame of the points, mm.
        gap_mm: the middle one of a flying pixel's neighbours is farther than this.

    Returns:
        bool (N,), True for flying pixels.
    """
    if not neighbours.index.shape[1]:
        return np.zeros(len(points), bool)
    # Only points whose middle neighbour is that far away can be flying: few, so the rest is spared.
    suspects = np.flatnonzero(neighbours.distance[:, neighbours.distance.shape[1] // 2] > gap_mm)
    rays = points[suspects] - np.asarray(viewpoint, np.float32)
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-6)
    offsets = points[neighbours.index[suspects]] - points[suspects, None]
    along = np.einsum("nkj,nj->nk", offsets, rays)
    squares = np.maximum(np.einsum("nkj,nkj->nk", offsets, offsets), 1e-12)
    flying = np.zeros(len(points), bool)
    flying[suspects[np.mean(along**2 / squares, axis=1) > ALONG_RAY]] = True
    return flying


def statistical_outliers(neighbours: Neighbours, std_ratio: float) -> np.ndarray:
    """Mark points that are lonelier than most, by the mean distance to their neighbours.

    A point is an outlier where that mean exceeds the cloud's average of it by `std_ratio` standard deviations
    (Rusu et al. 2008, Towards 3D Point Cloud Based Object Maps for Household Environments, section 4.1).

    Returns:
        bool (N,), True for outliers.
    """
    if not neighbours.distance.shape[1]:
        return np.zeros(len(neighbours.distance), bool)
    mean = neighbours.distance.mean(axis=1)
    return mean > mean.mean() + std_ratio * mean.std()


def largest_component(neighbours: Neighbours, kept: np.ndarray, max_gap_mm: float) -> np.ndarray:
    """Mark the points of the largest piece whose neighbouring points are no more than a gap apart.

    Args:
        neighbours: of all points.
        kept: bool (N,): only these points count, and connect.
        max_gap_mm: neighbours farther apart than this do not connect, mm.

    Returns:
        bool (N,), True in the largest piece; of equally large ones, the one that holds the first point.
    """
    n_points, k = neighbours.index.shape
    itself = np.arange(n_points, dtype=np.int32)[:, None]
    near = (neighbours.distance <= max_gap_mm) & kept[neighbours.index] & kept[:, None]
    # An edge that does not count points back to its own start: so rows keep their length and need no sorting.
    ends = np.where(near, neighbours.index.astype(np.int32), itself).ravel()
    starts = np.arange(n_points + 1, dtype=np.int32) * np.int32(k)
    graph = csr_array((np.ones(len(ends), np.int8), ends, starts), shape=(n_points, n_points))
    _, labels = connected_components(graph, directed=True, connection="weak")
    sizes = np.bincount(labels[kept], minlength=1)
    return kept & (labels == int(sizes.argmax()))
