"""Depth images and landmarks in text: one pixel per line, `x y depth`, or one point per line, `x y` or `x y z`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.number_text import parse_numbers, split_lines
from face3d_data.formats.text_bytes import read_plain

FARTHEST = 65_535.0
"""The largest depth: sensors give 16 bits."""


def read_pixel_depth(path: str | Path, window: tuple[int, int, int, int], option: str = "window") -> np.ndarray:
    """Return the part of a depth image that a window shows, f4 (height, width), 0 where no line gives a depth.

    Args:
        path: a text file with the lines `x y depth` (column and row from 0, depth in the file's unit, 0 = no reading),
            in any order.
        window: x and y of its first pixel, width and height.
        option: what sets the window, for messages.

    Raises:
        Unreadable: `unreadable`, with the line: other than three numbers, a pixel or a depth that cannot be, one pixel
            twice, or a pixel outside of the window where the window would hold them all if it lay elsewhere; or no
            pixel of the window has a depth.
        OSError: the file is gone or cannot be read.
    """
    path = Path(path)
    rows, numbers = _rows(read_plain(path), path.name, 3)
    x0, y0, width, height = window
    xy, depth = rows[:, :2], rows[:, 2]
    wrong = ~((xy >= 0) & (xy <= FARTHEST) & (xy == np.floor(xy))).all(axis=1)
    _refuse(wrong, path.name, numbers, "there is no pixel at x = {0:g}, y = {1:g}", rows)
    _refuse(~((depth >= 0) & (depth <= FARTHEST)), path.name, numbers, "a depth cannot be {2:g}", rows)
    column, row = xy[:, 0] - x0, xy[:, 1] - y0
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    if (np.ptp(xy, axis=0) < (width, height)).all():
        # A part as small as the window is meant to be the window: elsewhere, it would not lie over the picture.
        _refuse(~inside, path.name, numbers, f"{_outside(xy, window)}: set {option}", rows)
    at = (row[inside] * width + column[inside]).astype(np.int64)
    first = np.full(width * height, -1, np.int64)
    first[at[::-1]] = np.flatnonzero(inside)[::-1]
    twice = np.zeros(len(rows), bool)
    twice[inside] = first[at] != np.flatnonzero(inside)
    _refuse(twice, path.name, numbers, "pixel x = {0:g}, y = {1:g} appears twice", rows)
    image = np.zeros(width * height, np.float32)
    image[at] = depth[inside]
    if not image.any():
        said = f"no pixel has a depth from x = {x0}, y = {y0} on ({width}x{height}): is {option} right?"
        raise Unreadable("unreadable", f"{path.name}: {said}")
    return image.reshape(height, width)


def _outside(xy: np.ndarray, window: tuple[int, int, int, int]) -> str:
    (left, top), (right, bottom) = xy.min(axis=0).astype(int).tolist(), xy.max(axis=0).astype(int).tolist()
    x0, y0, width, height = window
    there = f"x = {left} to {right}, y = {top} to {bottom}"
    return f"pixels are {there}, not all in {width}x{height} from x = {x0}, y = {y0} on"


def read_marks(path: str | Path, size: int, most_bytes: int = 65_536) -> np.ndarray:
    """Return the points of a text file, f8 (N, size), one a line.

    Args:
        path: the file.
        size: numbers a line, 2 or 3.
        most_bytes: marks are few; a longer file is something else.

    Raises:
        Unreadable: `unreadable`, with the line.
        OSError: the file is gone or cannot be read.
    """
    path = Path(path)
    if path.stat().st_size > most_bytes:
        raise Unreadable("unreadable", f"{path.name}: has more than {most_bytes} bytes, too many for landmarks")
    return _rows(read_plain(path), path.name, size)[0]


def _rows(data: bytes, name: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return f8 (N, size) and each row's line number."""
    lines = split_lines(data)
    wrong = np.flatnonzero(lines.counts != size)
    if len(wrong):
        said = f"holds {lines.counts[wrong[0]]} numbers, expected {size}"
        raise Unreadable("unreadable", f"{name}: line {lines.numbers[wrong[0]]}: {said}")
    if not len(lines.counts):
        raise Unreadable("unreadable", f"{name}: contains no numbers")
    values = parse_numbers(data, name)
    if len(values) != size * len(lines.counts):
        raise Unreadable("unreadable", f"{name}: contains characters that are neither numbers nor white space")
    return values.reshape(-1, size), lines.numbers


def _refuse(wrong: np.ndarray, name: str, numbers: np.ndarray, said: str, rows: np.ndarray) -> None:
    at = np.flatnonzero(wrong)
    if len(at):
        raise Unreadable("unreadable", f"{name}: line {numbers[at[0]]}: {said.format(*rows[at[0]])}")
