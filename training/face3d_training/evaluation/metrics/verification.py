"""Verification of pairs, one person or two: ROC figures with intervals over people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.tables.pair_rows import PairRows
from face3d_training.evaluation.metrics.bootstrap import PairPeople, figure_of, people_weights
from face3d_training.evaluation.metrics.figure import Figure, ScoredPairs
from face3d_training.evaluation.metrics.folds import judge_folds
from face3d_training.evaluation.metrics.matcher import Matcher, score_pairs
from face3d_training.evaluation.metrics.results import VerificationResult
from face3d_training.evaluation.metrics.roc import SLACK, SortedPairs, Weighted

if TYPE_CHECKING:
    from face3d_training.evaluation.metrics.lists import EvaluationSettings

FARS = ("1e-1", "1e-2", "1e-3", "1e-4", "1e-5")


def verify(
    matcher: Matcher, title: str, pairs: PairRows, folds: PairRows | None, settings: EvaluationSettings
) -> VerificationResult:
    """Return the figures of one method on a list of pairs.

    Args:
        matcher: the method.
        title: what is compared.
        pairs: what the ROC figures are of.
        folds: pairs in folds for the accuracy; None: there are none.
        settings: resamples, confidence and seed.

    Raises:
        UserError: a similarity is not finite.
    """
    scored = ScoredPairs(pairs.first, pairs.second, pairs.same, score_pairs(matcher, pairs.first, pairs.second))
    people = PairPeople(matcher.table, pairs.first, pairs.second)
    genuine = int(pairs.same.sum())
    figures = roc_figures(scored, people, settings)
    return VerificationResult(
        title=title,
        people=len(people.names),
        genuine=genuine,
        impostors=len(pairs.same) - genuine,
        complete=pairs.complete,
        auc=figures["auc"],
        eer=figures["eer"],
        tar={far: figures[far] for far in FARS},
        pairs=scored,
        folds=None if folds is None else judge_folds(matcher, folds, settings),
        notices=pairs.notes,
    )


def roc_figures(
    scored: ScoredPairs, people: PairPeople, settings: EvaluationSettings, fars: Sequence[str] = FARS
) -> dict[str, Figure]:
    """Return `auc`, `eer` and the TAR at each of `fars`, by these names.

    A TAR is given only where the FAR is at least one impostor pair in all of them. Without genuine or without impostor
    pairs there is no figure.
    """
    impostors = int((~scored.same).sum())
    if impostors == 0 or impostors == len(scored.same):
        lacking = "impostor" if len(scored.same) else "genuine and no impostor"
        why = f"not measurable: no {lacking if impostors == 0 else 'genuine'} pairs"
        return dict.fromkeys(("auc", "eer", *fars), Figure(None, why=why))
    supported = [far for far in fars if float(far) * impostors >= 1 - SLACK]
    ordered = SortedPairs(scored.scores, scored.same)
    everybody = ordered.weighted(np.ones(len(ordered.genuine)), np.ones(len(ordered.impostors)))
    values = _rates(everybody, supported)
    samples = np.array([_rates(each, supported) for each in _resampled(ordered, people, settings)]).T
    made = (figure_of(*pair, len(people.names), settings.confidence) for pair in zip(values, samples, strict=True))
    unsupported = Figure(None, why=f"not measurable with {impostors} impostor pairs")
    return dict.fromkeys(fars, unsupported) | dict(zip(("auc", "eer", *supported), made, strict=True))


def _resampled(ordered: SortedPairs, people: PairPeople, settings: EvaluationSettings) -> Iterator[Weighted]:
    own = people.first[ordered.genuine]
    first, second = people.first[ordered.impostors], people.second[ordered.impostors]
    for drawn in people_weights(people.names, settings.resamples, settings.seed):
        weights = drawn.astype(np.float64)
        strange = weights[first]
        strange *= weights[second]
        yield ordered.weighted(weights[own], strange)


def _rates(weighted: Weighted, fars: Sequence[str]) -> np.ndarray:
    return np.array([weighted.auc(), weighted.eer(), *(weighted.tar(float(far)) for far in fars)])
