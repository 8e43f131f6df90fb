"""Unmatched names in lists, queries and conditions: reported in one way, with the nearest name that exists."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from face3d_data.errors import did_you_mean
from face3d_data.names import loose_form
from face3d_data.plurals import counted

SHOWN = 5
NOTED = 3
"""Values that are each noted by itself."""
MOST_COMPARED = 20_000
"""With more names than this the nearest is sought among those alone that differ in case, blanks or the like."""


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Return what to add to a message about a name that nothing has: the nearest name, or nothing."""
    there = list(dict.fromkeys(known))
    form = loose_form(name)
    like = next((one for one in there if loose_form(one) == form), None)
    if like is None:  # a name without its dataset, or with another one
        person = form.partition("/")[2] or form
        like = next((one for one in there if loose_form(one.partition("/")[2]) == person), None)
    if like is not None:
        return f": did you mean {like!r}?"
    return did_you_mean(name, there) if len(there) <= MOST_COMPARED else ""


def lines_note(what: str, file: str, unused: Collection[str], total: int, known: Iterable[str]) -> str | None:
    """Return a note on lines of a list that name no row, or None where all do.

    Args:
        what: the option.
        file: name of the list.
        unused: lines that name nothing.
        total: lines of the list.
        known: what there is to be named.
    """
    if not unused:
        return None
    first = min(unused)
    return f"{what}: {len(unused)} of {total} lines of {file} name no row ({first} …){nearest_names(first, known)}"


def value_notes(what: str, name: str, wanted: Iterable[Any], there: Collection[Any]) -> list[str]:
    """Return a note on each of the first values that are asked for and that no row has, and one on the others.

    Args:
        what: what asks, for the message.
        name: tag or column.
        wanted: the values.
        there: the values that rows have.
    """
    lacking = [value for value in wanted if not _among(value, there)]
    notes = [_value_note(what, name, value, there) for value in lacking[:NOTED]]
    return notes + (
        [f"{what}: no row has {counted(len(lacking) - NOTED, 'more value')} of {name}"] if lacking[NOTED:] else []
    )


def _among(value: Any, there: Collection[Any]) -> bool:
    """Return whether a value is there as what it is: 1 is not True."""
    if value not in there:
        return False
    flag = isinstance(value, bool)
    return value not in (0, 1) or any(one == value and isinstance(one, bool) == flag for one in there)


def _value_note(what: str, name: str, wanted: Any, there: Iterable[Any]) -> str:
    values = sorted({*there}, key=lambda value: (str(type(value)), value))
    near = (
        nearest_names(wanted, [value for value in values if isinstance(value, str)]) if isinstance(wanted, str) else ""
    )
    if not near:
        other = [value for value in values if str(value) == str(wanted)]
        shown = ", ".join(map(repr, other or values[:SHOWN])) + (" …" if len(values) > SHOWN and not other else "")
        near = f" (there: {shown or 'no value'})"
    return f"{what}: no row has {name} {wanted!r}{near}"
