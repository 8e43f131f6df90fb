"""Frozen splits: a list of people and their splits, matched with the people in the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.text_bytes import read_text
from face3d_data.plurals import counted, plural
from face3d_data.tables.assign import assign, exact
from face3d_data.tables.lists import look_up
from face3d_data.tables.places import read_places
from face3d_data.tables.unmatched import lines_note, nearest_names

PERSON = {"identity": "person", "capture": "capture"}
"""What the units of a list are called, by its column."""


@dataclass(frozen=True)
class Frozen:
    """Frozen list of splits, matched with the units in the data.

    Attributes:
        file: name of the list.
        unit_name: its column of units: `identity` or `capture`.
        lines: name to split, as listed.
        found: unit to split, for units that the list names under any of their names.
        notes: lines that match nobody.
    """

    file: str
    unit_name: str
    lines: Mapping[str, str]
    found: Mapping[str, str]
    notes: Sequence[str] = ()

    def topped_up(self, places: Mapping[str, str]) -> Iterator[str]:
        """Yield a note for each split that the list names and that holds others too."""
        listed = Counter(self.found.values())
        others = Counter(split for unit, split in places.items() if unit not in self.found)
        for split in sorted(set(self.lines.values())):
            if others[split]:
                yield (
                    f"frozen: {split} holds {counted(others[split], PERSON[self.unit_name])} besides the "
                    f"{listed[split]} that {self.file} names: only_listed: true keeps them out"
                )


def read_frozen(
    file: Path,
    base_dirs: Sequence[Path],
    unit_name: str,
    ratios: Mapping[str, Fraction],
    names: Mapping[str, Sequence[str]],
    step: str,
) -> Frozen:
    """Return a frozen list, matched with the units in the data.

    Args:
        file: CSV; a relative one is looked up in `base_dirs`, in order.
        base_dirs: folders.
        unit_name: `identity` or `capture`.
        ratios: the splits that there are.
        names: unit to the names under which the list may have it.
        step: id of the step, for messages.

    Raises:
        UserError: the file does not exist, does not fit, matches nobody, or puts one person into two splits.
    """
    path = look_up(file, base_dirs)
    if path is None:
        raise UserError(
            f"step {step!r}: frozen file {file} does not exist: write it with "
            f"'face3d split --freeze {file} PIPELINE', or correct 'frozen:'"
        )
    try:
        lines = read_places(read_text(path), unit_name, str(path))
    except Unreadable:
        raise UserError(f"{path}: is not UTF-8 text: give a CSV of {unit_name},split") from None
    unknown = sorted(set(lines.values()) - ratios.keys())
    if unknown:
        raise UserError(f"{path}: split {unknown[0]!r} is not among the ratios ({', '.join(ratios)}): add it")
    found = by_any_name(lines, names, str(path))
    known = {name for mine in names.values() for name in mine}
    unused = sorted(lines.keys() - known)
    if names and not found:
        raise UserError(
            f"step {step!r}: frozen: {path}: {_nobody(unused, len(lines), plural(PERSON[unit_name]), known)}"
        )
    note = lines_note("frozen", path.name, unused, len(lines), known)
    return Frozen(path.name, unit_name, lines, found, [note] if note else [])


def _nobody(unused: Sequence[str], total: int, what: str, known: set[str]) -> str:
    if not total:
        return "matches nobody: fill it, or leave out 'frozen'"
    near = nearest_names(unused[0], sorted(known)) or ": correct its first column"
    return f"none of its {total} lines is of anybody here ({unused[0]!r} …; {what} are called {min(known)!r} …){near}"


def by_any_name(places: Mapping[str, str], names: Mapping[str, Sequence[str]], frozen: str = "") -> dict[str, str]:
    """Return the place of each unit that has one under any of its names; the first that has one counts.

    Raises:
        UserError: a frozen file puts one person into two splits.
    """
    found = {}
    for unit, mine in names.items():
        there = [name for name in mine if name in places]
        split = {places[name]: name for name in reversed(there)}
        if frozen and len(split) > 1:
            raise UserError(
                f"{frozen}: "
                + " and ".join(f"{name!r} in {where!r}" for where, name in sorted(split.items()))
                + f" are the same person, {unit!r}: put both into one split, or remove a line"
            )
        if there:
            found[unit] = places[there[0]]
    return found


def assign_listed(
    groups: Mapping[str, str],
    ratios: Mapping[str, Fraction],
    kept: Mapping[str, str],
    seed: int,
    even: bool,
    frozen: Frozen,
    step: str,
) -> dict[str, str]:
    """Return the split of every unit, where splits that a list names hold the listed units and nobody else.

    All others are drawn among the other splits, by the shares that these have of one another.

    Args: see `assign`; `kept` also holds places of earlier runs.

    Raises:
        UserError: there are others, and no other split takes anybody.
    """
    closed = set(frozen.lines.values())
    listed = {unit: frozen.found[unit] for unit in groups if unit in frozen.found}
    rest = {unit: group for unit, group in groups.items() if unit not in listed}
    if not rest:
        return listed
    shares = {name: exact(ratio) for name, ratio in ratios.items() if name not in closed and ratio > 0}
    total = sum(shares.values(), Fraction())
    if not total:
        raise UserError(
            f"step {step!r}: only_listed: {frozen.file} names every split with a ratio, but not "
            f"{counted(len(rest), PERSON[frozen.unit_name])} ({min(rest)} …): list them, or give another split a ratio"
        )
    open_places = {unit: split for unit, split in kept.items() if split not in closed}
    drawn = assign(rest, {name: share / total for name, share in shares.items()}, open_places, seed, even)
    return {unit: listed.get(unit) or drawn[unit] for unit in groups}
