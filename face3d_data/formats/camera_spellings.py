"""Spellings of pinhole cameras, unified: fx fy cx cy width height; RealSense, Open3D, ROS, OpenCV, ORB-SLAM, MATLAB."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

from face3d_data.formats.camera_dropped import refuse_dropped
from face3d_data.formats.camera_stereo import of_one_camera
from face3d_data.formats.camera_text import numbers
from face3d_data.formats.json_file import finite_number

_ALIASES: dict[str, tuple[str, ...]] = {
    "cx": ("ppx",),
    "cy": ("ppy",),
    "width": ("image_width", "imageWidth"),
    "height": ("image_height", "imageHeight"),
    "depth_scale": ("DepthMapFactor", "depth_map_factor"),
    "device": ("device_name", "camera_name"),
    "serial": ("serial_number",),
}
_MATRICES: tuple[str, ...] = ("intrinsic_matrix", "camera_matrix", "cameraMatrix", "IntrinsicMatrix", "K", "k", "M")
_TEXTS = ("device", "serial")
_PREFIXES: tuple[str, ...] = ("Camera.", "Camera1.", "Camera2.")
"""ORB-SLAM's settings."""


def in_our_words(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a camera file's mapping with `fx fy cx cy width height depth_scale device serial` by these names.

    Raises:
        ValueError: a matrix that is none of a camera, a binned or cut image, two cameras, two values for one thing, a
            key that says more of the geometry than is read; the key is named.
    """
    values = of_one_camera(values)
    words = dict(values)
    for key in values:
        prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), None)
        if prefix is not None:
            _add(words, {key.removeprefix(prefix): values[key]})
    if isinstance(words.get("intrinsics"), Mapping):
        _add(words, words["intrinsics"])
    for ours, others in _ALIASES.items():
        given = {name: words[name] for name in (ours, *others) if words.get(name) is not None}
        if ours not in _TEXTS:
            _refuse_two_values(given, ours == "depth_scale")
        if given:
            words[ours] = next(iter(given.values()))
    refuse_dropped(words)
    _refuse_cut(words)
    if "FocalLength" in words:
        _from_matlab(words)
    matrix = next((key for key in _MATRICES if words.get(key) is not None), None)
    if matrix is not None:
        camera = pinhole_of(words[matrix], matrix)
        given = {name: words[name] for name in camera if words.get(name) is not None}
        if given and given != {name: camera[name] for name in given}:
            raise ValueError(f"{matrix} and {', '.join(given)} contradict each other: leave one")
        words |= camera
        _check_centre(words, matrix)
    return words


def _add(words: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if words.get(key) is not None:
            _refuse_two_values({key: words[key], f"{key} (once more)": value})
        words[key] = value


def _refuse_two_values(given: Mapping[str, Any], inverse_too: bool = False) -> None:
    """Refuse two names of one thing with two values; `inverse_too`: metres per unit and units per metre are one."""
    first, *others = given.values() if given else (None,)
    for value in others:
        inverse = inverse_too and finite_number(value) and value != 0 and _same(first, 1 / value)
        if not _same(first, value) and not inverse:
            said = ", ".join(f"{name} = {reprlib.repr(value)}" for name, value in given.items())
            raise ValueError(f"{said} contradict each other: leave one")


def _same(one: Any, other: Any) -> bool:
    return math.isclose(one, other, rel_tol=1e-6) if finite_number(one) and finite_number(other) else bool(one == other)


def pinhole_of(matrix: Any, key: str) -> dict[str, float]:
    """Return fx, fy, cx, cy of a camera matrix, nine numbers or three times three, whichever order they have.

    Column by column (Open3D, MATLAB) it is fx 0 0, 0 fy 0, cx cy 1; row by row fx 0 cx, 0 fy cy, 0 0 1. The centre is
    never at 0, so what stands at places 2 and 5 against 6 and 7 tells which: exactly one of the two pairs is 0.

    Raises:
        ValueError: it is neither; the key is named.
    """
    try:
        m = numbers(matrix, key)
    except ValueError:
        m = []
    if len(m) != 9:
        raise ValueError(f"{key} = {reprlib.repr(matrix)} must be nine numbers")
    by_column = m[2] == m[5] == 0 and m[6] != 0 and m[7] != 0
    by_row = m[6] == m[7] == 0 and m[2] != 0 and m[5] != 0
    if m[8] != 1 or m[1] != 0 or m[3] != 0 or by_column == by_row:
        raise ValueError(f"{key} = {m} is neither fx 0 0 0 fy 0 cx cy 1 (by column) nor by row")
    focal = (m[0], m[4])
    if min(focal) <= 0 or max(focal) > 100_000:
        raise ValueError(f"{key}: focal lengths {m[0]}, {m[4]} must be above 0 and at most 100000 px")
    cx, cy = (m[6], m[7]) if by_column else (m[2], m[5])
    return {"fx": m[0], "fy": m[4], "cx": cx, "cy": cy}


def _check_centre(words: Mapping[str, Any], key: str) -> None:
    for name, side in (("cx", "width"), ("cy", "height")):
        size = words.get(side)
        if finite_number(size) and not 0 < words[name] < size:
            raise ValueError(f"{key}: centre {words['cx']}, {words['cy']} is outside the image ({side} {size})")


def _refuse_cut(words: Mapping[str, Any]) -> None:
    """Refuse ROS' cameras of images that are binned or cut: K is then that of the whole image."""
    for key in ("binning_x", "binning_y"):
        if words.get(key) not in (None, 0, 1):
            raise ValueError(f"{key} = {reprlib.repr(words[key])}: binned images are not read: record them whole")
    roi = words.get("roi")
    if isinstance(roi, Mapping) and any(roi.get(key) for key in ("x_offset", "y_offset")):
        raise ValueError("roi: images that are cut are not read: record them whole")


def _from_matlab(words: dict[str, Any]) -> None:
    """Add our names to a `cameraIntrinsics` object of MATLAB, whose first pixel is (1, 1)."""
    focal, centre = (numbers(words.get(key), key) for key in ("FocalLength", "PrincipalPoint"))
    if len(focal) != 2 or len(centre) != 2:
        raise ValueError("FocalLength and PrincipalPoint must be two numbers each")
    words |= {"fx": focal[0], "fy": focal[1], "cx": centre[0] - 1, "cy": centre[1] - 1}
    if words.get("ImageSize") is not None:
        size = numbers(words["ImageSize"], "ImageSize")
        if len(size) != 2:
            raise ValueError("ImageSize must be two numbers, rows and columns")
        words |= {"height": size[0], "width": size[1]}
    words.pop("IntrinsicMatrix", None)
    words.pop("K", None)
