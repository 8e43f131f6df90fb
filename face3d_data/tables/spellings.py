"""Spellings of names: people whose names differ only in spelling, or by `_masked`, are suspected to be one.

They are never merged.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from face3d_data.names import loose_form
from face3d_data.plurals import counted

SHOWN = 3
MASKED = re.compile(r"(?P<person>.*[^/])[_\- ]masked", re.IGNORECASE | re.DOTALL)
"""A name that says that its person wears a mask, as of the folders `105` and `105_masked` of one person."""


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


def masked_names(people: Iterable[str], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (person, person with `_masked` behind the name) for each person who is there under both names, sorted.

    Args:
        people: identities, `<dataset>/<person>`.
        names: as in `spellings`.
    """
    known = set(people)
    found = []
    for masked in known:
        match = MASKED.fullmatch(masked)
        plain = match["person"] if match else ""
        if plain in known and names.get(plain, plain) != names.get(masked, masked):
            found.append((plain, masked))
    return sorted(found)


def spelling_lines(people: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return a line for each of the first people of `spellings` and of `masked_names`, and on how many more there are.

    Args:
        people: identities, `<dataset>/<person>`.
        names: as in `spellings`.
    """
    known = set(people)
    spelt = [(group, "spelt apart alone") for group in spellings(known, names)]
    lines = _lines(spelt, "rename one, or list them for same_person of 'combine'")
    masked = [(pair, "one name, and with a mask") for pair in masked_names(known, names)]
    return lines + _lines(
        masked, "a pattern with {identity}[_{masked:flag}] reads them as one, or list them for same_person of 'combine'"
    )


def _lines(groups: Sequence[tuple[tuple[str, ...], str]], remedy: str) -> list[str]:
    notes = [
        f"suspected to be one person: {' and '.join(map(repr, group))} ({why}): {remedy}"
        for group, why in groups[:SHOWN]
    ]
    more = len(groups) - SHOWN
    return notes + ([f"suspected to be one person: {counted(more, 'more group')}"] if more > 0 else [])
