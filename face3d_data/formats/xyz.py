"""Points as lines of numbers: XYZ, TXT, PTS, CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import JUDGED_ROWS, Cloud, cloud_of_table, column_name, judge_columns
from face3d_data.formats.number_text import Lines, blank_comments, split_lines

_BLANKS = bytes.maketrans(b",;\t", b"   ")
_DECIMAL_COMMA = bytes.maketrans(b",;\t", b".  ")


def parse_xyz(data: bytes, name: str, columns: Sequence[str] | None = None) -> Cloud:
    """Return the cloud of a text with a point a line.

    Numbers are separated by blanks, commas or semicolons; where semicolons are there, a comma is a decimal one. From
    `#` or `//` on a line is a comment. A first line of words is a header: it names the columns if all its words are
    known names. A first line of one number is the number of points, as PTS files have it.

    Args:
        data: the file.
        name: its name, for errors.
        columns: what the columns are, of `COLUMN_NAMES`; None: as the header says, or else as `judge_columns` finds.

    Raises:
        Unreadable: `unreadable`, with the line; `unknown_columns`.
    """
    lines, named = _table_lines(data, name)
    if not len(lines.starts):
        raise Unreadable("unreadable", f"{name}: line 1: holds no point")
    odd = np.flatnonzero(lines.counts != lines.counts[0])
    if len(odd):
        said = f"{lines.counts[odd[0]]} numbers, the first point has {lines.counts[0]}"
        raise Unreadable("unreadable", f"{name}: line {lines.numbers[odd[0]]}: {said}")
    values = lines.parse(slice(None), name).reshape(-1, int(lines.counts[0]))
    names = columns or named or judge_columns(values[:JUDGED_ROWS], name)
    return cloud_of_table(values, names, name)


def xyz_columns(head: bytes, name: str) -> tuple[str, ...]:
    """Return what the columns are, from the beginning of a text (its last line may be cut off).

    Raises:
        Unreadable: as `parse_xyz`.
    """
    whole, _, _ = head.rpartition(b"\n")
    lines, named = _table_lines(whole or head, name)
    first = slice(0, JUDGED_ROWS)
    if named or not len(lines.starts) or (lines.counts[first] != lines.counts[0]).any():
        return named or ("x", "y", "z")
    return judge_columns(lines.parse(first, name).reshape(-1, int(lines.counts[0])), name)


def _table_lines(data: bytes, name: str) -> tuple[Lines, tuple[str, ...] | None]:
    """Return the lines of numbers, and the names of columns where a header line gives them all."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    text = blank_comments(blank_comments(data), b"//").translate(_DECIMAL_COMMA if b";" in data else _BLANKS)
    lines = split_lines(text)
    if not len(lines.starts):
        return lines, None
    first = lines.words(slice(0, 1))
    known = [column_name(word.decode("latin-1")) for word in first.split()]
    if not _is_number(first.split()[0]):
        names = tuple(word for word in known if word is not None)
        return lines.without_first(), names if len(names) == len(known) and {"x", "y", "z"} <= set(names) else None
    alone = lines.counts[0] == 1 and len(lines.counts) > 1 and lines.counts[1] > 1
    return (lines.without_first() if alone else lines), None


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
