"""Results of all methods as one evaluation: means over seeds, and differences that are paired over people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from face3d_training.evaluation.metrics.evaluate import combine_seeds, compare
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.results import DatasetFacts, Difference, Evaluation, MethodResult, SeedsResult


def put_together(
    facts: DatasetFacts,
    methods: dict[str, MethodResult],
    groups: Mapping[str, Sequence[str]],
    bare_of: Mapping[str, str],
    baselines: Sequence[str],
    settings: EvaluationSettings,
) -> Evaluation:
    """Return the evaluation: every method against every baseline, the first method, and its network without a back-end.

    Args:
        facts: what was judged on.
        methods: results by name.
        groups: methods that differ in their seeds alone, by a name for them together; they are compared as their mean.
        bare_of: networks of back-ends, by the back-end's name.
        baselines: names of the methods that are not networks.
        settings: those of the results.
    """
    seeds = [
        combine_seeds(name, [methods[run] for run in runs], settings.confidence)
        for each, members in groups.items()
        for name, runs in ((each, members), *_groups_with_back_ends(each, members, bare_of))
    ]
    return Evaluation(
        dataset=facts,
        methods=methods,
        differences=tuple(_differences(methods, seeds, bare_of, baselines, settings.confidence)),
        seeds=tuple(seeds),
        confidence=settings.confidence,
        resamples=settings.resamples,
        seed=settings.seed,
    )


def _groups_with_back_ends(
    group: str, runs: Sequence[str], bare_of: Mapping[str, str]
) -> Iterable[tuple[str, list[str]]]:
    """Yield the same runs with each back-end that all of them have."""
    endings = [name.removeprefix(bare) for name, bare in bare_of.items() if bare == runs[0]]
    for ending in endings:
        members = [run + ending for run in runs]
        if all(member in bare_of for member in members):
            yield group + ending, members


def _differences(
    methods: dict[str, MethodResult],
    seeds: Sequence[SeedsResult],
    bare_of: Mapping[str, str],
    baselines: Sequence[str],
    confidence: float,
) -> Iterable[Difference]:
    group_of = {name: group.name for group in seeds for name in group.methods}
    unit_of = {name: group_of.get(name, name) for name in methods if name not in baselines}
    results: dict[str, MethodResult | SeedsResult] = {**methods, **{group.name: group for group in seeds}}
    bare = {unit_of[name]: unit_of[network] for name, network in bare_of.items()}
    units = list(dict.fromkeys(unit_of.values()))
    for unit in units:
        for other in baselines:
            yield compare(results[unit], results[other], confidence)
    for unit in units[1:]:
        for other in dict.fromkeys((units[0], bare.get(unit, units[0]))):
            yield compare(results[unit], results[other], confidence)
