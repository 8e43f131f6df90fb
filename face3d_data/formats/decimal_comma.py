"""Decimal commas in numeric text: read as decimal commas, or refused; never taken for separators."""

from __future__ import annotations

import re

from face3d_data.errors import Unreadable

REMEDY = "write decimal points, or semicolons between the columns"
LOOKED_AT_BYTES = 1 << 16
_LOOKED_AT_WORDS = 4096
COLUMN_COUNTS = (3, 6, 7)
"""Columns that a cloud without a header may have."""
_TO_BLANKS = bytes.maketrans(b",;", b"  ")
_TO_POINTS = bytes.maketrans(b",;", b". ")
_POWER = rb"(?:[eE][+-]?[0-9]+)?"
_COMMA = re.compile(rb"[+-]?[0-9]+,[0-9]+" + _POWER)
_WHOLE = re.compile(rb"[+-]?[0-9]+" + _POWER)
_POINT = re.compile(rb"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)" + _POWER)
_THOUSANDS = re.compile(rb"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+\.[0-9]*")
_THOUSANDS_BY_POINTS = re.compile(rb"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+,[0-9]*")
_EMPTY = re.compile(rb"[\n,;][ \t\r]*[,;]")
_TITLE = re.compile(rb"[\s\"',;]*[A-Za-z_]")
_LONGEST_LINE = 1 << 16
_THREE_DIGITS = re.compile(rb"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_NUMBERS = re.compile(rb"[\s0-9eE+\-.,]+")
_NEEDLESS_ZERO = re.compile(rb"(?:^|,)0[0-9]")


def blank_separators(text: bytes, name: str, is_named: bool = False) -> bytes:
    """Return a text of columns with blanks alone between numbers and points as decimals.

    Where semicolons are there, they part the columns and a comma is a decimal one. Between blanks or tabs, a comma
    inside a number is a decimal one too: `12,5 3,25 7,0`.

    Args:
        text: rows of numbers parted by blanks, tabs, commas or semicolons, without comments; there may be a header.
        name: the file's name, for errors.
        is_named: it is said what the columns are, so that six numbers between commas are six columns.

    Raises:
        Unreadable: `unreadable`: commas may be decimal ones as well as separators, or part thousands; or nothing
            stands between two separators.
    """
    _check_cells(text, name)
    if b";" in text:
        return text.translate(_TO_POINTS)
    if b"," not in text:
        return text
    rows = _rows(text)
    kinds = {_kind(row) for row in rows}
    doubtful = next((row for row in rows if _kind(row) == "doubtful"), None)
    if doubtful is None and not is_named and _may_be_pairs(rows):
        doubtful = rows[0]
    if doubtful is None and "decimal" in kinds and kinds <= {"decimal", "whole"} and not _is_decimal(rows):
        doubtful = next(row for row in rows if _kind(row) == "decimal")
    if doubtful is not None:
        said = f"{b' '.join(doubtful)[:60].decode('latin-1')!r}: are these decimal commas? {REMEDY}"
        line = text.count(b"\n", 0, text.find(doubtful[0])) + 1
        raise Unreadable("unreadable", f"{name}: line {line}: {said}")
    is_decimal = "decimal" in kinds and "parted" not in kinds
    return text.translate(_TO_POINTS if is_decimal else _TO_BLANKS)


def _check_cells(text: bytes, name: str) -> None:
    """Check that no number is missing between separators: the next would take its place."""
    begin = b"\n" if b"," in text[:_LONGEST_LINE] or b";" in text[:_LONGEST_LINE] else b""
    for found in _EMPTY.finditer(begin + text):
        at = found.end() - 1 - len(begin)
        first = text.rfind(b"\n", 0, at) + 1
        if not _TITLE.match(text, first):
            line = text.count(b"\n", 0, at) + 1
            raise Unreadable("unreadable", f"{name}: line {line}: an empty cell: fill it, or remove the line")


def _may_be_pairs(rows: list[list[bytes]]) -> bool:
    """Return whether six whole numbers a row, between commas, may be three with decimal commas: no sign forbids it."""
    if not rows or any(len(row) != 1 or b"." in row[0] for row in rows):
        return False
    cells = [row[0].split(b",") for row in rows]
    return all(len(row) == 6 and all(cell.isdigit() for cell in row[1::2]) for row in cells)


def _rows(text: bytes) -> list[list[bytes]]:
    """Return the words of some lines from the first comma on, headers left out."""
    begin = text.rfind(b"\n", 0, text.index(b",")) + 1
    piece = text[begin : begin + LOOKED_AT_BYTES]
    if begin + LOOKED_AT_BYTES < len(text):
        piece = piece[: piece.rfind(b"\n") + 1] or piece
    return [line.split() for line in piece.split(b"\n") if line.strip() and _NUMBERS.fullmatch(line)]


def _kind(row: list[bytes]) -> str:
    """Return what a row's commas are: decimal, parted (they part numbers), whole (there is none), or doubtful."""
    joined = b" ".join(row)
    if len(row) < 3:
        alone = len(row) == 1 and b"." not in joined and joined.count(b",") >= 3
        return "doubtful" if alone and _NEEDLESS_ZERO.search(joined) else "parted"
    if any(_THOUSANDS.fullmatch(word) or _THOUSANDS_BY_POINTS.fullmatch(word) for word in row):
        return "doubtful"
    bare = [word.removesuffix(b",") for word in row]
    commas = sum(_COMMA.fullmatch(word) is not None for word in bare)
    points = sum(_POINT.fullmatch(word) is not None for word in bare)
    wholes = sum(_WHOLE.fullmatch(word) is not None for word in bare)
    if commas + points + wholes < len(row) or not commas:
        return "whole" if wholes == len(row) and bare == row else "parted"
    return "doubtful" if points or bare != row else "decimal"


def _is_decimal(rows: list[list[bytes]]) -> bool:
    """Return whether commas inside of words, all of which may be decimal ones, can be nothing else."""
    words = [word for row in rows for word in row]
    with_comma = [word for word in words if b"," in word]
    if len(with_comma) == len(words):
        return True
    if all(map(_THREE_DIGITS.fullmatch, with_comma)):
        return False  # 1,234 beside 7 may be a thousand and some
    places = {tuple(b"," in word for word in row) for row in rows}
    return len(places) > 1 or len(rows[0]) in COLUMN_COUNTS


def decimal_points(text: bytes) -> bytes | None:
    """Return a text in whose format no comma parts numbers with its decimal commas as points.

    Args:
        text: numbers and white space.

    Returns:
        The text, or None where its commas are no decimal ones for certain.
    """
    with_comma = [word for word in text.split() if b"," in word]
    if not with_comma or not all(map(_COMMA.fullmatch, with_comma)):
        return None
    doubtful = len(with_comma) < len(text.split()) and all(map(_THREE_DIGITS.fullmatch, with_comma))
    return None if doubtful else text.translate(_TO_POINTS)


def is_decimal_list(text: bytes, of_points: bool) -> bool:
    """Return whether a list in which commas part numbers, as in VRML, looks as if they were decimal ones.

    They do with one inside of every word, `12,5 3,25 7,0`, and in points where one stands inside of a word although
    neither all numbers are parted by commas nor it ends a point: `0 0 0 1,5 0 2`.

    Args:
        text: the list.
        of_points: its numbers are x y z of points.
    """
    words = text[:LOOKED_AT_BYTES].split(maxsplit=_LOOKED_AT_WORDS)[:_LOOKED_AT_WORDS]
    if len(words) >= 3 and all(_COMMA.fullmatch(word.removesuffix(b",")) for word in words[:-1]):
        return True
    if not of_points:
        return False
    n_before, by_blanks, inside_a_point = 0, False, False
    for word, following in zip(words, [*words[1:], b","], strict=True):
        cells = word.strip(b",").split(b",")
        inside_a_point |= any((n_before + i) % 3 for i in range(1, len(cells)))
        by_blanks |= not (word.endswith(b",") or following.startswith(b","))
        n_before += len(cells)
    return by_blanks and inside_a_point
