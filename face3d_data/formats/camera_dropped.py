"""Unsupported keys of camera files that change the geometry: refused, never ignored."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Mapping
from typing import Any

from face3d_data.formats.camera_text import numbers

_MUST_BE_ZERO = {
    "skew": "pixels with a skew are not read: undistort the images first",
    "lambda": "the division model of distortion is not supported: undistort the images first",
    "xi": "an omnidirectional lens is not supported: undistort the images first",
}
_ROTATIONS = ("r", "rectification", "rectification_matrix")
_IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
_SAME_WITHIN = 1e-6
MOTION_KEY = "depth_to_color"
_BETWEEN = re.compile(r"(depth|colou?r|rgb)_?(to|2)_?(depth|colou?r|rgb)")


def refuse_dropped(words: Mapping[str, Any]) -> None:
    """Refuse a camera whose file says more of its geometry than fx, fy, cx, cy and a lens.

    Args:
        words: a camera file of one camera, `width` and `height` by these names.

    Raises:
        ValueError: naming the key and the remedy.
    """
    for key, value in words.items():
        name = key.lower()
        if name in _MUST_BE_ZERO and any(_numbers(value, key)):
            raise ValueError(f"{key} = {reprlib.repr(value)}: {_MUST_BE_ZERO[name]}")
        if name in _ROTATIONS:
            _refuse_rotation(key, _numbers(value, key))
    for resized, side in (("newWidth", "width"), ("newHeight", "height")):
        if words.get(resized) not in (None, 0, words.get(side)):
            raise ValueError(
                f"{resized} = {reprlib.repr(words[resized])}: images are not resized: give the camera of the "
                "images as they are, and omit the key"
            )
    if words.get(MOTION_KEY) is not None:
        raise ValueError(f"{MOTION_KEY} in a file of one camera: give both cameras, as 'color' and 'depth'")


def refuse_misspelt_motion(values: Mapping[str, Any]) -> None:
    """Refuse keys that mean to say how two cameras lie and are not `depth_to_color`.

    Raises:
        ValueError: naming the key and what is read.
    """
    for key, value in values.items():
        if key == MOTION_KEY or value is None:
            continue
        name = re.sub(r"(?<=[a-z])(?=[A-Z2])|[\s-]+", "_", key).lower()
        match = _BETWEEN.fullmatch(name)
        if match and match[1] != "depth" and match[3] == "depth":
            if values.get(MOTION_KEY) is not None:
                continue
            raise ValueError(
                f"{key} is not supported: give {MOTION_KEY}, its inverse (R transposed, t = -R transposed t)"
            )
        if match or difflib.get_close_matches(name, [MOTION_KEY], 1, 0.85):
            raise ValueError(f"key {key!r} is not known: did you mean {MOTION_KEY}?")


def _refuse_rotation(key: str, given: list[float]) -> None:
    if not any(given):
        return
    if len(given) != 9 or any(abs(a - b) > _SAME_WITHIN for a, b in zip(given, _IDENTITY, strict=True)):
        raise ValueError(
            f"{key} is not the identity: the images are rotated after capture: give fx, fy, cx, cy of the rotated "
            "images (P), and omit the key"
        )


def _numbers(value: Any, key: str) -> list[float]:
    return [] if value is None else numbers(value, key)
