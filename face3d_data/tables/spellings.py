"""Spellings of names: people whose names differ only in spelling are suspected to be one, and never merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from face3d_data.names import loose_form
from face3d_data.plurals import counted

SHOWN = 3


def spellings(people: Iterable[str], names: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return groups of people whose names differ only in case, blanks or compatibility form, sorted.

    Args:
        people: identities, `<dataset>/<person>`.
        names: name to the one that is kept, for names that lists call one person: these are known, not suspected.
    """
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for person in people:
        groups[loose_form(person)].add(names.get(person, person))
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def spelling_lines(people: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return a line for each of the first groups of `spellings`, and one on how many more there are."""
    found = spellings(people, names)
    notes = [
        f"suspected to be one person: {' and '.join(map(repr, group))} (spelt apart alone): rename one, or "
        "list them for same_person of 'combine'"
        for group in found[:SHOWN]
    ]
    return notes + (
        [f"suspected to be one person: {counted(len(found) - SHOWN, 'more group')}"] if len(found) > SHOWN else []
    )
