"""Nearest neighbours in space, by small_gicp's search tree: the answers of SciPy's in about half the time.

Which of several points at the same distance are given, and in what order, is decided by the tree, the same each time.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import small_gicp


class NearestPoints:
    """A search tree over points.

    Attributes:
        points: f8 (N, 3).
    """

    def __init__(self, points: np.ndarray) -> None:
        """Build the tree over points (N, 3), finite; N may be 0."""
        self.points = np.ascontiguousarray(points, np.float64)
        # What the library does with a tree of nothing is undefined.
        self._tree = small_gicp.KdTree(self.points, num_threads=1) if len(self.points) else None

    def __reduce__(self) -> tuple[type[NearestPoints], tuple[np.ndarray]]:
        """Pickle the points; the tree is built again."""
        return NearestPoints, (self.points,)

    def nearest(self, places: np.ndarray, within: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
        """Return the distance f8 (M,) to the nearest point of each place and its index, int (M,).

        Args:
            places: (M, 3), finite.
            within: a point as far away as this, or farther, does not count: the distance is infinite, the index N.
        """
        if within < np.inf and self._tree is not None:
            return self._nearest_within(np.asarray(places, np.float64), within)
        distance, index = self.k_nearest(places, 1)
        return distance[:, 0], index[:, 0]

    def _nearest_within(self, places: np.ndarray, within: float) -> tuple[np.ndarray, np.ndarray]:
        """Do as `nearest` does; what lies outside of the points' box by the bound is spared a search, which is long."""
        aside = np.zeros(len(places), bool)
        for place, low, high in zip(places.T, *self._box, strict=True):
            aside |= (place <= low - within) | (place >= high + within)
        sought = np.flatnonzero(~aside)
        distance, index = np.full(len(places), np.inf), np.full(len(places), len(self.points), np.int64)
        found, which = (column[:, 0] for column in self.k_nearest(places[sought] if aside.any() else places, 1))
        near = found < within
        distance[sought[near]], index[sought[near]] = found[near], which[near]
        return distance, index

    @cached_property
    def _box(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest coordinates."""
        return self.points.min(axis=0), self.points.max(axis=0)

    def k_nearest(self, places: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances f8 (M, k) to the k nearest points of each place, nearest first, and their indices.

        Args:
            places: (M, 3), finite.
            k: how many, at least 1; where there are fewer, the distance is infinite and the index N.
        """
        count, most = len(places), min(k, len(self.points))
        if self._tree is None or not count:
            return np.full((count, k), np.inf), np.full((count, k), len(self.points), np.int64)
        found, squares = self._tree.batch_knn_search(np.ascontiguousarray(places, np.float64), most, num_threads=1)
        distance, index = np.sqrt(squares, out=squares), found.view(np.int64)
        if most < k:
            lacking = ((0, 0), (0, k - most))
            distance = np.pad(distance, lacking, constant_values=np.inf)
            index = np.pad(index, lacking, constant_values=len(self.points))
        return distance, index
