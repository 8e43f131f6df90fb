"""Notes of a run on its rows: values that no row has, two spellings of a name, rows in no dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.pipeline.people import same_person_lines
from face3d_data.plurals import counted
from face3d_data.store.manifest import Manifest
from face3d_data.tables.same_person import one_name_each
from face3d_data.tables.spellings import spelling_lines
from face3d_data.tables.split import person_of
from face3d_data.tables.unmatched import value_notes

if TYPE_CHECKING:
    from face3d_data.pipeline.result import StepResult
    from face3d_data.pipeline.spec import Pipeline, Step

RowsByStep = Mapping[str, Manifest]


def where_notes(step: Step, done: RowsByStep) -> tuple[str, ...]:
    """Return a note for each value in a step's `where` that no row of its upstreams has."""
    several = [done[upstream] for upstream in step.upstream if len(done[upstream])]
    notes: list[str] = []
    for name, wanted in step.where.items() if several else ():
        columns = [rows.column(name) for rows in several]
        there = {column.values[code] for column in columns for code in np.unique(column.codes).tolist() if code >= 0}
        notes += value_notes("where", name, wanted if isinstance(wanted, list) else [wanted], there)
    return tuple(notes)


def spelling_notes(done: RowsByStep, pipeline: Pipeline) -> list[str]:
    """Return a note for each two people whose names are spelt apart alone, and that no list of the pipeline joins."""
    people = {person_of(name) for rows in done.values() for name in rows.column("identity").values}
    return spelling_lines(people, one_name_each(same_person_lines(pipeline)))


def lost_rows(done: RowsByStep, pipeline: Pipeline) -> list[str]:
    """Return a note for each source or step with rows that no dataset has, though no dirty row says why.

    A row goes on where a step that leads to a dataset takes it: it is an output's origin there, or dirty. What none of
    these takes is lost: passed over by their `where`, or going nowhere from the start.
    """
    if not pipeline.datasets:
        return []
    ends = {spec.upstream for spec in pipeline.datasets.values()}
    leads = pipeline.upstream_of(ends)
    leads.update(source.id for source in pipeline.sources)
    notes = []
    for name in pipeline.ids:
        takers = [step for step in pipeline.steps if name in step.upstream and step.id in leads]
        if name in ends or name not in leads or any(not step.where for step in takers):
            continue
        rows = done[name]
        taken = [rows.matches(step.where) for step in takers]
        lost = int((~np.logical_or.reduce([np.zeros(len(rows), bool), *taken])).sum())
        if lost:
            passed_by = " and ".join(step.id for step in takers)
            why = f"where of step {passed_by}" if takers else "no step that leads to one takes them"
            notes.append(f"{counted(lost, f'row of {name} is', f'rows of {name} are')} in no dataset: {why}")
    return notes


def nothing_left(results: Sequence[StepResult], done: RowsByStep, pipeline: Pipeline) -> str:
    """Return why nothing is left, by the first source or step that has no row."""
    empty = next(result for result in results if not result.outputs)
    if empty.inputs:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(empty.reasons.items()))
        remedy = f"see `face3d dirty`, and correct the options of {empty.id!r}"
        return f"{empty.id!r}: none of its {empty.inputs} inputs is left ({reasons}): {remedy}"
    step = pipeline.step(empty.id)
    rows = sum(len(done[upstream]) for upstream in step.upstream)
    wanted = ", ".join(f"{name}: {value}" for name, value in step.where.items())
    notes = "; ".join(note.removeprefix("where: ") for note in where_notes(step, done))
    why = f" ({notes})" if notes else ""
    whose = f"the {rows} rows of {', '.join(step.upstream)}"
    return f"step {step.id!r} takes none of {whose}: where: {{{wanted}}}{why}: correct it"
