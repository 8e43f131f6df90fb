"""`landmarks.json`: per capture, the five face landmarks in pixels and what is known of the recording."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from face3d_data.formats.json_file import finite, read_json

LANDMARK_NAMES: tuple[str, ...] = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""In the order of the array `landmarks`; left is left in the image."""
_FARTHEST_PX = 3e38  # the array is float32


def read_landmarks(path: Path) -> dict[str, Any]:
    """Return the entries of a `landmarks.json`, by capture.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    entries = read_json(path)
    if not isinstance(entries, dict):
        raise ValueError(f"{path}: wanted an object with one entry a capture")
    return entries


def landmark_points(entry: Mapping[str, Any]) -> list[list[float]] | None:
    """Return the five points `[x, y]` of `landmarks_px` in the array's order, None where the entry has none.

    Raises:
        ValueError: a point is missing, or is not two finite numbers.
    """
    points = entry.get("landmarks_px")
    if points is None:
        return None
    if not isinstance(points, Mapping):
        raise ValueError(f"landmarks_px must be an object with {', '.join(LANDMARK_NAMES)}")
    return [_point(points, name) for name in LANDMARK_NAMES]


def _point(points: Mapping[str, Any], name: str) -> list[float]:
    value = points.get(name)
    if type(value) is list and len(value) == 2:
        x, y = value
        if finite(x) and finite(y) and abs(x) < _FARTHEST_PX and abs(y) < _FARTHEST_PX:
            return [x, y]
    raise ValueError(f"landmarks_px.{name} = {reprlib.repr(value)} must be two finite numbers")
