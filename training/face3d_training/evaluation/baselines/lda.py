"""Regularised linear discriminant analysis of depth maps: learning without a network.

Fisher 1936, The Use of Multiple Measurements in Taxonomic Problems; the ridge on the scatter within people is that of
Friedman 1989, Regularized Discriminant Analysis. It matters more than anything else: with a small one the directions
fit the training people, and others are mistaken for each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.depth_map import filled, level
from face3d_training.back_ends.discriminant import discriminant_directions, people_scatter


@dataclass(frozen=True, eq=False)
class Lda:
    """Directions in which people differ more than captures of one do.

    Attributes:
        mean: f8 (G,), mm, the map that deviations are taken from.
        directions: f8 (G, d), in which the scatter within people, with the ridge, is 1.
    """

    mean: np.ndarray
    directions: np.ndarray

    def project(self, maps: np.ndarray) -> np.ndarray:
        """Return vectors f8 (n, d) of maps (n, G), mm, NaN = nothing there."""
        return deviations(maps, self.mean) @ self.directions


def deviations(maps: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return f8 (n, G): maps less their mean, levelled, 0 where nothing is there."""
    return filled(level(maps, mean), mean).astype(np.float64) - mean


def fit_lda(maps: np.ndarray, people: np.ndarray, ridge_mm2: float, dimensions: int) -> Lda:
    """Return the discriminant directions learnt from maps.

    Args:
        maps: (n, G), mm, NaN = nothing there.
        people: (n,) str, the person of each map, at least two people.
        ridge_mm2: added to the variance within people of every cell.
        dimensions: directions, at most one fewer than people.
    """
    seen = np.isfinite(maps)
    mean = np.sum(maps, axis=0, where=seen, dtype=np.float64) / np.maximum(seen.sum(axis=0), 1)
    off = deviations(maps, mean)
    scatter = people_scatter(off, people)
    within = scatter.covariance_within
    within[np.diag_indices_from(within)] += ridge_mm2
    fewest = min(dimensions, len(scatter.count) - 1)
    return Lda(mean, discriminant_directions(within, scatter.weighted_means, fewest)[0])
