"""XYZ files: points as lines of numbers, also in TXT, PTS and CSV.

Evidence for a codec of our own (tests/formats/test_library_faults.py):
Open3D 0.20 leaves out lines that it does not understand, and reads nothing where commas separate, without an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import JUDGED_ROWS, Cloud, cloud_of_table, judge_columns
from face3d_data.formats.column_header import (
    COMMENT_MARKS,
    Named,
    check_wordy,
    name_by_comments,
    name_by_line,
    names_axes,
)
from face3d_data.formats.cost import check_line_lengths
from face3d_data.formats.decimal_comma import blank_separators
from face3d_data.formats.number_text import TextLines, blank_comments, split_lines
from face3d_data.formats.text_bytes import plain_text, text_head
from face3d_data.remarks import remark


def parse_xyz(data: bytes, name: str, columns: Sequence[str] | None = None) -> Cloud:
    """Return the cloud of a text with a point a line.

    Numbers are separated by blanks, commas or semicolons; where semicolons are there, or commas stand inside of numbers
    between blanks, a comma is a decimal one. From `#` or `//` on a line is a comment. A first line of words, or a
    comment before the points, that has x, y and z and a word for each column names the columns; those of unknown names
    are ignored. A first line of one number is the number of points, as PTS files have it.

    Args:
        data: the file.
        name: its name, for errors.
        columns: what the columns are, of `COLUMN_NAMES`; None: as the header says, or else as `judge_columns` finds.

    Raises:
        Unreadable: `unreadable`, with the line; `unknown_columns`.
    """
    text = plain_text(data, name)
    check_line_lengths(text, name)
    lines, named = _table_lines(text, name, columns is not None)
    if not len(lines.starts):
        raise Unreadable("unreadable", f"{name}: line 1: contains no points")
    odd = np.flatnonzero(lines.counts != lines.counts[0])
    if len(odd):
        said = f"{lines.counts[odd[0]]} numbers, the first point has {lines.counts[0]}"
        raise Unreadable("unreadable", f"{name}: line {lines.numbers[odd[0]]}: {said}")
    values = lines.parse(slice(None), name).reshape(-1, int(lines.counts[0]))
    names = columns or (named.names if named else judge_columns(values[:JUDGED_ROWS], name))
    if named and named.unknown:
        remark(f"{name}: unknown columns are ignored: {', '.join(named.unknown)[:100]}")
    return cloud_of_table(values, names, name)


def xyz_columns(head: bytes, name: str, columns: Sequence[str] | None = None) -> tuple[Sequence[str], np.ndarray]:
    """Return what the columns are, and the first rows f8 (R, k), of the beginning of a text.

    Args:
        head: the beginning of the file; its last line may be cut off.
        name: its name, for errors.
        columns: as for `parse_xyz`.

    Raises:
        Unreadable: as `parse_xyz`.
    """
    text = text_head(head, name)
    whole, _, _ = text.rpartition(b"\n")
    lines, named = _table_lines(whole or text, name, columns is not None)
    first = slice(0, JUDGED_ROWS)
    if not len(lines.starts) or (lines.counts[first] != lines.counts[0]).any():
        raise Unreadable("unreadable", f"{name}: its first rows differ in length")
    rows = lines.parse(first, name).reshape(-1, int(lines.counts[0]))
    return columns or (named.names if named else judge_columns(rows, name)), rows


def _table_lines(text: bytes, name: str, is_said: bool) -> tuple[TextLines, Named | None]:
    """Return the lines of numbers, and the names of columns where a header gives them.

    Args:
        text: the file, as `plain_text` gives it.
        name: its name, for errors.
        is_said: the user said what the columns are, so that no header matters.
    """
    rows = text
    for mark in COMMENT_MARKS:
        rows = blank_comments(rows, mark)
    lines = split_lines(blank_separators(rows, name, is_said or names_axes(text)))
    if not len(lines.starts):
        return lines, None
    header = None
    if not _is_number(lines.words(slice(0, 1)).split()[0]):
        header = int(lines.numbers[0])
        check_wordy(text.split(b"\n", header)[header - 1], f"{name}: line {header}")
        lines = lines.without_first()
    if len(lines.counts) > 1 and lines.counts[0] == 1 and lines.counts[1] > 1:
        lines = lines.without_first()
    if not len(lines.starts) or is_said:
        return lines, None
    width = int(lines.counts[0])
    if header is not None:
        line = text.split(b"\n", header)[header - 1]
        named = name_by_line(line, width, f"{name}: line {header}")
        if named is not None:
            return lines, named
    return lines, name_by_comments(text, width, name)


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
