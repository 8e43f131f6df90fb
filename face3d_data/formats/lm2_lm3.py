"""`.lm2` and `.lm3`: labelled landmarks in text, in px of a picture or in mm. Line ends of any kind.

`.lm3`: header lines, the last of which says `N landmarks:`; then N times a line with the label and one with `x y z`.
`.lm2`: a comment, `N landmarks...`, `Labels:`, N labels, `2D Image coordinates:`, N lines `x y`. Both have blank lines
in places, so what matters is found by its words and never by the number of its line. A landmark that was not seen is
simply absent.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.number_text import strict_numbers
from face3d_data.formats.text_bytes import read_text

MOST_BYTES = 100_000
"""Some twenty landmarks take a thousand bytes; a file longer than this holds something else."""
FARTHEST = 1e6
_COUNT = re.compile(r"\s*([0-9]{1,6})\s+landmarks\b", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")

NumberedLines = list[tuple[int, str]]
Marks = dict[str, tuple[float, ...]]


def read_lm3(path: str | Path) -> Marks:
    """Return the landmarks of a `.lm3` file: label to x, y, z as the file has them.

    Raises:
        Unreadable: `unreadable`, with the line that is wrong, or at which the file ends too early.
    """
    path = Path(path)
    lines = _lines(path)
    count, start = _count(lines, path.name)
    both = _take(lines, start, 2 * count, path.name)
    _end(lines, start + 2 * count, path.name, count)
    return _marks(both[::2], both[1::2], 3, path.name)


def read_lm2(path: str | Path) -> Marks:
    """Return the landmarks of a `.lm2` file: label to x, y in px.

    Raises:
        Unreadable: as `read_lm3`.
    """
    path = Path(path)
    lines = _lines(path)
    count, start = _count(lines, path.name)
    start = _after(lines, start, path.name, re.compile("labels", re.IGNORECASE), "'Labels:'")
    labels = _take(lines, start, count, path.name)
    words = re.compile(".*coordinates", re.IGNORECASE)
    start = _after(lines, start + count, path.name, words, "'2D Image coordinates:'")
    points = _take(lines, start, count, path.name)
    _end(lines, start + count, path.name, count)
    return _marks(labels, points, 2, path.name)


def _lines(path: Path) -> NumberedLines:
    """Return (number, text) of every line that is not blank."""
    # Latin-1 takes any byte: labels that nobody knows do no harm, and what must be a number is checked.
    texts = map(str.strip, read_text(path, MOST_BYTES, "latin-1", "for a list of landmarks").split("\n"))
    lines = [(number, text) for number, text in enumerate(texts, 1) if text]
    if not lines:
        raise Unreadable("unreadable", f"{path.name}: the file is empty")
    return lines


def _count(lines: NumberedLines, name: str) -> tuple[int, int]:
    """Return how many landmarks the file says it has, and the place of the line after that."""
    start = _after(lines, 0, name, _COUNT, "a line 'N landmarks'")
    match = _COUNT.match(lines[start - 1][1])
    return int(match[1]) if match else 0, start


def _after(lines: NumberedLines, start: int, name: str, wanted: re.Pattern[str], words: str) -> int:
    for place in range(start, len(lines)):
        if wanted.match(lines[place][1]):
            return place + 1
    raise Unreadable("unreadable", f"{name}: line {lines[-1][0]}: the file ends without {words}")


def _take(lines: NumberedLines, start: int, count: int, name: str) -> NumberedLines:
    taken = lines[start : start + count]
    if len(taken) < count:
        missing = f"{count - len(taken)} of {count} lines of landmarks are missing"
        raise Unreadable("unreadable", f"{name}: line {lines[-1][0]}: the file is truncated: {missing}")
    return taken


def _end(lines: NumberedLines, end: int, name: str, count: int) -> None:
    if len(lines) > end:
        number, text = lines[end]
        raise Unreadable("unreadable", f"{name}: line {number}: {text[:60]!r} after the last of {count} landmarks")


def _marks(labels: NumberedLines, points: NumberedLines, size: int, name: str) -> Marks:
    marks = {text: tuple(point) for (_, text), point in zip(labels, _points(points, size, name), strict=True)}
    if len(marks) < len(labels):
        last = {text: number for number, text in labels}
        number, text = next((last[text], text) for number, text in labels if last[text] != number)
        raise Unreadable("unreadable", f"{name}: line {number}: {text[:60]!r} appears twice")
    return marks


def _points(lines: NumberedLines, size: int, name: str) -> list[list[float]]:
    """Return each line's numbers; all lines are parsed at once, and looked at one by one only if one is wrong."""
    with suppress(ValueError):
        values = strict_numbers(" ".join([text for _, text in lines]))
        fit = all(len(text.split()) == size for _, text in lines)
        if fit and len(values) == size * len(lines) and (np.abs(values) <= FARTHEST).all():
            return values.reshape(-1, size).tolist()
    for number, text in lines:
        words = text.split()
        if len(words) != size or not all(map(_NUMBER.match, words)):
            raise Unreadable("unreadable", f"{name}: line {number}: expected {size} numbers, found {text[:60]!r}")
        if max(abs(float(word)) for word in words) > FARTHEST:
            raise Unreadable("unreadable", f"{name}: line {number}: {text[:60]!r} is not a position on a face")
    raise Unreadable("unreadable", f"{name}: line {lines[0][0]}: expected {size} numbers a line")
