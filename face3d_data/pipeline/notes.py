"""What a run says of its rows: values that none has, people spelt in two ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from face3d_data.pipeline.people import same_person_lines
from face3d_data.store.manifest import Entry, value_of
from face3d_data.tables.same_person import one_name_each
from face3d_data.tables.spellings import spelling_lines
from face3d_data.tables.split import person_of
from face3d_data.tables.unmatched import value_note

if TYPE_CHECKING:
    from face3d_data.pipeline.spec import Pipeline, Step

Rows = Mapping[str, Sequence[Entry]]


def where_notes(step: Step, done: Rows) -> tuple[str, ...]:
    """Return a note for each value in a step's `where` that no row of its upstreams has."""
    rows = [entry for upstream in step.upstream for entry in done[upstream]] if step.where else []
    notes = []
    for name, wanted in step.where.items() if rows else ():
        there = {value for entry in rows if (value := value_of(entry, name)) is not None}
        values = wanted if isinstance(wanted, list) else [wanted]
        notes += [value_note("where", name, value, there) for value in values if value not in there]
    return tuple(notes)


def spelling_notes(done: Rows, pipeline: Pipeline) -> list[str]:
    """Return a note for each two people whose names are spelt apart alone, and that no list of the pipeline joins."""
    people = {person_of(entry.identity) for entries in done.values() for entry in entries}
    return spelling_lines(people, one_name_each(same_person_lines(pipeline)))
