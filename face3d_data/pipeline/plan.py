"""Planning: the order of steps, and whether each gets the input that it needs, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from unicodedata import normalize

from face3d_data.errors import UserError, did_you_mean
from face3d_data.pipeline.frames import check_frames
from face3d_data.stage import Stage
from face3d_data.table import FIXED_COLUMNS, TableStep
from face3d_data.tables.query import parse_query, shown_query
from face3d_data.tables.query_rows import HIDDEN, unknown_name

if TYPE_CHECKING:
    from face3d_data.pipeline.spec import Pipeline, SourceStep, Step

ROW_COLUMNS = frozenset({"split", "dataset", "variant", "source", "identity", "n_points"})
"""Columns beside tags that a `where` may ask for."""


def in_order(steps: Sequence[Step], sources: set[str]) -> tuple[Step, ...]:
    """Return the steps so that each comes after its upstreams, otherwise as written.

    Raises:
        UserError: an id used twice, an upstream that does not exist, or a circle.
    """
    known = set(sources)
    for step in steps:
        if step.id in known:
            raise UserError(f"step {step.id!r}: the id is used twice: ids of sources and steps must be unique")
        known.add(step.id)
    for step in steps:
        for upstream in step.upstream:
            if upstream not in known:
                raise UserError(
                    f"step {step.id!r}: from: {upstream!r} is not a source or step ({', '.join(sorted(known))})"
                )
    placed, ordered, waiting = set(sources), [], list(steps)
    while waiting:
        ready = [step for step in waiting if placed.issuperset(step.upstream)]
        if not ready:
            raise UserError(f"steps {', '.join(step.id for step in waiting)} form a cycle: fix 'from'")
        ordered.append(ready[0])
        placed.add(ready[0].id)
        waiting.remove(ready[0])
    return tuple(ordered)


def check_plan(pipeline: Pipeline) -> None:
    """Check that every step and dataset can be fed by what is upstream of it.

    Raises:
        UserError: naming the step, the upstream and what is missing.
    """
    arrays = {source.id: frozenset(source.reader.provides()) for source in pipeline.sources}
    # What each could have if every source were given all its options: for the remedy in messages.
    options = {source.id: frozenset(source.reader.outputs) for source in pipeline.sources}
    tags = {source.id: _source_tags(source) for source in pipeline.sources}
    for step in pipeline.steps:
        upstream_tags = frozenset().union(*(tags[upstream] for upstream in step.upstream))
        _check_where(step, upstream_tags)
        for query in step.component.queries() if isinstance(step.component, TableStep) else ():
            _check_query(f"step {step.id!r}", query, upstream_tags)
        for upstream in step.upstream:
            _check_fed(pipeline, step, upstream, arrays[upstream], options[upstream])
        for known in (arrays, options):
            known[step.id] = _after(step, frozenset().union(*(known[upstream] for upstream in step.upstream)))
        tags[step.id] = frozenset().union(*(tags[u] for u in step.upstream)) | _tags_of(step)
        if step.assigns_split:
            tags[step.id] |= {"split"}
    check_frames(pipeline)
    for name, spec in pipeline.datasets.items():
        if spec.upstream not in arrays:
            raise UserError(f"dataset {name!r}: from: {spec.upstream!r} is not a source or step ({', '.join(arrays)})")
        for tag in spec.tags:
            if tag not in tags[spec.upstream]:
                hint = ", ".join(sorted(tags[spec.upstream] - {"split"}))
                raise UserError(
                    f"dataset {name!r}: tags: nothing upstream of {spec.upstream!r} declares {tag!r} (declared: {hint})"
                    f"{did_you_mean(tag, tags[spec.upstream])}"
                )
        for part, asked in (("gallery", spec.gallery), ("probe", spec.probe)):
            _check_query(f"dataset {name!r}: {part}", asked.query if asked is not None else None, tags[spec.upstream])
        for array in spec.fields:
            if array not in arrays[spec.upstream]:
                raise UserError(
                    f"dataset {name!r}: nothing upstream of {spec.upstream!r} makes {array!r}: add a stage that does"
                )


def _tags_of(step: Step) -> frozenset[str]:
    return frozenset(step.component.declared_tags())


def _source_tags(source: SourceStep) -> frozenset[str]:
    return frozenset({"mask", *source.reader.tag_names, *source.reader.declared_tags(), *source.tags})


def _after(step: Step, inherited: frozenset[str]) -> frozenset[str]:
    """Return the arrays that rows may have after a step."""
    if not isinstance(step.component, Stage):
        return inherited
    return (inherited - set(step.component.drops)) | step.component.created()


def _check_fed(
    pipeline: Pipeline, step: Step, upstream: str, present: frozenset[str], with_options: frozenset[str]
) -> None:
    if not isinstance(step.component, Stage) or step.component.missing(present) is None:
        return
    if step.component.missing(with_options) is None:
        for source in pipeline.sources:
            more = ", ".join(sorted(set(source.reader.outputs) - set(source.reader.provides())))
            if more:
                raise UserError(
                    f"step {step.id!r} ({step.component.name}): source {source.id!r} gives {more} only with more "
                    f"options: see `face3d readers {source.reader.name}`"
                )
    wants = " or ".join("+".join(group) for group in step.component.groups())
    has = ", ".join(sorted(present)) or "nothing"
    raise UserError(
        f"step {step.id!r} ({step.component.name}) needs {wants}, but {upstream!r} gives only {has}: "
        "add a stage before it that does"
    )


def _check_where(step: Step, tags: frozenset[str]) -> None:
    for name in step.where:
        if name not in tags | (ROW_COLUMNS - {"split"}):
            hint = "put a split step before it" if name == "split" else f"declared: {', '.join(sorted(tags))}"
            near = did_you_mean(name, tags | ROW_COLUMNS)
            raise UserError(f"step {step.id!r}: where: no upstream of it declares {name!r} ({hint}){near}")


def _check_query(where: str, query: str | None, tags: frozenset[str]) -> None:
    """Check that every name in a query is a column or a tag that something upstream declares."""
    known = [*(name for name in FIXED_COLUMNS if name not in HIDDEN), *sorted(tags - {*FIXED_COLUMNS})]
    forms = {normalize("NFKC", name) for name in known}
    for name in parse_query(query).names if query else ():
        if name not in forms:
            raise UserError(f"{where}: query {shown_query(str(query))}: {unknown_name(name, known)}")
