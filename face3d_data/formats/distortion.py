"""Lens distortion in camera files: models and coefficients under all known names, in OpenCV's order."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from typing import Any

from face3d_data.formats.camera_text import numbers
from face3d_data.formats.lens_model import AFTER_RADIAL, BROWN, LENS_KEYS, PLAIN_LENS, lens_model

LIST_KEYS: tuple[str, ...] = (
    "coeffs", "distortion", "distortion_coefficients", "distortion_coeffs", "dist_coeffs", "distCoeffs", "dist",
    "D", "d",
)  # fmt: skip
NAMES: tuple[str, ...] = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4")
"""OpenCV's order, which RealSense and ROS share."""
_LIKE_DISTORTION = re.compile(r"distort|^dist$|coef|^tau|radial|tangential", re.IGNORECASE)
_COUNTS = (0, 4, 5, 8, 12, 14)


def parse_distortion(values: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Return the 13 numbers of a lens as `geometry/lens` takes them, None for a pinhole.

    Args:
        values: the camera file.

    Raises:
        ValueError: a fisheye or unknown model, numbers that fit none, a key that looks like distortion and is not
            known: nothing is ignored in silence.
    """
    key, model = lens_model(values)
    found = [key for key in LIST_KEYS if values.get(key) is not None]
    named = [key for key in NAMES if values.get(key) is not None]
    matlab = [key for key in ("RadialDistortion", "TangentialDistortion") if values.get(key) is not None]
    if len(found) + bool(named) + bool(matlab) > 1:
        raise ValueError(f"distortion is given twice, by {', '.join([*found, *named, *matlab])}: leave one")
    if matlab:
        given = _of_matlab(values)
    elif named:
        given = [numbers(values.get(key) or 0.0, key)[0] for key in NAMES]
    else:
        given = _listed(values, found[0]) if found else []
    _refuse_unknown(values, {*LENS_KEYS, *LIST_KEYS, *NAMES, "RadialDistortion", "TangentialDistortion"})
    if not any(given):
        return None
    if model in PLAIN_LENS and model and (model == "none" or key in ("model", *LENS_KEYS)):
        raise ValueError(f"{key} {model} with coefficients {reprlib.repr(given)}: correct one of them")
    if model not in PLAIN_LENS | BROWN | AFTER_RADIAL:
        raise ValueError(f"distortion model {model[:40]!r} is unknown: use brown_conrady or rational_polynomial")
    if len(given) == 14 and any(given[12:]):
        raise ValueError("a tilted sensor (tau) is not supported: undistort the images first")
    after_radial = model in AFTER_RADIAL
    if after_radial and any(given[5:]):
        raise ValueError(f"model {model} has five coefficients, not {len(given)}")
    return (*given[:12], *[0.0] * (12 - len(given)), float(after_radial))


def _listed(values: Mapping[str, Any], key: str) -> list[float]:
    value = values[key]
    if isinstance(value, Mapping) and "data" not in value:
        unknown = sorted(str(name) for name in value if name not in NAMES)
        if unknown:
            raise ValueError(f"{key}: {unknown[0]!r} is not known (known: {', '.join(NAMES)})")
        return [numbers(value.get(name) or 0.0, f"{key}.{name}")[0] for name in NAMES]
    given = numbers(value, key)
    if len(given) not in _COUNTS:
        counts = ", ".join(map(str, _COUNTS[1:]))
        raise ValueError(f"{key} holds {len(given)} numbers, expected {counts} in OpenCV's order (k1 k2 p1 p2 k3 ...)")
    return given


def _of_matlab(values: Mapping[str, Any]) -> list[float]:
    radial = numbers(values.get("RadialDistortion") or [0.0, 0.0], "RadialDistortion")
    tangential = numbers(values.get("TangentialDistortion") or [0.0, 0.0], "TangentialDistortion")
    if len(radial) not in (2, 3) or len(tangential) != 2:
        raise ValueError("RadialDistortion has two or three numbers, TangentialDistortion two")
    return [*radial[:2], *tangential, *radial[2:]]


def _refuse_unknown(values: Mapping[str, Any], known: set[str]) -> None:
    for key, value in values.items():
        if key in known or not (_LIKE_DISTORTION.search(key) or key.lower() in NAMES):
            continue
        try:
            given = numbers(value, key)
            says = any(given) and (len(given) == 1 or key.lower() not in NAMES)  # P1 is a projection in stereo files
        except ValueError:
            says = value is not None
        if says:
            raise ValueError(f"key {key!r} looks like distortion and is not known: name it coeffs, in OpenCV's order")
