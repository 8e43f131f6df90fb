"""`landmarks.json`: per capture, the five face landmarks in pixels and what is known of the recording."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LANDMARK_NAMES: tuple[str, ...] = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""In the order of the array `landmarks`; left is left in the image."""
_NUMBERS = (float, int)


def read_landmarks(path: Path) -> dict[str, Any]:
    """Return the entries of a `landmarks.json`, by capture.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise ValueError(f"{path}: no valid JSON ({error})") from None
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
        # `type() in`, not isinstance: true and false are no coordinates, and this runs ten times a capture.
        if type(x) in _NUMBERS and type(y) in _NUMBERS and math.isfinite(x) and math.isfinite(y):
            return [x, y]
    raise ValueError(f"landmarks_px.{name} = {value!r} must be two finite numbers")
