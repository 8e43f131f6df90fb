"""Image points in text files: one line `x y` each, separated by tabs or blanks."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.text_bytes import read_text

BYTES_A_LINE = 200
FARTHEST_PX = 1e6
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z")


def read_points_2d(path: str | Path, count: int) -> np.ndarray:
    """Return `count` points, f8 (count, 2), px; blank lines are skipped, `NaN` is a missing value.

    Raises:
        Unreadable: `unreadable`, with the line that is wrong, or where there are more or fewer points.
    """
    path = Path(path)
    texts = read_text(path, BYTES_A_LINE * count, "latin-1", f"for {count} points").split("\n")
    lines = [(number, text.split()) for number, text in enumerate(texts, 1) if text.strip()]
    for number, words in lines:
        if len(words) != 2 or not all(_NUMBER.match(word) or word.lower() == "nan" for word in words):
            raise Unreadable(
                "unreadable", f"{path.name}: line {number}: expected x and y, found {' '.join(words)[:60]!r}"
            )
    if len(lines) != count:
        last = lines[-1][0] if lines else 0
        raise Unreadable("unreadable", f"{path.name}: line {last}: {len(lines)} points, expected {count}")
    points = np.array([[float(word) for word in words] for _, words in lines])
    far = (np.abs(points) > FARTHEST_PX).any(axis=1)
    if far.any():
        number = lines[int(np.argmax(far))][0]
        raise Unreadable("unreadable", f"{path.name}: line {number}: a point is beyond {FARTHEST_PX:g} px")
    return points
