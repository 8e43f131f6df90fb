"""Findings of a clean-up: what does not look like its label, and what it looks like instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from face3d_data.tables.split import person_of
from face3d_training.cleanup.clusters import ClusterRule, unit_mean
from face3d_training.cleanup.duplicates import duplicate_groups
from face3d_training.cleanup.faces import LabeledFaces
from face3d_training.cleanup.main_clusters import PersonClusters, people_clusters

Reason = Literal["other_person", "unknown_person", "outlier", "duplicate", "same_person"]
FINDING_REASONS: Mapping[Reason, str] = {
    "other_person": "outside the main cluster of their person, and near another person",
    "unknown_person": "outside the main cluster of their person, several that look like one another and nobody else",
    "outlier": "outside the main cluster of their person, alone, and near nobody",
    "duplicate": "one capture under several ids",
    "same_person": "two names whose captures look like one person",
}
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Finding:
    """What is wrong with a capture, or with the name of a person.

    Attributes:
        reason: one of `FINDING_REASONS`.
        id: the capture's; empty for `same_person`, which is about all captures of a person.
        person: by its label.
        similarity: cosine to the mean of the main cluster of that person; for `duplicate` to the capture that stays,
            for `same_person` between the means of both.
        like: where it had better belong: the person, or for `duplicate` the capture that stays; empty: nobody.
        like_similarity: cosine to the mean of the main cluster of the person `like`; NaN without one.
        detail: the evidence in words.
        blocked: whether the block list has it.
    """

    reason: Reason
    id: str
    person: str
    similarity: float
    like: str
    like_similarity: float
    detail: str
    blocked: bool


@dataclass(frozen=True)
class Cleanup:
    """Result of a clean-up.

    Attributes:
        faces: what was looked at.
        rule: by which clusters were made.
        clusters: person to clusters.
        findings: in the order of `FINDING_REASONS`, then by person and id.
    """

    faces: LabeledFaces
    rule: ClusterRule
    clusters: Mapping[str, PersonClusters]
    findings: tuple[Finding, ...]

    @property
    def blocked(self) -> list[str]:
        """Ids that the block list has, each once, in order."""
        return sorted({one.id for one in self.findings if one.blocked})

    def counts(self) -> dict[Reason, int]:
        """Return the number of findings of each reason."""
        found = Counter(one.reason for one in self.findings)
        return {reason: found[reason] for reason in FINDING_REASONS}

    def mean(self, person: str) -> np.ndarray:
        """Return the mean of a person's main cluster, (E,), at unit length."""
        return unit_mean(self.faces.vectors[list(self.clusters[person].main)])


def find(faces: LabeledFaces, rule: ClusterRule, progress: Progress = lambda part, done, total: None) -> Cleanup:
    """Return what is wrong with labels, by clusters of each person's embeddings.

    The largest cluster of a person is the main one and stays. Every other cluster belongs to the person whose mean is
    nearest to its own, if that is near enough. Two people whose means are near may be one. Of a capture under several
    ids, the first that is in its person's main cluster stays.

    Args:
        faces: the faces.
        rule: distances, linkage and threshold.
        progress: called with the part of the work, what is done of it and the total.
    """
    clusters = people_clusters(faces, rule, lambda done: progress("clusters", done, len(set(faces.people))))
    people = list(clusters)
    means = np.stack([unit_mean(faces.vectors[list(clusters[person].main)]) for person in people])
    findings: list[Finding] = []
    for number, person in enumerate(people):
        mean, mine = means[number], clusters[person]
        for cluster in mine.rest:
            own = unit_mean(faces.vectors[list(cluster)])
            near = rule.are_near(own[None], means, len(cluster))[0] & (np.arange(len(people)) != number)
            like = int(np.argmax(np.where(near, means @ own, -np.inf))) if near.any() else None
            named = ("", None) if like is None else (people[like], means[like])
            findings += _outside(faces, person, mean, cluster, named, mine.said)
        near = rule.are_near(mean[None], means[number + 1 :], len(people))[0]
        for other in np.flatnonzero(near) + number + 1:
            if person_of(person) != person_of(people[other]):
                findings.append(_one_person(people[other], person, float(means[other] @ mean)))
        progress("people", number + 1, len(people))
    staying = {row for person in people for row in clusters[person].main}
    groups = duplicate_groups(faces, lambda done: progress("duplicates", done, len(faces)))
    findings += [one for rows, how in groups for one in _duplicates(faces, rows, how, staying)]
    order = {reason: place for place, reason in enumerate(FINDING_REASONS)}
    findings.sort(key=lambda one: (order[one.reason], one.person, one.id, one.like))
    return Cleanup(faces, rule, clusters, tuple(findings))


def _outside(
    faces: LabeledFaces,
    person: str,
    mean: np.ndarray,
    cluster: Sequence[int],
    like: tuple[str, np.ndarray | None],
    said: str,
) -> Iterator[Finding]:
    """Yield a finding for each capture of a cluster that is not the main one; `like` is which person it looks like."""
    reason: Reason = "other_person" if like[0] else "unknown_person" if len(cluster) > 1 else "outlier"
    size = f"one of {len(cluster)} that look like one another" if len(cluster) > 1 else ""
    detail = "; ".join(part for part in (size, said) if part)
    for row in cluster:
        vector = faces.vectors[row].astype(np.float64)
        other = float("nan") if like[1] is None else float(vector @ like[1])
        yield Finding(reason, faces.ids[row], person, float(vector @ mean), like[0], other, detail, True)


def _one_person(name: str, first: str, similarity: float) -> Finding:
    return Finding("same_person", "", name, similarity, first, similarity, "", False)


def _duplicates(faces: LabeledFaces, rows: Sequence[int], how: str, staying: set[int]) -> Iterator[Finding]:
    """Yield a finding for each row of a group of duplicates but the one that stays."""
    kept = min(rows, key=lambda row: (row not in staying, row))
    for row in rows:
        if faces.captures[row] != faces.captures[kept]:
            similarity = float(faces.vectors[row].astype(np.float64) @ faces.vectors[kept])
            detail = f"{how} {faces.ids[kept]} of {faces.people[kept]}"
            yield Finding(
                "duplicate", faces.ids[row], faces.people[row], similarity, faces.ids[kept], similarity, detail, True
            )
