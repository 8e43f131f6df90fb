"""Lens model names in camera files; all but pinhole, Brown-Conrady and rational lenses are refused."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from typing import Any

LENS_KEYS: tuple[str, ...] = ("distortion_model", "distortion_type", "lens_model", "lens_type")
"""They name the distortion alone, as `none` does; the others may name the projection (`pinhole`) or the device."""
PLAIN_LENS = frozenset({"", "none", "pinhole", "perspective", "simplepinhole", "rectified"})
BROWN = frozenset({
    "brownconrady", "plumbbob", "rationalpolynomial", "rational", "radtan", "radialtangential", "opencv", "fullopencv",
    "brown", "standard",
})  # fmt: skip
AFTER_RADIAL = frozenset({"modifiedbrownconrady", "inversebrownconrady"})
"""RealSense's: p1 p2 act on the place after the radial part."""
_NUMBERED = ("none", "modified_brown_conrady", "inverse_brown_conrady", "ftheta", "brown_conrady", "kannala_brandt4")
"""RealSense's models by their number (`rs2_distortion`)."""
_FISHEYE = re.compile(r"kannala|equi|fish_?eye|theta|omni|double_?sphere|^fov|ucm|^ds$|^mei$|scaramuzza|ocam|^kb[48]?$")
_NAMES_MODEL = re.compile(r"(camera|cam|lens|distortion|projection|intrinsics?)?_?(type|model|model_type|projection)")
_FISHEYE_ANYWHERE = re.compile(r"\S*(kannala|equidistant|fish_?eye)\S*", re.IGNORECASE)
_NAMES_FISHEYE = re.compile(r"fish_?eye", re.IGNORECASE)
_NO = frozenset({"", "0", "false", "no", "off", "none"})
_STREAMS = frozenset({"color", "colour", "rgb", "depth", "ir", "infrared", "rgbd"})
"""What `type` and `camera_type` may name beside a lens: the stream."""


def lens_model(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return the key and the word of the lens model that a camera file names, ("", "") where it names none.

    The word is in lower case, without blanks, hyphens and underscores. Where several keys name a model, the one that
    says more than `pinhole` is returned.

    Raises:
        ValueError: a fisheye lens, by whichever key; a word that is not known where it can only be a model.
    """
    refuse_fisheye(values)
    keys = [key for key in values if values[key] is not None and _NAMES_MODEL.fullmatch(_snake(key))]
    named = [(key, word) for key in keys if (word := _word(key, values[key])) not in _STREAMS or key in LENS_KEYS]
    named.sort(key=lambda pair: (pair[1] in PLAIN_LENS, _snake(pair[0]) not in LENS_KEYS))
    known = [pair for pair in named if pair[1] in PLAIN_LENS | BROWN | AFTER_RADIAL]
    for key, word in named:
        if word in PLAIN_LENS | BROWN | AFTER_RADIAL or _may_name_a_device(key):
            continue
        raise ValueError(
            f"{key} = {values[key]!r:.60} is an unknown lens model: give pinhole, brown_conrady or "
            "rational_polynomial, or undistort the images first"
        )
    return next(iter(known or named), ("", ""))


def _may_name_a_device(key: str) -> bool:
    """Return whether a word is that of a device, as `model: D435` is; with coefficients it is refused all the same."""
    return _snake(key) in ("model", "camera_model", "cam_model")


def _snake(key: str) -> str:
    """Return `cameraModel` and `Camera.type` as `camera_model` and `camera_type`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[\s.-]+", "_", key).lower()


def _word(key: str, value: Any) -> str:
    if type(value) is int and _snake(key) in ("model", "distortion_model") and 0 <= value < len(_NUMBERED):
        value = _NUMBERED[value]
    if not isinstance(value, str):
        raise ValueError(f"{key} = {reprlib.repr(value)} is not the name of a distortion model")
    word = re.sub(r"[\s-]+", "_", value.strip().lower())
    for prefix in ("distortion.", "rs2_distortion_", "calibration_lensdistortionmodel"):
        word = word.removeprefix(prefix)
    if _FISHEYE.search(word):
        raise ValueError(f"{key} = {value!r:.60} is a fisheye lens, which is not supported: undistort the images first")
    return word.replace("_", "")


def refuse_fisheye(values: Mapping[str, Any]) -> None:
    """Refuse a file that speaks of a fisheye lens under any key, in mappings within it, too.

    So do `is_fisheye: true`, `fisheye_model: 1` (OpenCV), `fisheye_coeffs: [0.1, ...]` and `lens: {type: fisheye}`;
    false and 0 are no lens, and texts of several words are remarks of people.

    Raises:
        ValueError: naming the key.
    """
    left = [*values.items()]  # no recursion: JSON may be nested as deep as Python goes
    for key, value in left:
        word = isinstance(value, str) and _FISHEYE_ANYWHERE.fullmatch(value.strip())
        if word or (_NAMES_FISHEYE.search(key) and _says(value)):
            raise ValueError(
                f"{key} = {reprlib.repr(value)} is a fisheye lens, which is not supported: undistort the images first"
            )
        if isinstance(value, Mapping):
            left.extend(value.items())


def _says(value: Any) -> bool:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, Mapping | list | tuple):
            left.extend(each.values() if isinstance(each, Mapping) else each)
        elif each and not (isinstance(each, str) and each.strip().lower() in _NO):
            return True
    return False
