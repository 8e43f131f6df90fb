"""`landmarks.json`: per capture, the five face landmarks in pixels and what is known of the recording."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.formats.json_file import finite_number, read_json

LANDMARK_NAMES: tuple[str, ...] = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
"""In the order of the array `landmarks`; left is left in the image."""
_FARTHEST_PX = 3e38  # the array is float32
_PAIRS = ((0, 1), (3, 4))


def read_landmarks(path: str | Path) -> dict[str, Any]:
    """Return the entries of a `landmarks.json`, by capture.

    Raises:
        ValueError: naming the file and what is wrong.
    """
    path = Path(path)
    entries = read_json(path)
    if not isinstance(entries, dict):
        raise ValueError(f"{path}: expected an object with one entry per capture")
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


def left_in_image_first(points: np.ndarray) -> np.ndarray:
    """Return landmarks (5, 2 or 3) with the eye and mouth corner first that are left in the image of an upright face.

    Many tools call left what is left for the person. On a face, the direction from the left to the right one of a pair,
    rotated clockwise, is the direction to the chin, whatever the image's orientation; where down is unknown, x decides.

    Args:
        points: in the array's order, y down, NaN = unknown.
    """
    points = np.array(points)
    eyes, mouth = (_middle(points[rows]) for rows in ([0, 1], [3, 4]))
    down = (mouth if np.isfinite(mouth).all() else points[2]) - (eyes if np.isfinite(eyes).all() else points[2])
    if not np.isfinite(down).all() or not down[:2].any():
        down = np.array([0.0, 1.0])
    for left, right in _PAIRS:
        across = points[right] - points[left]
        if across[0] * down[1] - across[1] * down[0] < 0:
            points[[left, right]] = points[[right, left]]
    return points


def _middle(pair: np.ndarray) -> np.ndarray:
    """Return the mean of what is known of a pair, NaN where nothing is."""
    known = pair[np.isfinite(pair).all(axis=1)]
    return known.mean(axis=0) if len(known) else np.full(pair.shape[1], np.nan)


def _point(points: Mapping[str, Any], name: str) -> list[float]:
    value = points.get(name)
    if type(value) is list and len(value) == 2:
        x, y = value
        if finite_number(x) and finite_number(y) and abs(x) < _FARTHEST_PX and abs(y) < _FARTHEST_PX:
            return [x, y]
    raise ValueError(f"landmarks_px.{name} = {reprlib.repr(value)} must be two finite numbers")
