"""Landmark files of Lock3DFace: text of five lines `x:277 y:228`, in px; 0 stands for a point not found."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.text_bytes import decoded, read_plain

MOST_BYTES = 10_000
FARTHEST_PX = 10_000
_LINE = re.compile(r"\s*x:\s*([0-9]{1,7}(?:\.[0-9]{0,9})?)\s+y:\s*([0-9]{1,7}(?:\.[0-9]{0,9})?)\s*\Z")
N_POINTS = 5


def read_landmark_lines(path: str | Path) -> np.ndarray:
    """Return the points f4 (5, 2) in px, in the order of the file; a point that was not found is a row of NaN.

    Raises:
        ValueError: naming the file and the line.
    """
    path = Path(path)
    try:
        data = read_plain(path, MOST_BYTES, "for a few landmarks")
    except Unreadable as error:
        raise ValueError(error.detail) from None
    except OSError as error:
        raise ValueError(f"{path.name}: cannot be read ({error.strerror or error})") from None
    try:
        return parse_landmark_lines(data)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def parse_landmark_lines(data: bytes) -> np.ndarray:
    """Return the points f4 (5, 2) of a file's bytes, NaN where one was not found.

    Raises:
        ValueError: naming the line.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"{len(data)} bytes or more are too many")
    try:
        text = decoded(data, "the file", "latin-1").rstrip()
    except Unreadable as error:
        raise ValueError(error.detail) from None
    lines = text.split("\n") if text else []
    if len(lines) != N_POINTS:
        raise ValueError(f"line {len(lines) + 1}: expected {N_POINTS} lines, found {len(lines)}")
    points = np.full((N_POINTS, 2), np.nan, np.float32)
    for i, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            raise ValueError(f"line {i + 1}: expected x:<number> y:<number>, found {line[:60]!r}")
        x, y = float(found[1]), float(found[2])
        if max(x, y) > FARTHEST_PX:
            raise ValueError(f"line {i + 1}: {x:g}, {y:g} px cannot be in an image")
        if x and y:
            points[i] = x, y
    return points
