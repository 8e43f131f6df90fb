"""Numbers in text files: parsed by one C call, with the line of anything that is not a number."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.decimal_comma import decimal_points
from face3d_data.formats.text_bytes import unix_lines

_ENDS = rb"(?!\S)"
_REAL = rb"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:nan|inf(?:inity)?))"
_NO_REAL = re.compile(rb"(?<!\S)(?!" + _REAL + _ENDS + rb")\S{1,40}")
_NO_WHOLE = re.compile(rb"(?<!\S)(?![+-]?[0-9]+" + _ENDS + rb")\S{1,40}")


def line_at(data: bytes, offset: int) -> int:
    """Return the number, from 1, of the line that holds a byte."""
    return data.count(b"\n", 0, offset) + 1


class _NoNumber(Exception):
    """The line of a text, from 0, that holds something else than a number, and what."""

    def __init__(self, line: int, word: bytes) -> None:
        super().__init__(line, word)
        self.line = line
        self.word = repr(word[:40])[1:]


def strict_numbers(text: bytes | str, dtype: type = np.float64) -> np.ndarray:
    """Return the numbers of a text, separated by white space, parsed by NumPy.

    Raises:
        ValueError: something in it is no number. NumPy before 2.3 warns and returns the numbers that stand before it.
    """
    with warnings.catch_warnings(action="error", category=DeprecationWarning):
        try:
            return np.fromstring(text, dtype, sep=" ")
        except DeprecationWarning as warning:
            raise ValueError(str(warning)) from None


def _parse(text: bytes, whole: bool) -> np.ndarray:
    if not text or text.isspace():
        return np.zeros(0, np.int64 if whole else np.float64)
    try:
        values = strict_numbers(text, np.int64 if whole else np.float64)
    except ValueError:
        values = np.zeros(0)
    # The parser needs no blank between two numbers: it takes 1-2 and 0.5.5 for two.
    if len(values) == np.count_nonzero(_begins(np.frombuffer(text, np.uint8))):
        return values
    points = None if whole or b"," not in text else decimal_points(text)
    if points is not None:
        return _parse(points, whole)
    fault = (_NO_WHOLE if whole else _NO_REAL).search(text)
    raise _NoNumber(text.count(b"\n", 0, fault.start()) if fault else 0, fault.group() if fault else b"?")


def _begins(array: np.ndarray) -> np.ndarray:
    """Return for each byte of a text whether a word begins with it."""
    begins = array > 32
    begins[1:] &= array[:-1] <= 32
    return begins


def parse_numbers(text: bytes, where: str, first_line: int = 1, whole: bool = False) -> np.ndarray:
    """Return all numbers of a text, separated by white space, correctly rounded.

    Args:
        text: numbers and white space only.
        where: the file's name, said first in errors.
        first_line: number of the text's first line in its file.
        whole: only whole numbers are allowed.

    Returns:
        f8 (n,), or i8 (n,) where they are whole.

    Raises:
        Unreadable: `unreadable`, with the line of the first that is no number.
    """
    try:
        return _parse(text, whole)
    except _NoNumber as error:
        raise _unreadable(where, first_line + error.line, error, whole) from None


def _unreadable(where: str, line: int, error: _NoNumber, whole: bool) -> Unreadable:
    hint = ": write decimal points, not commas" if "," in error.word else ""
    said = f"{error.word} is not a {'whole ' if whole else ''}number{hint}"
    return Unreadable("unreadable", f"{where}: line {line}: {said}")


@dataclass(frozen=True)
class TextLines:
    """A text cut into lines that are not blank.

    Attributes:
        data: the text's bytes, u1 (n,).
        starts: int (L,), where each line's first word begins.
        ends: int (L,), where each ends, the line break left off.
        counts: int (L,), words in each.
        numbers: int (L,), each line's number in the file, from 1.
    """

    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    numbers: np.ndarray

    def parse(
        self,
        chosen: np.ndarray | slice,
        where: str,
        skip: int = 0,
        whole: bool = False,
        change: Callable[[bytes], bytes] | None = None,
    ) -> np.ndarray:
        """Return all numbers of some lines, f8 (n,), or i8 (n,) where they are whole.

        Args:
            chosen: which lines.
            where: the file's name, said first in errors.
            skip: bytes left off at the beginning of each line.
            whole: only whole numbers are allowed.
            change: what is done to the lines' text before; it must keep its line breaks.

        Raises:
            Unreadable: `unreadable`, with the line of the first that is no number.
        """
        text = self.words(chosen, skip)
        try:
            return _parse(change(text) if change else text, whole)
        except _NoNumber as error:
            raise _unreadable(where, int(self.numbers[chosen][error.line]), error, whole) from None

    def without_first(self) -> TextLines:
        """Return all lines but the first."""
        return TextLines(self.data, self.starts[1:], self.ends[1:], self.counts[1:], self.numbers[1:])

    def words(self, chosen: np.ndarray | slice, skip: int = 0) -> bytes:
        """Return the text of some lines, without the first `skip` bytes of each, in order, one a line."""
        starts, ends = self.starts[chosen] + skip, self.ends[chosen]
        if not len(starts):
            return b""
        if not skip and self.numbers[chosen][-1] - self.numbers[chosen][0] == len(starts) - 1:
            return self.data[starts[0] : ends[-1]].tobytes()
        sizes = np.maximum(ends - starts, 0) + 1
        # One number for each byte that is kept: the step from the one before.
        steps = np.ones(int(sizes.sum()), np.int64)
        steps[0] = starts[0]
        at = np.cumsum(sizes)[:-1]
        steps[at] = starts[1:] - (starts[:-1] + sizes[:-1] - 1)
        kept = self.data[np.minimum(np.cumsum(steps, out=steps), len(self.data) - 1)]
        kept[np.cumsum(sizes) - 1] = 10
        return kept.tobytes()


def split_lines(data: bytes, lines_before: int = 0) -> TextLines:
    """Return the lines of a text that hold more than white space; `\\n`, `\\r\\n` and `\\r` end them.

    Args:
        data: the text.
        lines_before: lines of its file before it.
    """
    data = unix_lines(data)
    array = np.frombuffer(data, np.uint8)
    if not len(array):
        none = np.zeros(0, np.int64)
        return TextLines(array, none, none, none, none)
    breaks = np.flatnonzero(array == 10)
    starts = np.concatenate([[0], breaks + 1])
    ends = np.concatenate([breaks, [len(array)]])
    if starts[-1] == len(array):
        starts, ends = starts[:-1], ends[:-1]
    begins = _begins(array)
    counts = np.add.reduceat(begins, starts, dtype=np.int64)
    full = np.flatnonzero(counts)
    indented = full[array[starts[full]] <= 32]
    if len(indented):
        words = np.flatnonzero(begins)
        starts[indented] = words[np.searchsorted(words, starts[indented])]
    return TextLines(array, starts[full], ends[full], counts[full], full + 1 + lines_before)


def blank_comments(data: bytes, mark: bytes = b"#") -> bytes:
    """Return the text with everything from `mark` to the end of its line as blanks, so that offsets stay."""
    if mark not in data:
        return data
    array = np.frombuffer(data, np.uint8)
    begins = array[: len(data) - len(mark) + 1] == mark[0]
    for i in range(1, len(mark)):
        begins &= array[i : len(begins) + i] == mark[i]
    marks = np.flatnonzero(begins)
    breaks = np.append(np.flatnonzero((array == 10) | (array == 13)), len(data))
    lines, first = np.unique(np.searchsorted(breaks, marks), return_index=True)
    return blank_spans(data, marks[first], breaks[lines])


def blank_spans(data: bytes, starts: np.ndarray, ends: np.ndarray) -> bytes:
    """Return the text with blanks in some spans, which do not overlap; `starts` and `ends` are int (S,)."""
    # No piece of text is made for each: a hostile file may be of nothing but comments.
    steps = np.zeros(len(data) + 1, np.int8)
    np.add.at(steps, starts, 1)
    np.add.at(steps, ends, -1)
    inside = np.cumsum(steps[:-1], dtype=np.int8, out=steps[:-1]) > 0
    array = np.frombuffer(data, np.uint8).copy()
    array[inside] = 32
    return array.tobytes()
