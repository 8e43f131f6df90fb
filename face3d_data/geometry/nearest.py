"""Nearest neighbours in space, by small_gicp's search tree: the answers of SciPy's in about half the time.

Which of several points at the same distance are given, and in what order, is decided by the tree, the same each time.
"""

from __future__ import annotations

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
        distance, index = (column[:, 0] for column in self.k_nearest(places, 1))
        if within < np.inf:
            far = distance >= within
            distance[far], index[far] = np.inf, len(self.points)
        return distance, index

    def k_nearest(self, places: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances f8 (M, k) to the k nearest points of each place, nearest first, and their indices.

        Args:
            places: (M, 3), finite.
            k: how many, at least 1; where there are fewer, the distance is infinite and the index N.
        """
        count, most = len(places), min(k, len(self.points))
        distance = np.full((count, k), np.inf)
        index = np.full((count, k), len(self.points), np.int64)
        if self._tree is not None and count:
            found, squares = self._tree.batch_knn_search(np.ascontiguousarray(places, np.float64), most, num_threads=1)
            if most == k:
                return np.sqrt(squares), found.view(np.int64)
            distance[:, :most], index[:, :most] = np.sqrt(squares), found
        return distance, index
