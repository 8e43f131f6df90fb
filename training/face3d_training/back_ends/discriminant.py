"""Discriminant directions: those in which people differ most, measured by how captures of one person differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg


@dataclass(frozen=True, eq=False)
class PeopleScatter:
    """How vectors vary from person to person, and from capture to capture of one.

    Attributes:
        within: f8 (n, E), vectors less the mean of their person's.
        means: f8 (p, E), the mean of each person's vectors.
        count: i8 (p,), vectors of each person.
    """

    within: np.ndarray
    means: np.ndarray
    count: np.ndarray

    @property
    def covariance_within(self) -> np.ndarray:
        """The pooled covariance f8 (E, E) within people, unbiased."""
        return self.within.T @ self.within / max(1, len(self.within) - len(self.count))

    @property
    def weighted_means(self) -> np.ndarray:
        """The means f8 (p, E) less that of all vectors, weighted so that their squares sum to the scatter between."""
        share = self.count / self.count.sum()
        return np.sqrt(share)[:, None] * (self.means - share @ self.means)


def people_scatter(vectors: np.ndarray, people: np.ndarray) -> PeopleScatter:
    """Return how vectors (n, E) of people, (n,) str, vary."""
    person = np.unique(people, return_inverse=True)[1].reshape(-1)
    count = np.bincount(person)
    means = np.stack([np.bincount(person, weights=column) for column in vectors.T], axis=1) / count[:, None]
    return PeopleScatter(vectors - means[person], means, count)


def discriminant_directions(within: np.ndarray, between: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the directions with the largest variance between people, where that within people is 1.

    Both covariances are diagonal in them: Fukunaga 1990, Introduction to Statistical Pattern Recognition, 2.3.

    Args:
        within: f8 (E, E), positive definite, the covariance within people.
        between: f8 (p, E), rows whose squares sum to the scatter between people, `between.T @ between`.
        dimensions: directions wanted.

    Returns:
        f8 (E, d), the directions, d at most `dimensions`, E and p; and f8 (d,), the variance between people in each,
        descending.
    """
    factor = linalg.cholesky(within, lower=True)
    whitened = linalg.solve_triangular(factor, between.T, lower=True)
    axes, sizes, _ = linalg.svd(whitened, full_matrices=False)
    found = linalg.solve_triangular(factor, axes[:, :dimensions], lower=True, trans="T")
    return found, sizes[:dimensions] ** 2
