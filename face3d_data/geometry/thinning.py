"""Thinning of a cloud to a fixed number of points: at random, one per voxel, or with a least distance."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

BISECTIONS = 30
NARROW = 1.15
"""Once the radius is known to this factor, all pairs within it are listed, which costs as much as five tries."""
MOST_NEAR = 60
"""With more points than this near a point the list is too long to pay, and with many equal ones for the memory."""


def random_points(points: np.ndarray, n_points: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points without replacement, all equally likely.

    Returns:
        int (n_points,), sorted.
    """
    return np.sort(rng.choice(len(points), n_points, replace=False))


def voxel_points(points: np.ndarray, n_points: int) -> np.ndarray:
    """Keep the point nearest to the mean of each voxel, the voxels being as large as leaves enough of them.

    The size is found by bisection; where it leaves some too many, those dropped are spread evenly over the voxels.

    Args:
        points: f4 (N, 3), finite and distinct.
        n_points: how many, at most N.

    Returns:
        int (n_points,), by voxel.
    """
    low, high = 0.0, float(np.ptp(points, axis=0).max()) + 1e-3
    best = np.arange(len(points))
    for _ in range(BISECTIONS):
        size = (low + high) / 2
        kept = _one_a_voxel(points, size)
        if len(kept) < n_points:
            high = size
        else:
            low, best = size, kept
    return best[np.linspace(0, len(best) - 1, n_points).round().astype(np.intp)]


def _one_a_voxel(points: np.ndarray, size: float) -> np.ndarray:
    cells = np.floor((points - points.min(axis=0)).astype(np.float64) / size).astype(np.int64)
    spans = cells.max(axis=0) + 1
    codes = (cells[:, 0] * spans[1] + cells[:, 1]) * spans[2] + cells[:, 2]
    _, cell, counts = np.unique(codes, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(cell, points[:, axis]) for axis in range(3)], axis=1)
    offset = points - (sums / counts[:, None])[cell]
    order = np.lexsort((np.einsum("ij,ij->i", offset, offset), cell))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return order[first]


def poisson_points(points: np.ndarray, n_points: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points of which no two are nearer than a radius, the radius being as large as leaves enough of them.

    Dart throwing over the points in one random order (Cook 1986, Stochastic Sampling in Computer Graphics); the radius
    is found by bisection, and the first `n_points` that it accepts are kept.

    Args:
        points: f4 (N, 3), finite and distinct.
        n_points: how many, at most N.
        rng: draws the order.

    Returns:
        int (n_points,), in the order of the draw.
    """
    from scipy.spatial import cKDTree

    order = rng.permutation(len(points))
    shuffled = points[order]
    tree = cKDTree(shuffled)
    # n discs of radius r/2 that do not overlap cannot cover more than a sphere through the whole cloud.
    low, high = 0.0, float(np.linalg.norm(np.ptp(points, axis=0))) * 4 / np.sqrt(n_points) + 1e-3
    best = np.arange(len(points))
    near: _Near | None = None
    for _ in range(BISECTIONS):
        if near is None and high <= NARROW * low and _mean_near(tree, shuffled, high) <= MOST_NEAR:
            near = _Near.within(tree, shuffled, high)
        if near is not None and near.between(low, high) <= 1:
            break  # the one distance left is the one that decides: no radius below it accepts other points
        radius = (low + high) / 2
        accepted = near.throw_darts(radius, n_points) if near else _throw_darts(tree, shuffled, radius, n_points)
        if len(accepted) < n_points:
            high = radius
        else:
            low, best = radius, accepted
    return order[best[:n_points]]


def _mean_near(tree: cKDTree, points: np.ndarray, reach: float) -> float:
    """Return about how many points are within reach of one, itself included, of points in random order."""
    return float(tree.query_ball_point(points[:64], reach, return_length=True).mean())


@dataclass(frozen=True)
class _Near:
    """Which points come after each and are near it, nearest first, looked up once for all radii that are left to try.

    Attributes:
        squares: f8 (M,), sorted squared distances of all pairs.
        later: int (M,), the later point of each pair, by the earlier one and then by distance.
        later_squares: their squared distances, in a list, where a bisection is quickest.
        starts: where each point's pairs begin in both, N + 1 places.
    """

    squares: np.ndarray
    later: np.ndarray
    later_squares: list[float]
    starts: list[int]

    @classmethod
    def within(cls, tree: cKDTree, points: np.ndarray, reach: float) -> _Near:
        """Return all pairs of points (N, 3) that are not farther apart than `reach`."""
        pairs = tree.query_pairs(reach, output_type="ndarray")
        offset = points[pairs[:, 0]].astype(np.float64) - points[pairs[:, 1]]
        squares = np.einsum("ij,ij->i", offset, offset)
        by_distance = np.argsort(squares, kind="stable")
        rows = by_distance[np.argsort(pairs[by_distance, 0], kind="stable")]
        starts = np.searchsorted(pairs[rows, 0], np.arange(len(points) + 1))
        return cls(squares[by_distance], pairs[rows, 1], squares[rows].tolist(), starts.tolist())

    def between(self, low: float, high: float) -> int:
        """Return how many pairs are farther apart than `low`, but not than `high`."""
        first, last = np.searchsorted(self.squares, [low * low, high * high], side="right")
        return int(last - first)

    def throw_darts(self, radius: float, enough: int) -> np.ndarray:
        """Do as `_throw_darts` does."""
        free = np.ones(len(self.starts) - 1, bool)
        accepted: list[int] = []
        for i in range(len(free)):
            if not free[i]:
                continue
            accepted.append(i)
            if len(accepted) == enough:
                break
            start, end = self.starts[i : i + 2]
            free[self.later[start : bisect_right(self.later_squares, radius * radius, start, end)]] = False
        return np.array(accepted, np.intp)


def _throw_darts(tree: cKDTree, points: np.ndarray, radius: float, enough: int) -> np.ndarray:
    """Accept each point in turn that is not within a radius of one accepted before; stop when there are enough."""
    free = np.ones(len(points), bool)
    accepted: list[int] = []
    for i in range(len(points)):
        if not free[i]:
            continue
        accepted.append(i)
        if len(accepted) == enough:
            break
        free[tree.query_ball_point(points[i], radius)] = False
    return np.array(accepted, np.intp)
