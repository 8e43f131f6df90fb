"""Clusters of embeddings: agglomerative clustering of each person's, and how far clusters are apart by its linkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Affinity = Literal["cosine", "euclidean"]
Linkage = Literal["average", "complete", "single"]
COSINE_THRESHOLD, PERSON_THRESHOLD = 0.45, 0.125
"""Defaults for the cosine distance, chosen for the packaged network on 100 synthetic people of 8 captures: 2 of 799
captures are outside the main cluster of their person (at 0.3 10, at 0.6 none). Means of 4 captures: none of 500 halves
of a person are farther apart than 0.107, no two people are nearer than 0.161."""
FAR = 2.0
"""From the person threshold to this many times as much nothing is sure. A capture alone is about twice as far from its
person's mean as the mean of two (95 %: 0.186 and 0.090). Of 448 pairs of the same people under one name one was nearer
than 0.25 at the last merge of the clustering, and no person's own captures farther (at most 0.185)."""
LEAST_GROUP = 2
"""A group needs this many captures to count as a second person within a cluster."""


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
        threshold (scikit-learn's `AgglomerativeClustering` on the matrix of distances). A cluster whose last merge
        joined two groups of captures with means farther apart than `FAR` times the person threshold is parted again:
        the mean over all pairs hides that two people are in it, who are similar.
        """
        vectors = vectors.astype(np.float64)
        # scikit-learn stops below the threshold; ours is the largest distance that still joins.
        labels = self._fit(vectors, distance_threshold=np.nextafter(self.threshold, np.inf))
        waiting = [np.flatnonzero(labels == one) for one in range(labels.max() + 1)]
        found = []
        while waiting:
            rows = waiting.pop()
            halves = self._parted(vectors, rows)
            found += [] if halves else [rows]
            waiting += halves
        clusters = np.empty(len(vectors), np.int64)
        for number, rows in enumerate(sorted(found, key=lambda rows: rows[0])):
            clusters[rows] = number
        return clusters

    def _fit(self, vectors: np.ndarray, **stop: Any) -> np.ndarray:
        if len(vectors) < 2:
            return np.zeros(len(vectors), np.int64)
        from sklearn.cluster import AgglomerativeClustering

        apart = self.distances(vectors, vectors)
        np.fill_diagonal(apart, 0)
        settings = {"n_clusters": None, "metric": "precomputed", "linkage": self.linkage, **stop}
        return AgglomerativeClustering(**settings).fit(apart).labels_

    def _parted(self, vectors: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        """Return the two groups that the last merge of a cluster joined, if they look like two people; else nothing."""
        if len(rows) < 2 * LEAST_GROUP:
            return []
        labels = self._fit(vectors[rows], n_clusters=2)
        halves = [rows[labels == one] for one in range(2)]
        means = [unit_mean(vectors[half]) for half in halves]
        two = min(map(len, halves)) >= LEAST_GROUP and 1 - means[0] @ means[1] > FAR * self._person_cosine
        return halves if two else []

    @property
    def _person_cosine(self) -> float:
        """The person threshold as a cosine distance."""
        return self.person_threshold if self.affinity == "cosine" else self.person_threshold**2 / 2

    def are_near(self, means: np.ndarray, others: np.ndarray, captures: int) -> np.ndarray:
        """Return bool (a, b): which means of clusters (a, E) are near which means of people (b, E), at unit length.

        Args:
            means: of clusters.
            others: of the main clusters of people.
            captures: how many each of the clusters has: one capture alone may be twice as far as the mean of several.
        """
        return 1 - means @ others.T <= self._person_cosine * (FAR if captures == 1 else 1)


def unit_mean(vectors: np.ndarray) -> np.ndarray:
    """Return the mean of embeddings (n, E), f8 (E,), at unit length; 0 where they cancel each other out."""
    mean = vectors.astype(np.float64).mean(axis=0)
    return mean / (np.linalg.norm(mean) or 1.0)
