"""Likeness of enrolled people: who may be one person under two names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from face3d_training.recognition.gallery import PeopleGallery

ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class SimilarPeople:
    """Two enrolled people who are nearer than two people should be.

    Attributes:
        names: of both, the one who was enrolled now first.
        distance: between their means.
    """

    names: tuple[str, str]
    distance: float


def similar_people(gallery: PeopleGallery, names: Collection[str], limit: float) -> list[SimilarPeople]:
    """Return the people who are as near to somebody else as captures of one person are, the nearest first.

    Args:
        gallery: everybody who is enrolled.
        names: of the people to look at; of each the nearest other person is.
        limit: distance up to which two faces count as one person's.
    """
    everybody, means = gallery.matrix()
    rows = np.array([row for row, name in enumerate(everybody) if name in names], np.int64)
    found: dict[frozenset[int], SimilarPeople] = {}
    for start in range(0, len(rows) if len(everybody) > 1 else 0, ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        likeness = means[some] @ means.T
        likeness[np.arange(len(some)), some] = -np.inf
        others = likeness.argmax(axis=1)
        distances = np.linalg.norm(means[some].astype(np.float64) - means[others], axis=1)
        for row, other, distance in zip(some.tolist(), others.tolist(), distances.tolist(), strict=True):
            if distance <= limit:
                found.setdefault(frozenset((row, other)), SimilarPeople((everybody[row], everybody[other]), distance))
    return sorted(found.values(), key=lambda pair: (pair.distance, pair.names))
