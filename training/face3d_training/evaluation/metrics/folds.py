"""Accuracy on pairs in folds, as on LFW: each fold is judged with the threshold that is best on the others.

Huang, Mattar, Berg & Learned-Miller 2008, Labeled Faces in the Wild, "View 2". The threshold is none of a grid: it lies
half-way between two neighbouring scores of the other folds; of equally good ones the strictest is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from face3d_data.plurals import counted
from face3d_data.tables.pair_rows import PairRows
from face3d_training.evaluation.metrics.bootstrap import PairPeople, figure_of, people_weights
from face3d_training.evaluation.metrics.figure import Figure, ScoredPairs, Spread
from face3d_training.evaluation.metrics.matcher import Matcher, score_pairs
from face3d_training.evaluation.metrics.results import Fold, FoldsResult

if TYPE_CHECKING:
    from face3d_training.evaluation.metrics.lists import EvaluationSettings

FIGURES = ("accuracy", "precision", "recall", "threshold")


def judge_folds(matcher: Matcher, pairs: PairRows, settings: EvaluationSettings) -> FoldsResult:
    """Return the accuracy of one method on pairs in folds.

    Args:
        matcher: the method.
        pairs: pairs with their folds; without folds there is no figure, as no other fold can give a threshold.
        settings: resamples, confidence and seed.

    Raises:
        UserError: a similarity is not finite.
    """
    scores = score_pairs(matcher, pairs.first, pairs.second)
    scored = ScoredPairs(pairs.first, pairs.second, pairs.same, scores, pairs.fold)
    why = _obstacle(pairs)
    if why or pairs.fold is None:  # no folds are an obstacle too; mypy cannot know
        return FoldsResult(Figure(None, why=f"not measurable: {why}"), {}, (), scored, pairs.notes)
    folds = tuple(_fold(scores, pairs.same, pairs.fold, int(number)) for number in np.unique(pairs.fold))
    spread = {name: spread_of([getattr(fold, name) for fold in folds]) for name in FIGURES}
    threshold = {fold.fold: fold.threshold for fold in folds}
    limits = np.array([threshold[number] for number in pairs.fold.tolist()])
    right = ((scores >= limits) == pairs.same).astype(np.float64)
    people = PairPeople(matcher.table, pairs.first, pairs.second)
    accuracy = _accuracy(spread["accuracy"].mean, right, pairs.same, people, settings)
    return FoldsResult(accuracy, spread, folds, scored, pairs.notes)


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """Return the threshold that calls most pairs right, those of at least this score being called the same.

    Half-way between neighbouring scores; beyond the ends, next to the highest score and the lowest itself. Of equally
    good ones it is the highest.

    Args:
        scores: f8 (n,), n ≥ 1.
        same: bool (n,).
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    gained = np.concatenate([[0], np.cumsum(np.where(same[order], 1, -1))[ends]])
    cut = int(np.argmax(gained))
    if cut == 0:
        return float(np.nextafter(ordered[0], np.inf))
    if cut == len(ends):
        return float(ordered[-1])
    above, below = ordered[ends[cut - 1]], ordered[ends[cut - 1] + 1]
    middle = below + (above - below) / 2
    return float(middle if below < middle <= above else above)


def spread_of(numbers: list[float] | list[float | None]) -> Spread:
    """Return mean ± std (n - 1) of the numbers that are there; a mean of NaN where none is."""
    known = [number for number in numbers if number is not None]
    if not known:
        return Spread(float("nan"), None, 0)
    std = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(float(np.mean(known)), std, len(known))


def _obstacle(pairs: PairRows) -> str:
    if pairs.fold is None or len(np.unique(pairs.fold)) < 2:
        return "there are no two folds, and a threshold must come from other folds than those it judges"
    genuine, impostors = (len(np.unique(pairs.fold[mine])) for mine in (pairs.same, ~pairs.same))
    if min(genuine, impostors) < 2:
        few = counted(min(genuine, impostors), "fold has", "folds have")
        return f"only {few} {'genuine' if genuine <= impostors else 'impostor'} pairs"
    return ""


def _fold(scores: np.ndarray, same: np.ndarray, fold: np.ndarray, number: int) -> Fold:
    mine = fold == number
    threshold = best_threshold(scores[~mine], same[~mine])
    called, truly = scores[mine] >= threshold, same[mine]
    right, accepted, genuine = int((called & truly).sum()), int(called.sum()), int(truly.sum())
    return Fold(
        fold=number,
        genuine=genuine,
        impostors=len(truly) - genuine,
        threshold=threshold,
        accuracy=float((called == truly).mean()),
        precision=right / accepted if accepted else None,
        recall=right / genuine if genuine else None,
    )


def _accuracy(
    value: float, right: np.ndarray, same: np.ndarray, people: PairPeople, settings: EvaluationSettings
) -> Figure:
    """Return the mean accuracy; its resamples weigh the pairs of all folds, each called as its fold's threshold did."""
    samples = np.full(settings.resamples, np.nan)
    for place, drawn in enumerate(people_weights(people.names, settings.resamples, settings.seed)):
        weights = drawn.astype(np.float64)
        each = np.where(same, weights[people.first], weights[people.first] * weights[people.second])
        samples[place] = each @ right / each.sum() if each.any() else np.nan
    return figure_of(value, samples, len(people.names), settings.confidence)
