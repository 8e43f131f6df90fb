"""People known under several names: lists of `identity,same_as`, resolved to one name for each person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.text_bytes import read_text
from face3d_data.names import id_of, same_form
from face3d_data.tables.csv_text import csv_rows, header_text
from face3d_data.tables.lists import look_up
from face3d_data.tables.split import person_of
from face3d_data.tables.unmatched import nearest_names

COLUMNS = ("identity", "same_as")
IdentityPair = tuple[str, str]


def read_same_person(path: str | Path) -> list[IdentityPair]:
    """Return the lines of a CSV with the columns `identity` and `same_as`; further columns are not looked at.

    Both are people, `<dataset>/<person>` or the name of one (`d__anna`). Blank lines and lines that begin with `#` do
    not count.

    Raises:
        UserError: the file is not UTF-8 text, lacks a column, contains something other than people, or maps nobody.
    """
    path = Path(path)
    try:
        text = read_text(path)
    except Unreadable:
        raise UserError(f"{path}: is not UTF-8 text: give a CSV with the columns {','.join(COLUMNS)}") from None
    numbered = [
        (number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")
    ]
    rows = csv_rows("\n".join(line for _, line in numbered), str(path))
    header = [name.strip() for name in rows[0]] if rows else []
    if not set(COLUMNS) <= set(header):
        raise UserError(f"{path}: needs the columns {','.join(COLUMNS)} (has {header_text(header)})")
    if len(rows) != len(numbered):
        raise UserError(f"{path}: a quoted text spans several lines: write one person per line")
    places = [header.index(name) for name in COLUMNS]
    lines = [
        (_person(path, number, row, places[0]), _person(path, number, row, places[1]))
        for (number, _), row in zip(numbered[1:], rows[1:], strict=True)
    ]
    if all(identity == same_as for identity, same_as in lines):
        raise UserError(f"{path}: lists no one: remove the option, or fill the file")
    return lines


def _person(path: Path, number: int, row: Sequence[str], place: int) -> str:
    text = row[place].strip() if place < len(row) else ""
    identity = text if "/" in text else id_of(text)
    dataset, _, person = identity.partition("/")
    if not dataset or not person or "/" in person or "~" in person:
        raise UserError(f"{path}, line {number}: {text!r} is not a person: write <dataset>/<person>")
    return same_form(identity)


def one_name_each(lines: Iterable[IdentityPair]) -> dict[str, str]:
    """Return every name that is not the one kept, to the one that is.

    Names joined by a line, in whichever direction and by however many steps, are one person's. Kept is the name that
    the lines lead to: the one that itself is the same as no other. Of several of these, and if the lines form a cycle,
    the first by name is kept. So the result depends only on the lines, not on their order or on the people in the data.

    Args:
        lines: (identity, same_as).
    """
    lines = list(lines)
    first: dict[str, str] = {}
    for pair in lines:
        one, other = sorted(_root(first, name) for name in pair)
        first[other] = one
    leads_on = {identity for identity, same_as in lines if identity != same_as}
    groups: dict[str, list[str]] = {}
    for name in sorted(first):
        groups.setdefault(_root(first, name), []).append(name)
    kept = {root: min(names, key=lambda name: (name in leads_on, name)) for root, names in groups.items()}
    return {name: kept[root] for root, names in groups.items() for name in names if name != kept[root]}


def _root(first: dict[str, str], name: str) -> str:
    """Return the first name by which a group is known so far, shortening the way there."""
    way = []
    while first.setdefault(name, name) != name:
        way.append(name)
        name = first[name]
    first.update(dict.fromkeys(way, name))
    return name


def read_lists(files: Sequence[Path], base_dirs: Sequence[Path], where: str) -> list[tuple[str, list[IdentityPair]]]:
    """Return the name and the lines of each list.

    Args:
        files: CSVs; relative ones are looked up in `base_dirs`, in order.
        base_dirs: folders.
        where: what messages name first.

    Raises:
        UserError: a list does not exist or is not valid.
    """
    found = []
    for file in files:
        path = look_up(file, base_dirs)
        if path is None:
            raise UserError(f"{where}: same_person: {file} does not exist: correct the path")
        found.append((path.name, read_same_person(path)))
    return found


def look_up_names(
    files: Sequence[Path], base_dirs: Sequence[Path], people: Collection[str], where: str
) -> tuple[dict[str, str], list[str]]:
    """Return the name to keep of each other name in some lists, and notes on names that no row has.

    Args: see `read_lists`; `people` are those that there are.

    Raises:
        UserError: a list does not exist or is not valid.
    """
    lines: list[IdentityPair] = []
    notes: list[str] = []
    for list_name, mine in read_lists(files, base_dirs, where):
        lines += mine
        notes += unknown_names(list_name, mine, people)
    return one_name_each(lines), notes


def unknown_names(list_name: str, lines: Iterable[IdentityPair], people: Collection[str]) -> list[str]:
    """Return a note on names in a list that no row has, none where all have one.

    Args:
        list_name: the list, for the note.
        lines: its lines.
        people: those that there are.
    """
    names = {name for pair in lines for name in pair}
    unknown = sorted(names.difference(people))
    if not unknown:
        return []
    near = nearest_names(unknown[0], people)
    if len(unknown) == len(names):
        there = f", rows have {min(people)} …" if people else ""
        return [f"same_person: {list_name} joins nobody: no row is of {unknown[0]} …{there}{near}"]
    return [f"same_person: {len(unknown)} of {len(names)} people in {list_name} have no row ({unknown[0]} …){near}"]


def renamed(identities: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return identities with the names that are kept; a suffix (`~mirror`) stays."""
    found = []
    for identity in identities:
        person = person_of(identity)
        found.append(names.get(person, person) + identity[len(person) :])
    return found
