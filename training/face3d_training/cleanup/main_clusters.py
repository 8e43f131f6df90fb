"""Main cluster of each person: the one with most captures, which stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from face3d_training.cleanup.clusters import ClusterRule, unit_mean
from face3d_training.cleanup.faces import LabeledFaces


@dataclass(frozen=True)
class PersonClusters:
    """Clusters of a person's captures, as rows of the faces.

    Attributes:
        main: the cluster that stays.
        rest: all others.
        said: how the main one was chosen among equally large ones; empty where it is larger than all others.
    """

    main: tuple[int, ...]
    rest: tuple[tuple[int, ...], ...] = ()
    said: str = ""


def people_clusters(
    faces: LabeledFaces, rule: ClusterRule, progress: Callable[[int], None] = lambda done: None
) -> dict[str, PersonClusters]:
    """Return the clusters of every person, by name in order.

    Of equally large clusters the main one is that which is not near anybody else whose main cluster is known; then the
    one of the smallest mean distance within; then that with the first id.

    Args:
        faces: the faces.
        rule: distances, linkage and threshold.
        progress: called with the number of people done.
    """
    names, starts = np.unique(np.array(faces.people, object).astype(str), return_index=True)
    ends = [*starts[1:].tolist(), len(faces)]
    found: dict[str, list[tuple[int, ...]]] = {}
    for number, (name, start, end) in enumerate(zip(names.tolist(), starts.tolist(), ends, strict=True)):
        labels = rule.clusters(faces.vectors[start:end])
        clusters = [tuple((np.flatnonzero(labels == one) + start).tolist()) for one in range(labels.max() + 1)]
        found[name] = sorted(clusters, key=lambda rows: (-len(rows), rows))
        progress(number + 1)
    sure = np.array([unit_mean(faces.vectors[list(one[0])]) for one in found.values() if not _is_tied(one)])
    return {
        name: _untied(faces, rule, clusters, sure)
        if _is_tied(clusters)
        else PersonClusters(clusters[0], tuple(clusters[1:]))
        for name, clusters in found.items()
    }


def _is_tied(clusters: Sequence[Sequence[int]]) -> bool:
    return len(clusters) > 1 and len(clusters[0]) == len(clusters[1])


def _untied(
    faces: LabeledFaces, rule: ClusterRule, clusters: Sequence[tuple[int, ...]], sure: np.ndarray
) -> PersonClusters:
    """Return the clusters of a person with several that are the largest; `sure` are means (p, E) of other people."""
    tied = [rows for rows in clusters if len(rows) == len(clusters[0])]
    near = dict.fromkeys(tied, False)
    if len(sure):
        means = (unit_mean(faces.vectors[list(rows)])[None] for rows in tied)
        near = {rows: bool(rule.are_near(mean, sure, len(rows)).any()) for rows, mean in zip(tied, means, strict=True)}
    within = {rows: float(rule.distances(faces.vectors[list(rows)], faces.vectors[list(rows)]).mean()) for rows in tied}
    main = min(tied, key=lambda rows: (near[rows], within[rows], rows))
    if len({near[rows] for rows in tied}) > 1 and sum(not near[rows] for rows in tied) == 1:
        how = "the one that looks like nobody else stays"
    elif sum(within[rows] == within[main] and near[rows] == near[main] for rows in tied) == 1:
        how = "the tightest stays"
    else:
        how = "the first by id stays"
    said = f"{len(tied)} clusters of {len(main)} are equally large: {how}"
    return PersonClusters(main, tuple(rows for rows in clusters if rows != main), said)
