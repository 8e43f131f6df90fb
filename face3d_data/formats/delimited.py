"""Delimited text (CSV): a header and one record per line, parsed strictly, each fault with its line number.

RFC 4180 with three differences: the delimiter may be `;` or a tab, as spreadsheets write them; spaces round a cell do
not count; and a cell contains no line break, so that an unclosed quote costs its own line and not the rest of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from face3d_data.errors import Unreadable
from face3d_data.formats.text_bytes import read_head, read_plain, text_head

DELIMITERS: dict[str, str] = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


@dataclass(frozen=True)
class ListHeader:
    """A list's first line: the columns' names (`""` where one has none), the delimiter, and the line's number."""

    names: tuple[str, ...]
    delimiter: str
    line: int


@dataclass(frozen=True)
class ListRecord:
    """One record: its line number from 1, and its cells, or what is wrong with it (then the cells may be empty)."""

    number: int
    cells: tuple[str, ...] = ()
    fault: str | None = None


def read_header(path: str | Path, needed: Collection[str]) -> ListHeader:
    """Return a list's header.

    Args:
        path: the file.
        needed: names of columns that must be there. The delimiter is the one with which they are.

    Raises:
        ValueError: naming the file and what is wrong with its first line.
    """
    path = Path(path)
    return _header(_lines(path, 64 * 1024), path, needed)[0]


def read_lines(path: str | Path, needed: Collection[str]) -> tuple[ListHeader, Iterator[ListRecord]]:
    """Return a list's header and its records; lines without text are left out.

    Args:
        path: the file.
        needed: as for `read_header`.

    Raises:
        ValueError: naming the file and what is wrong with its first line; faults of other lines are in the records.
    """
    path = Path(path)
    lines = _lines(path)
    header, at = _header(lines, path, needed)
    return header, _records(lines, at, header)


def _lines(path: Path, most_bytes: int | None = None) -> list[bytes]:
    try:
        if most_bytes is None:
            return read_plain(path).splitlines()
        return text_head(read_head(path, most_bytes), path.name).splitlines()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Unreadable as error:
        raise ValueError(f"{path.parent / error.detail}") from None


def _header(lines: list[bytes], path: Path, needed: Collection[str]) -> tuple[ListHeader, int]:
    """Return the header and the index of the line after it."""
    at = next((i for i, line in enumerate(lines) if line.strip()), None)
    if at is None:
        raise ValueError(f"{path}: is empty: expected a first line that names the columns")
    readings: dict[str, tuple[str, ...]] = {}
    fault = ""
    for delimiter in DELIMITERS:
        try:
            readings[delimiter] = _cells(lines[at], delimiter)
        except ValueError as error:
            fault = str(error)
    fitting = [delimiter for delimiter, names in readings.items() if set(needed) <= set(names)]
    if len(fitting) != 1:
        raise ValueError(f"{path}, line {at + 1}: {_misfit(readings, needed, fault)}")
    names = readings[fitting[0]]
    twice = next((name for i, name in enumerate(names) if name and name in names[:i]), None)
    if twice is not None:
        raise ValueError(f"{path}, line {at + 1}: two columns are named {twice!r}: rename one")
    return ListHeader(names, fitting[0], at + 1), at + 1


def _misfit(readings: dict[str, tuple[str, ...]], needed: Collection[str], fault: str) -> str:
    if fault:
        return fault
    names = max(readings.values(), key=len)
    missing = [name for name in needed if name not in names]
    if not missing and len(names) > 1:
        return f"the delimiter of the columns is ambiguous: use one of {_delimiters()}, and quotes round the others"
    if not missing:
        return f"one column only, {names[0]!r}: expected a file's column next to it, and {_delimiters()} between them"
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"no column {missing[0]!r} (there are: {shown}), with {_delimiters()} between them"


def _delimiters() -> str:
    *first, last = DELIMITERS.values()
    return f"{', '.join(first)} or {last}"


def _records(lines: list[bytes], at: int, header: ListHeader) -> Iterator[ListRecord]:
    wanted = len(header.names)
    for number, data in enumerate(lines[at:], at + 1):
        if not data.strip():
            continue
        try:
            cells = _cells(data, header.delimiter)
        except ValueError as error:
            yield ListRecord(number, (), str(error))
            continue
        wrong = len(cells) != wanted
        fault = f"{len(cells)} fields, and the header has {wanted}" if wrong else None
        yield ListRecord(number, cells, fault)


def _cells(data: bytes, delimiter: str) -> tuple[str, ...]:
    """Return a line's cells.

    Raises:
        ValueError: it is not UTF-8, holds a zero byte, or a quote is not closed.
    """
    if b"\0" in data:
        raise ValueError(f"contains a zero byte (character {data.index(0) + 1})")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (byte {error.start + 1} of the line)") from None
    try:
        cells = next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True), [])
    except csv.Error as error:
        said = "a quote is not closed" if "unexpected end" in str(error) else str(error)
        raise ValueError(said) from None
    return tuple(cell.strip() for cell in cells)
