"""Evaluation figures: all of one method, differences of two, and several seeds of one.

Examples:
    >>> dataset, settings = Dataset("datasets/recognition"), Settings()
    >>> table = dataset.table("test")
    >>> lists = lists_of(table, settings)
    >>> net = evaluate(EmbeddingMatcher("net", table, vectors), lists, settings)
    >>> other = evaluate(DepthMapMatcher(table, depth_maps(dataset, "test", table.index)), lists, settings)
    >>> compare(net, other, settings.confidence).figures["plain_to_plain"]["rank 1"]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from face3d_data.errors import UserError
from face3d_training.evaluation.metrics.bootstrap import figure_of
from face3d_training.evaluation.metrics.breakdown import break_down
from face3d_training.evaluation.metrics.figure import Figure
from face3d_training.evaluation.metrics.folds import spread_of
from face3d_training.evaluation.metrics.identification import identify
from face3d_training.evaluation.metrics.lists import EvaluationSettings, Lists
from face3d_training.evaluation.metrics.matcher import Matcher
from face3d_training.evaluation.metrics.results import Difference, MethodResult, ModelFacts, SeedsResult
from face3d_training.evaluation.metrics.verification import verify

Figures = dict[str, dict[str, Figure]]
"""By list, then by the figure's name."""


def evaluate(
    matcher: Matcher,
    lists: Lists,
    settings: EvaluationSettings,
    model: ModelFacts | None = None,
    progress: Callable[[str], None] | None = None,
) -> MethodResult:
    """Return all figures of one method.

    Args:
        matcher: the method.
        lists: pairs and protocols to judge it on; the same for all methods that are compared.
        settings: those that the lists were made with.
        model: cost of the method.
        progress: called with the name of each list before it is processed.

    Raises:
        UserError: a similarity is not finite.
    """
    told = progress or (lambda name: None)
    verification, identification, breakdown = {}, {}, {}
    for name, each in lists.pairs.items():
        told(name)
        verification[name] = verify(matcher, each.title, each.pairs, each.folds, settings)
    for name, protocol in lists.protocols.items():
        told(name)
        identification[name] = identify(matcher, protocol, settings)
        if not protocol.part_of:
            breakdown[name] = break_down(matcher, protocol, identification[name].outcomes, settings)
    return MethodResult(matcher.name, verification, identification, breakdown, model or ModelFacts(), lists.notices)


def figures_of(method: MethodResult) -> Figures:
    """Return the figures of a method that are compared: `auc`, `eer`, `tar 1e-3` …, `accuracy`, `rank 1` …, `mAP`."""
    found: Figures = {}
    for name, pairs in method.verification.items():
        tar = {f"tar {far}": figure for far, figure in pairs.tar.items()}
        accuracy = {} if pairs.folds is None else {"accuracy": pairs.folds.accuracy}
        found[name] = {"auc": pairs.auc, "eer": pairs.eer, **tar, **accuracy}
    for name, people in method.identification.items():
        rank = {f"rank {k}": figure for k, figure in people.rank.items()}
        found[name] = {**found.get(name, {}), **rank, "mAP": people.mean_average_precision}
    return found


def compare(
    better: MethodResult | SeedsResult, other: MethodResult | SeedsResult, confidence: float = 0.95
) -> Difference:
    """Return how much more one method, or the mean of several runs, reaches than another: paired over people.

    Args:
        better: evaluated on the same lists with the same settings as `other`.
        other: the one that is subtracted.
        confidence: share that intervals cover.

    Raises:
        UserError: they were not evaluated on the same lists.
    """
    if isinstance(better, MethodResult) and isinstance(other, MethodResult):
        _same_lists([better, other])
    one, two = (each.figures if isinstance(each, SeedsResult) else figures_of(each) for each in (better, other))
    found = {
        name: {
            key: _combined([one[name][key], two[name][key]], np.array([1.0, -1.0]), _people(better, name), confidence)
            for key in figures
        }
        for name, figures in one.items()
    }
    return Difference(better.name, other.name, found)


def combine_seeds(name: str, runs: Sequence[MethodResult], confidence: float = 0.95) -> SeedsResult:
    """Return mean ± std over runs of one config that differ in their seed, and the mean's interval over people.

    Args:
        name: what the report calls them.
        runs: their results, on the same lists with the same settings.
        confidence: share that intervals cover.

    Raises:
        UserError: no run, or they were not evaluated on the same lists.
    """
    if not runs:
        raise UserError(f"{name}: there are no runs to combine: give a checkpoint")
    _same_lists(runs)
    each = [figures_of(run) for run in runs]
    keys = {name: tuple(figures) for name, figures in each[0].items()}
    spread = {
        part: {key: spread_of([figures[part][key].value for figures in each]) for key in names}
        for part, names in keys.items()
    }
    share = np.full(len(runs), 1 / len(runs))
    means = {
        part: {
            key: _combined([figures[part][key] for figures in each], share, _people(runs[0], part), confidence)
            for key in names
        }
        for part, names in keys.items()
    }
    people = {part: _people(runs[0], part) for part in keys}
    return SeedsResult(name, tuple(run.name for run in runs), spread, means, people)


def _combined(figures: Sequence[Figure], weights: np.ndarray, people: int, confidence: float) -> Figure:
    """Return the weighted sum of figures, resample by resample."""
    values, samples = [], []
    for figure in figures:
        if figure.value is None:
            return Figure(None, why=figure.why)
        values.append(figure.value)
        samples.append(figure.samples if figure.samples is not None else np.zeros(0))
    return figure_of(float(weights @ np.array(values)), weights @ np.stack(samples), people, confidence)


def _people(method: MethodResult | SeedsResult, name: str) -> int:
    if isinstance(method, SeedsResult):
        return method.people[name]
    found = method.verification.get(name)
    return found.people if found is not None else method.identification[name].people


def _same_lists(methods: Sequence[MethodResult]) -> None:
    for method in methods[1:]:
        if not _alike(method, methods[0]):
            names = f"{method.name} and {methods[0].name}"
            raise UserError(f"{names} were evaluated on different lists or with different settings: use one call")


def _alike(one: MethodResult, other: MethodResult) -> bool:
    if [*one.verification, *one.identification] != [*other.verification, *other.identification]:
        return False
    rows = [
        [row for each in method.verification.values() for row in (each.pairs.first, each.pairs.second)]
        + [each.outcomes.probe for each in method.identification.values()]
        + [np.array([0 if figure.samples is None else len(figure.samples) for figure in all_figures(method)])]
        for method in (one, other)
    ]
    return all(np.array_equal(a, b) for a, b in zip(*rows, strict=True))


def all_figures(method: MethodResult) -> list[Figure]:
    """Return the figures of a method on all lists."""
    return [figure for figures in figures_of(method).values() for figure in figures.values()]
