"""Identification: ranks of probes in a gallery, and mean average precision as re-identification defines it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from face3d_data.plurals import counted
from face3d_data.tables.protocol import Protocol
from face3d_data.tables.split import person_of
from face3d_training.evaluation.metrics.bootstrap import figure_of, people_weights
from face3d_training.evaluation.metrics.figure import Figure, Outcomes
from face3d_training.evaluation.metrics.matcher import Matcher, similarity_blocks
from face3d_training.evaluation.metrics.results import IdentificationResult

if TYPE_CHECKING:
    from face3d_training.evaluation.metrics.lists import EvaluationSettings

RANKS = (1, 5, 10)
LONGEST_CMC = 50


def identify(matcher: Matcher, protocol: Protocol, settings: EvaluationSettings) -> IdentificationResult:
    """Return the figures of one method on a gallery and its probes.

    A person's score is that of the most similar of its enrolled samples. The rank of a probe's person is one more than
    the number of others whose score is as high or higher: ties count against the method.

    Args:
        matcher: the method.
        protocol: the gallery and the probes.
        settings: resamples, confidence and seed.

    Raises:
        UserError: a similarity is not finite.
    """
    gallery = Gallery(matcher, protocol.gallery)
    outcomes = gallery.outcomes(protocol.probe)
    people = len(gallery.identities)
    asked = gallery.person_of_row[protocol.probe]
    longest = min(LONGEST_CMC, people)
    cmc = tuple(float((outcomes.rank <= k).mean()) for k in range(1, longest + 1)) if len(asked) else ()
    return IdentificationResult(
        title=protocol.title,
        people=people,
        gallery=len(protocol.gallery),
        probes=len(protocol.probe),
        rank={str(k): share_figure(outcomes.rank <= k, asked, people, k, settings) for k in RANKS},
        cmc=cmc,
        mean_average_precision=share_figure(outcomes.precision, asked, people, 1, settings),
        outcomes=outcomes,
        notices=protocol.notes,
    )


def share_figure(
    values: np.ndarray, person: np.ndarray, enrolled: int, rank: int, settings: EvaluationSettings
) -> Figure:
    """Return the mean of values that belong to people, with its interval over these.

    Args:
        values: (n,), one for each probe.
        person: (n,) str, whose each is.
        enrolled: people enrolled; none are beaten where all are among the best `rank`.
        rank: best places that count.
        settings: resamples, confidence and seed.
    """
    if not len(values) or enrolled <= rank:
        few = f"{counted(enrolled, 'person')} enrolled" if len(values) else "no probes"
        return Figure(None, why=f"not measurable with {few}")
    names, place = np.unique(person, return_inverse=True)
    total = np.bincount(place, weights=values)
    count = np.bincount(place)
    weights = people_weights(names.tolist(), settings.resamples, settings.seed)
    samples = np.array([(drawn @ total) / (drawn @ count) for drawn in weights])
    return figure_of(float(np.mean(values)), samples, len(names), settings.confidence)


class Gallery:
    """Enrolled samples, those of one identity side by side.

    Args:
        matcher: the method.
        rows: i64 (G,), the samples that enrol.

    Attributes:
        identities: enrolled identities, sorted.
        person_of_row: (n,) str, the person of each row of the table, a mirrored face's own.
    """

    def __init__(self, matcher: Matcher, rows: np.ndarray) -> None:
        self.matcher = matcher
        self._identity = matcher.table["identity"].to_numpy(object).astype(str)
        self.person_of_row = np.array([person_of(identity) for identity in self._identity], dtype=str)
        self._rows = rows[np.argsort(self._identity[rows], kind="stable")]
        self.identities, self._starts = np.unique(self._identity[self._rows], return_index=True)
        self._owner = np.searchsorted(self.identities, self._identity[self._rows])

    def outcomes(self, probe: np.ndarray) -> Outcomes:
        """Return what becomes of each probe, i64 (n,) rows of enrolled identities."""
        n = len(probe)
        rank, own, rival = (np.zeros(n, np.int64) for _ in range(3))
        own_score, rival_score, precision = np.zeros(n), np.zeros(n), np.zeros(n)
        wanted = np.searchsorted(self.identities, self._identity[probe])
        for part, scores in similarity_blocks(self.matcher, probe, self._rows):
            each, owner = np.arange(len(scores)), wanted[part, None]
            mine = np.where(self._owner == owner, scores, -np.inf)
            own[part], own_score[part] = self._rows[mine.argmax(axis=1)], mine.max(axis=1)
            best = np.maximum.reduceat(scores, self._starts, axis=1)
            rank[part] = (best >= own_score[part, None]).sum(axis=1)
            others = np.where(self._owner == owner, -np.inf, scores)
            place = others.argmax(axis=1)
            rival_score[part] = others[each, place]
            rival[part] = np.where(np.isfinite(rival_score[part]), self._rows[place], -1)
            precision[part] = [_average_precision(*pair) for pair in zip(scores, self._owner == owner, strict=True)]
        return Outcomes(probe, rank, own, own_score, rival, rival_score, precision)


def _average_precision(scores: np.ndarray, own: np.ndarray) -> float:
    """Return the average precision of one probe: at each own sample, the share of own ones among those as similar.

    As scikit-learn's `average_precision_score` has it, so that the order of equal scores does not count.
    """
    order, reached = np.sort(-scores), np.sort(-scores[own])
    among_own = np.searchsorted(reached, reached, side="right")
    return float(np.mean(among_own / np.searchsorted(order, reached, side="right")))
