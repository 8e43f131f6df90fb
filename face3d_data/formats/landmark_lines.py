"""Landmarks as Lock3DFace brings them: a text of five lines `x:277 y:228`, in px; 0 stands for a point not found."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

MOST_BYTES = 10_000
FARTHEST_PX = 10_000
_LINE = re.compile(r"\s*x:\s*([0-9]{1,7}(?:\.[0-9]{0,9})?)\s+y:\s*([0-9]{1,7}(?:\.[0-9]{0,9})?)\s*\Z")
N_POINTS = 5


def read_landmark_lines(path: Path) -> np.ndarray:
    """Return the points f4 (5, 2) in px, in the order of the file; a point that was not found is a row of NaN.

    Raises:
        ValueError: naming the file and the line.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(MOST_BYTES + 1)
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
    lines = data.decode("latin-1").rstrip().splitlines()
    if len(lines) != N_POINTS:
        raise ValueError(f"line {len(lines) + 1}: wanted {N_POINTS} lines, found {len(lines)}")
    points = np.full((N_POINTS, 2), np.nan, np.float32)
    for i, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            raise ValueError(f"line {i + 1}: wanted x:<number> y:<number>, found {line[:60]!r}")
        x, y = float(found[1]), float(found[2])
        if max(x, y) > FARTHEST_PX:
            raise ValueError(f"line {i + 1}: {x:g}, {y:g} px is in no image")
        if x and y:
            points[i] = x, y
    return points
