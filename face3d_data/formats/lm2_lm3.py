"""`.lm2` and `.lm3`: labelled landmarks in text, in px of a picture or in mm. Line ends of any kind.

`.lm3`: header lines, the last of which says `N landmarks:`; then N times a line with the label and one with `x y z`.
`.lm2`: a comment, `N landmarks...`, `Labels:`, N labels, `2D Image coordinates:`, N lines `x y`. Both have blank lines
in places, so what matters is found by its words and never by the number of its line. A landmark that was not seen is
simply absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable

MOST_BYTES = 100_000
"""Some twenty landmarks take a thousand bytes; a file longer than this holds something else."""
FARTHEST = 1e6
_COUNT = re.compile(r"\s*([0-9]{1,6})\s+landmarks\b", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")
_LINE_END = re.compile(r"\r\n|\n|\r")

Lines = Iterator[tuple[int, str]]


def read_lm3(path: Path) -> dict[str, np.ndarray]:
    """Return the landmarks of a `.lm3` file: label to f8 (3,) x, y, z as the file has them.

    Raises:
        Unreadable: `unreadable`, with the line that is wrong, or at which the file ends too early.
    """
    lines = _lines(path)
    count = _count(lines, path.name)
    found: dict[str, np.ndarray] = {}
    for _ in range(count):
        number, label = _next(lines, path.name, "a landmark's label")
        _add(found, label, _point(lines, path.name, 3), number, path.name)
    _end(lines, path.name, count)
    return found


def read_lm2(path: Path) -> dict[str, np.ndarray]:
    """Return the landmarks of a `.lm2` file: label to f8 (2,) x, y in px.

    Raises:
        Unreadable: as `read_lm3`.
    """
    lines = _lines(path)
    count = _count(lines, path.name)
    _find(lines, path.name, lambda text: text.casefold().startswith("labels"), "'Labels:'")
    labels = [_next(lines, path.name, "a landmark's label") for _ in range(count)]
    _find(lines, path.name, lambda text: "coordinates" in text.casefold(), "'2D Image coordinates:'")
    found: dict[str, np.ndarray] = {}
    for number, label in labels:
        _add(found, label, _point(lines, path.name, 2), number, path.name)
    _end(lines, path.name, count)
    return found


def _lines(path: Path) -> Lines:
    """Yield (number, text) of every line that is not blank."""
    with open(path, "rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if not data.strip():
        raise Unreadable("unreadable", f"{path.name}: the file is empty")
    if len(data) > MOST_BYTES:
        raise Unreadable("unreadable", f"{path.name}: over {MOST_BYTES} bytes: no list of landmarks")
    # Latin-1 takes any byte: labels that nobody knows do no harm, and what must be a number is checked.
    texts = _LINE_END.split(data.decode("latin-1"))
    return iter([(i, text.strip()) for i, text in enumerate(texts, 1) if text.strip()])


def _count(lines: Lines, name: str) -> int:
    _, text = _find(lines, name, lambda text: _COUNT.match(text) is not None, "a line 'N landmarks'")
    match = _COUNT.match(text)
    return int(match[1]) if match else 0


def _find(lines: Lines, name: str, wanted: Callable[[str], bool], what: str) -> tuple[int, str]:
    number = 0
    for number, text in lines:
        if wanted(text):
            return number, text
    raise Unreadable("unreadable", f"{name}: line {number}: the file ends without {what}")


def _next(lines: Lines, name: str, what: str) -> tuple[int, str]:
    try:
        return next(lines)
    except StopIteration:
        raise Unreadable("unreadable", f"{name}: the file is cut off: it ends before {what}") from None


def _point(lines: Lines, name: str, size: int) -> np.ndarray:
    number, text = _next(lines, name, f"{size} coordinates")
    words = text.split()
    if len(words) != size or not all(_NUMBER.match(word) for word in words):
        raise Unreadable("unreadable", f"{name}: line {number}: wanted {size} numbers, found {text[:60]!r}")
    point = np.array([float(word) for word in words])
    if not (np.abs(point) <= FARTHEST).all():
        raise Unreadable("unreadable", f"{name}: line {number}: {text[:60]!r} is no place on a face")
    return point


def _add(found: dict[str, np.ndarray], label: str, point: np.ndarray, number: int, name: str) -> None:
    if label in found:
        raise Unreadable("unreadable", f"{name}: line {number}: {label[:60]!r} stands there twice")
    found[label] = point


def _end(lines: Lines, name: str, count: int) -> None:
    for number, text in lines:
        raise Unreadable("unreadable", f"{name}: line {number}: {text[:60]!r} after the last of {count} landmarks")
