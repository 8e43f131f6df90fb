"""Clusters of embeddings: agglomerative clustering of each person's, and how far clusters are apart by its linkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Affinity = Literal["cosine", "euclidean"]
Linkage = Literal["average", "complete", "single"]
COSINE_THRESHOLD, PERSON_THRESHOLD = 0.5, 0.125
"""Defaults for the cosine distance, chosen for the packaged network on 100 synthetic people of 8 captures: 1 of 799
captures is farther from the rest of its person, 71 of 4,950 pairs of people would be one cluster. Means of 4 captures:
0 of 500 halves of a person are farther apart, no pair of people is nearer (the nearest 0.161)."""
SINGLE = 2.0
"""A capture alone is about twice as far from its person's mean as the mean of two (95 %: 0.186 and 0.090)."""


@dataclass(frozen=True)
class ClusterRule:
    """Rule by which embeddings are one person's.

    Attributes:
        affinity: distance of two embeddings: `cosine` (1 − cosine, 0 to 2) or `euclidean` (0 to 2 at unit length).
        linkage: distance of two clusters: the mean over all pairs (`average`), the largest (`complete`) or the smallest
            (`single`).
        threshold: clusters of one person's embeddings that are no farther apart than this are joined.
        person_threshold: means of two people, or of a cluster and another person, that are no farther apart than this
            are near. Means vary much less than single embeddings do, so it is smaller.
    """

    affinity: Affinity = "cosine"
    linkage: Linkage = "average"
    threshold: float = COSINE_THRESHOLD
    person_threshold: float = PERSON_THRESHOLD

    @classmethod
    def of(
        cls,
        affinity: Affinity = "cosine",
        linkage: Linkage = "average",
        threshold: float | None = None,
        person_threshold: float | None = None,
    ) -> ClusterRule:
        """Return the rule with thresholds given, or else the defaults in the unit of the affinity."""
        cosines = (COSINE_THRESHOLD, PERSON_THRESHOLD)
        defaults = cosines if affinity == "cosine" else ((2 * cosines[0]) ** 0.5, (2 * cosines[1]) ** 0.5)
        given = (
            default if one is None else one
            for one, default in zip((threshold, person_threshold), defaults, strict=True)
        )
        return cls(affinity, linkage, *given)

    def distances(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the distances (a, b) of embeddings (a, E) and (b, E) of unit length."""
        apart = np.clip(1 - first @ second.T, 0, 2)
        return apart if self.affinity == "cosine" else np.sqrt(2 * apart)

    def clusters(self, vectors: np.ndarray) -> np.ndarray:
        """Return i8 (n,) the cluster of each embedding (n, E), numbered by their first rows.

        Hierarchical clustering from single embeddings upwards, until the nearest clusters are farther apart than the
        threshold (scikit-learn's `AgglomerativeClustering` on the matrix of distances).
        """
        if len(vectors) < 2:
            return np.zeros(len(vectors), np.int64)
        from sklearn.cluster import AgglomerativeClustering

        vectors = vectors.astype(np.float64)
        apart = self.distances(vectors, vectors)
        np.fill_diagonal(apart, 0)
        # scikit-learn stops below the threshold; ours is the largest distance that still joins.
        limit = np.nextafter(self.threshold, np.inf)
        found = AgglomerativeClustering(None, metric="precomputed", linkage=self.linkage, distance_threshold=limit)
        labels = found.fit(apart).labels_
        firsts, numbers = np.unique(labels, return_index=True)[1], np.empty(labels.max() + 1, np.int64)
        numbers[labels[np.sort(firsts)]] = np.arange(len(firsts))
        return numbers[labels]

    def are_near(self, means: np.ndarray, others: np.ndarray, captures: int) -> np.ndarray:
        """Return bool (a, b): which means of clusters (a, E) are near which means of people (b, E), at unit length.

        Args:
            means: of clusters.
            others: of the main clusters of people.
            captures: how many each of the clusters has: one capture alone may be twice as far as the mean of several.
        """
        limit = self.person_threshold if self.affinity == "cosine" else self.person_threshold**2 / 2
        return 1 - means @ others.T <= limit * (SINGLE if captures == 1 else 1)


def unit_mean(vectors: np.ndarray) -> np.ndarray:
    """Return the mean of embeddings (n, E), f8 (E,), at unit length; 0 where they cancel each other out."""
    mean = vectors.astype(np.float64).mean(axis=0)
    return mean / (np.linalg.norm(mean) or 1.0)
