"""Outlier removal for scanned faces: flying pixels, statistical outliers, loose pieces.

One search for each point's nearest neighbours (the costly part) feeds the first two, `Neighbours`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from face3d_data.geometry.nearest import NearestPoints

BLOCK = 1 << 16
"""Points whose neighbours are held at once."""
MOST_CELLS = 2_000_000
"""Cubes along an axis, so that a cube's code fits into 64 bits; what is beyond, kilometres away, is one cube."""
HALF_OF_NEIGHBOURS = tuple(
    (x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) > (0, 0, 0)
)
"""Steps to 13 of a cube's 26 neighbours; the others are those of the neighbours to it."""
SAME_DEPTH_MM = 0.02
"""Depths nearer than this are equal: what float32 loses where a cloud was turned, some metres away."""
ALONG_RAY = 0.35
"""Mean squared cosine of the ray to a point's neighbours: 0.5 in a curtain along the ray, 0 on a surface across it."""


@dataclass(frozen=True)
class Neighbours:
    """How far the k nearest other points of every point are; which they are is asked for some (`of`).

    Attributes:
        tree: of the points.
        k: number of neighbours.
        nearest: f8 (N,), mm, distance of the nearest one.
        middle: f8 (N,), mm, distance of the middle one.
        mean: f8 (N,), mm, mean distance of all k.
    """

    tree: NearestPoints
    k: int
    nearest: np.ndarray
    middle: np.ndarray
    mean: np.ndarray

    def of(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return index, int (M, k), nearest first, and distance f8 (M, k) of the neighbours of points (M, 3)."""
        distance, index = self.tree.k_nearest(points, self.k + 1)
        return index[:, 1:], distance[:, 1:]


def nearest_neighbours(points: np.ndarray, k: int) -> Neighbours:
    """Find how far the k nearest other points of every point are, in memory that grows by 24 bytes a point.

    Args:
        points: (N, 3), finite.
        k: number of neighbours; fewer count where N - 1 is smaller.
    """
    k = min(k, len(points) - 1)
    found = Neighbours(NearestPoints(points), k, *np.zeros((3, len(points))))
    for start in range(0, len(points) if k > 0 else 0, BLOCK):
        block = slice(start, start + BLOCK)
        distance = found.of(points[block])[1]
        found.nearest[block], found.middle[block] = distance[:, 0], distance[:, k // 2]
        found.mean[block] = distance.mean(axis=1)
    return found


def depth_step(depth: np.ndarray) -> float:
    """Return the step of a cloud's depth, mm: how far apart its layers of equal depth are, near 0 where there are none.

    It is the median, over points, of the distance from a point's layer to the nearest other one: a wall behind, or
    readings far away, do not change it.

    Args:
        depth: (N,), finite, mm from the camera.
    """
    ordered = np.sort(depth.astype(np.float64))
    gaps = np.diff(ordered)
    ends = np.flatnonzero(gaps > SAME_DEPTH_MM)  # the last point of each layer but the last layer
    if not len(ends):
        return 0.0
    between = np.concatenate([[np.inf], gaps[ends], [np.inf]])
    points = np.diff(np.concatenate([[-1], ends, [len(ordered) - 1]]))
    return float(np.median(np.repeat(np.minimum(between[:-1], between[1:]), points)))


def flying_pixels(points: np.ndarray, neighbours: Neighbours, viewpoint: np.ndarray, gap_mm: float) -> np.ndarray:
    """Mark flying pixels, points between two surfaces: sparse, with neighbours in front of and behind them.

    At an edge a depth camera mixes near and far into readings spread along the line of sight: a thin curtain, seen
    edge-on. With pixels s mm apart and a step of G mm, its points have neighbours about sqrt(2.5 s G) apart (8 of
    them), where on a surface of slope t they are 1.6 s (1 + t²)^¼ apart: at 1.2 mm and 6 mm, surfaces steeper than 84°
    are taken for curtains. Isolated points next to the face do not count: their neighbours are across the ray.

    Args:
        points: f4 (N, 3), mm.
        neighbours: of these points.
        viewpoint: (3,), the camera's position in the frame of the points, mm.
        gap_mm: the median distance of a flying pixel to its neighbours exceeds this.

    Returns:
        bool (N,), True for flying pixels.
    """
    flying = np.zeros(len(points), bool)
    # Only points whose middle neighbour is that far away can be flying: few, so the rest is spared.
    every = np.flatnonzero(neighbours.middle > gap_mm)
    for start in range(0, len(every), BLOCK):
        suspects = every[start : start + BLOCK]
        rays = points[suspects] - np.asarray(viewpoint, np.float32)
        rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-6)
        offsets = points[neighbours.of(points[suspects])[0]] - points[suspects, None]
        along = np.einsum("nkj,nj->nk", offsets, rays)
        squares = np.maximum(np.einsum("nkj,nkj->nk", offsets, offsets), 1e-12)
        flying[suspects[np.mean(along**2 / squares, axis=1) > ALONG_RAY]] = True
    return flying


def statistical_outliers(neighbours: Neighbours, std_ratio: float) -> np.ndarray:
    """Mark outliers by the mean distance to their neighbours.

    A point is an outlier where that mean exceeds the cloud's average of it by `std_ratio` standard deviations
    (Rusu et al. 2008, Towards 3D Point Cloud Based Object Maps for Household Environments, section 4.1).

    Returns:
        bool (N,), True for outliers.
    """
    mean = neighbours.mean
    if neighbours.k < 1:
        return np.zeros(len(mean), bool)
    return np.asarray(mean > mean.mean() + std_ratio * mean.std())


def largest_component(points: np.ndarray, kept: np.ndarray, max_gap_mm: float) -> np.ndarray:
    """Mark the points of the largest piece, pieces being a gap apart.

    Points are put into cubes of half a gap; touching cubes with points in them are one piece. So points nearer than
    half a gap are always joined, and points farther apart than 1.73 gaps never directly, however densely a surface is
    sampled. Where depth has steps, the gap must be twice as large at least.

    Args:
        points: (N, 3), finite, mm.
        kept: bool (N,): only these points count, and connect.
        max_gap_mm: the gap, mm.

    Returns:
        bool (N,), True in the largest piece; of equally large ones, one and the same whenever it is asked.
    """
    index = np.flatnonzero(kept)
    if not len(index):
        return np.zeros(len(points), bool)
    axes = np.take(points, index, axis=0).astype(np.float64).T.copy()  # apart: several times as fast
    cell = [np.minimum((axis - axis.min()) / (max_gap_mm / 2), MOST_CELLS).astype(np.int64) + 1 for axis in axes]
    span = [int(axis.max()) + 2 for axis in cell]
    codes, cell_of, counts = np.unique(
        (cell[0] * span[1] + cell[1]) * span[2] + cell[2], return_inverse=True, return_counts=True
    )
    edges = [_neighbours_at(codes, int((x * span[1] + y) * span[2] + z)) for x, y, z in HALF_OF_NEIGHBOURS]
    starts, ends = (np.concatenate(parts) for parts in zip(*edges, strict=True))
    graph = coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=(len(codes), len(codes)))
    _, labels = connected_components(graph, directed=False)
    largest = int(np.bincount(labels, weights=counts).argmax())
    inside = np.zeros(len(points), bool)
    inside[index[labels[cell_of.reshape(-1)] == largest]] = True
    return inside


def _neighbours_at(codes: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of places in the sorted `codes` whose codes differ by `step`."""
    at = np.minimum(np.searchsorted(codes, codes + step), len(codes) - 1)
    found = np.flatnonzero(codes[at] == codes + step)
    return found, at[found]
