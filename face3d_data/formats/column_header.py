"""Column headers of point files in text: a line of words, or a comment, that names the columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import column_name

COMMENT_MARKS = (b"#", b"//")
_DELIMITERS = (b";", b"\t", b",")
_INTRODUCED = re.compile(rb"(?i)^(?:columns?|fields?|format|header|order|names?)\s*[:=]?\s+")
_NUMBERLIKE = re.compile(r"[^\w\s(\[]*[0-9]")
_OTHER_TERMS = frozenset(
    {*"uvwtijk", "id", "index", "time", "timestamp", "depth", "range", "row", "col", "column", "lat", "lon", "height"}
    | {"east", "north", "up", "easting", "northing", "elevation", "radius", "theta", "phi"}
)
"""Names of what is not x, y or z."""
LEAST_TERMS = 2
"""Words of a comment by which it is no prose."""
MOST_COMMENTS = 200
"""Lines at the beginning of a file that are checked."""


@dataclass(frozen=True)
class Named:
    """What a header says: names of `COLUMN_NAMES`, `-` for unknown ones, and these as the file calls them."""

    names: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def header_words(line: bytes) -> list[str]:
    """Return the names in a header, between the first of semicolons, tabs and commas that it has, or else blanks."""
    delimiter = next((mark for mark in _DELIMITERS if mark in line.strip()), None)
    words = [word.strip().strip("\"'").strip() for word in line.decode("utf-8", "replace").split(_text(delimiter))]
    return [word for word in words if word] if delimiter is None else words


def _text(delimiter: bytes | None) -> str | None:
    return None if delimiter is None else delimiter.decode()


def comment_lines(text: bytes) -> list[tuple[int, bytes]]:
    """Return (number from 1, text without its mark) of the comments that a file begins with."""
    found = []
    for number, line in enumerate(text[: 1 << 16].split(b"\n")[:MOST_COMMENTS], 1):
        line = line.strip()
        if line and not line.startswith(COMMENT_MARKS):
            break
        if line:
            found.append((number, line.lstrip(b"#/").strip()))
    return found


def names_axes(text: bytes) -> bool:
    """Return whether a comment before the first point, or the first line, has x, y and z among its words."""
    first = next((line for line in text[: 1 << 16].split(b"\n") if _is_content(line)), b"")
    lines = [first, *(line for _, line in comment_lines(text))]
    return any({"x", "y", "z"} <= set(map(column_name, header_words(_INTRODUCED.sub(b"", line)))) for line in lines)


def _is_content(line: bytes) -> bool:
    return bool(line.strip()) and not line.strip().startswith(COMMENT_MARKS)


def name_by_comments(text: bytes, width: int, name: str) -> Named | None:
    """Return what the last comment before the first point that names columns says, None where none does.

    A comment names columns where x, y and z are among its words and it has a word for each column; `columns:` and the
    like may stand before them.

    Args:
        text: the file.
        width: columns of its rows.
        name: the file's name, for errors.

    Raises:
        Unreadable: `unknown_columns`: a comment of nothing but names of columns has more or fewer than the rows, or
            one with a word for each column names others than x, y and z.
    """
    for number, line in reversed(comment_lines(text)):
        words = header_words(_INTRODUCED.sub(b"", line))
        known = [column_name(word) for word in words]
        if not {"x", "y", "z"} <= set(known):
            if len(words) == width and sum(map(_is_term, words)) >= LEAST_TERMS:
                raise _others(f"{name}: line {number}", words)
            continue
        if len(words) == width:
            return _named(words, f"{name}: line {number}")
        if None not in known:
            raise _misfit(f"{name}: line {number}", words, width)
    return None


def check_wordy(line: bytes, where: str) -> None:
    """Check that a first line that is not a point consists of words only: a damaged point is not a header.

    Raises:
        Unreadable: `unreadable`: a word starts like a number, possibly after a sign, a quote or a currency symbol.
    """
    words = [word for part in header_words(line) for word in part.split()]
    odd = next((word for word in words if _NUMBERLIKE.match(word)), None)
    if odd is not None:
        said = f"{_shown(words)!r} is neither a point nor a header: {odd[:40]!r} looks like a number"
        raise Unreadable("unreadable", f"{where}: {said}: fix it, or put # before it")


def name_by_line(line: bytes, width: int, where: str) -> Named | None:
    """Return what a first line of words says, None where it is a title rather than a header.

    Args:
        line: the line.
        width: columns of the rows below.
        where: file and line, for errors.

    Raises:
        Unreadable: `unknown_columns`: it names more or fewer columns than the rows have, or it has as many words and
            x, y and z are not among them.
    """
    words = header_words(line)
    known = [column_name(word) for word in words]
    if {"x", "y", "z"} <= set(known):
        if len(words) != width:
            raise _misfit(where, words, width)
        return _named(words, where)
    if len(words) == width:
        raise _others(where, words)
    if all(map(_is_term, words)):
        raise _misfit(where, words, width)
    return None


def _is_term(word: str) -> bool:
    """Return whether a word alone says that a column is named: `a` and `-` are words of prose too."""
    return column_name(word) not in (None, "-") or word.strip().lower() in _OTHER_TERMS


def _named(words: Sequence[str], where: str) -> Named:
    names = [column_name(word) for word in words]
    kept = [name for name in names if name not in (None, "-")]
    twice = next((name for i, name in enumerate(kept) if name in kept[:i]), None)
    if twice is not None:
        raise Unreadable("unknown_columns", f"{where}: {_shown(words)}: two columns are {twice}: set columns")
    unknown = tuple(word for word, name in zip(words, names, strict=True) if name is None)
    return Named(tuple(name or "-" for name in names), unknown)


def _others(where: str, words: Sequence[str]) -> Unreadable:
    said = f"of {_shown(words)} not all of x, y and z are known: set columns, or remove the line"
    return Unreadable("unknown_columns", f"{where}: {said}")


def _misfit(where: str, words: Sequence[str], width: int) -> Unreadable:
    said = f"names {len(words)} columns ({_shown(words)}), and the rows have {width}: set columns"
    return Unreadable("unknown_columns", f"{where}: {said}")


def _shown(words: Sequence[str]) -> str:
    return re.sub(r"\s+", " ", " ".join(words))[:80]
