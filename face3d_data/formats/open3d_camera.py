"""The camera files of Open3D's RealSense tools: `camera_intrinsic.json` and `intrinsic.json`.

The recorder (`realsense_recorder.py`) writes width, height and intrinsic_matrix: the 3×3 matrix of the colour camera
as nine numbers, column by column. The bag reader (`RGBDVideoReader::SaveFrames`, `RGBDVideoMetadata`) writes the same
and device_name, serial_number, fps and depth_scale: units per metre, so that metres = pixel / depth_scale.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from face3d_data.formats.json_file import finite, read_json

UNITS_PER_METRE = (10.0, 1e6)
"""16 bits in units coarser than 10 cm or finer than 1 µm reach no face."""
MOST_PX = 100_000


@dataclass(frozen=True)
class Open3dCamera:
    """Pinhole camera in px of an image of `width` × `height`; what the file does not say is None.

    `units_per_metre` is that of the depth images (1000: millimetres).
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    units_per_metre: float | None = None
    device: str | None = None
    serial: str | None = None


def read_open3d_camera(path: Path, with_scale: bool = True) -> Open3dCamera:
    """Return the camera in a file.

    Args:
        path: the JSON file.
        with_scale: False leaves depth_scale aside, right or wrong.

    Raises:
        ValueError: naming the file, the key and the remedy.
    """
    values = read_json(path)
    try:
        if not isinstance(values, Mapping):
            raise ValueError("wanted an object with width, height, intrinsic_matrix")
        return parse_open3d_camera(values, with_scale)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_open3d_camera(values: Mapping[str, Any], with_scale: bool = True) -> Open3dCamera:
    """Return the camera in a mapping; keys that are not known are left aside.

    Raises:
        ValueError: naming the key and the remedy.
    """
    for key in ("width", "height", "intrinsic_matrix"):
        if key not in values:
            raise ValueError(f"key {key!r} is missing (needed: width, height, intrinsic_matrix)")
    width, height = _pixels(values, "width"), _pixels(values, "height")
    fx, fy, cx, cy = _pinhole(values["intrinsic_matrix"])
    if fx <= 0 or fy <= 0 or max(fx, fy) > MOST_PX:
        raise ValueError(f"intrinsic_matrix: focal lengths {fx}, {fy} must be above 0 and below {MOST_PX} px")
    if not (0 < cx < width and 0 < cy < height):
        raise ValueError(f"intrinsic_matrix: centre {cx}, {cy} lies outside the image of {width}x{height}")
    scale = values.get("depth_scale") if with_scale else None
    if scale is not None:
        check_units_per_metre(scale)
        scale = float(scale)
    return Open3dCamera(
        fx, fy, cx, cy, width, height, scale, _text(values, "device_name"), _text(values, "serial_number")
    )


def check_units_per_metre(scale: Any) -> None:
    """Check a depth scale in units per metre.

    Raises:
        ValueError: it is no number from 10 to 1,000,000.
    """
    if not finite(scale):
        raise ValueError(f"depth_scale = {reprlib.repr(scale)} is no finite number")
    least, most = UNITS_PER_METRE
    if least <= scale <= most:
        return
    said = f"depth_scale = {scale!r} must be units per metre, {least:g} to {most:g} (1000 = mm)"
    if scale > 0 and least <= 1 / scale <= most:
        raise ValueError(f"{said}; this looks like metres per unit: write 1/x, {1 / scale:.6g}")
    raise ValueError(said)


def _pinhole(matrix: Any) -> tuple[float, float, float, float]:
    """Return fx, fy, cx, cy of nine numbers, or three times three, whichever order they have.

    Column by column it is fx 0 0, 0 fy 0, cx cy 1; row by row fx 0 cx, 0 fy cy, 0 0 1. The centre is never at 0, so
    what stands at places 2 and 5 against 6 and 7 tells which: exactly one of the two pairs is 0.
    """
    rows = matrix if isinstance(matrix, list) else []
    flat = [value for row in rows for value in row] if all(isinstance(row, list) for row in rows) else rows
    if len(flat) != 9 or not all(finite(value) for value in flat):
        raise ValueError(f"intrinsic_matrix = {reprlib.repr(matrix)} must be nine numbers")
    m = [float(value) for value in flat]
    by_column = m[2] == m[5] == 0 and m[6] != 0 and m[7] != 0
    by_row = m[6] == m[7] == 0 and m[2] != 0 and m[5] != 0
    if m[8] != 1 or m[1] != 0 or m[3] != 0 or by_column == by_row:
        raise ValueError(f"intrinsic_matrix = {m} is neither fx 0 0 0 fy 0 cx cy 1 (by column) nor by row")
    return (m[0], m[4], m[6], m[7]) if by_column else (m[0], m[4], m[2], m[5])


def _pixels(values: Mapping[str, Any], key: str) -> int:
    value = values[key]
    if not finite(value) or value != int(value) or not 0 < value <= MOST_PX:
        raise ValueError(f"{key} = {reprlib.repr(value)} must be a whole number of pixels, 1 to {MOST_PX}")
    return int(value)


def _text(values: Mapping[str, Any], key: str) -> str | None:
    """Return a text of the file, None where it has none or what it has is no UTF-8."""
    value = values.get(key)
    if not isinstance(value, str) or not value:
        return None
    return value[:200] if value.isprintable() else None
