"""Stereo camera files with keys that end in 1 and 2, or left and right: OpenCV's stereo_calib (`M1 D1 M2 D2`) …"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SIDE = r"[_.]?(?P<side>[0-9]|left|right|l|r)"
_MATRIX = re.compile(rf"(?:M|K|(?i:camera_?matrix|intrinsic_?matrix|intrinsics?)){_SIDE}")
_MATRIX_BEFORE = re.compile(
    r"(?i:(?P<side>left|right|cam[0-9])[_.](?:M|K|camera_?matrix|intrinsic_?matrix|intrinsics?))"
)
_LENS = re.compile(rf"(?:D|(?i:dist\w*?|coeffs)){_SIDE}")
_ORB_SLAM = re.compile(r"Camera(?P<side>[0-9])\.fx")


def of_one_camera(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a camera file with `M1`, `D1` as `camera_matrix`, `distortion_coefficients`, where it has no other camera.

    Raises:
        ValueError: it describes two cameras; their keys are named.
    """
    cameras = _cameras(values)
    if len(cameras) > 1:
        found = ", ".join(cameras.values())
        raise ValueError(f"two cameras ({found}): write the one of the depth image, with its distortion, into a file")
    words = dict(values)
    for side, key in cameras.items():
        if (isinstance(values[key], Mapping) and "data" not in values[key]) or _ORB_SLAM.fullmatch(key):
            continue
        words["camera_matrix"] = words.pop(key)
        for lens in [name for name in values if (match := _LENS.fullmatch(name)) and match["side"].lower() == side]:
            words["distortion_coefficients"] = words.pop(lens)
    return words


def _cameras(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the key of each camera's matrix by its side; `K1` alone may be a coefficient, a number."""
    found: dict[str, str] = {}
    for key, value in values.items():
        match = _MATRIX.fullmatch(key) or _MATRIX_BEFORE.fullmatch(key)
        if match and isinstance(value, list | Mapping):
            found.setdefault(match["side"].lower(), key)
        elif match := _ORB_SLAM.fullmatch(key):
            found.setdefault(match["side"], key)
    return found
