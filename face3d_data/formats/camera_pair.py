"""Camera pair: the transform between depth and colour camera, `depth_to_color` in a camera file."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from face3d_data.formats.camera_text import numbers

NEAREST_MM = 0.1
"""No two cameras are nearer to each other; 0 is one camera at two resolutions."""
FARTHEST_MM = 1000.0
"""Cameras of one device are centimetres apart; a metre apart they see other sides of a face."""
ORTHONORMAL_WITHIN = 1e-3
MM_PER: dict[str, float] = {"mm": 1.0, "m": 1000.0}


@dataclass(frozen=True)
class Motion:
    """From one camera's frame to another's: x' = R x + t; `rotation` row by row, `translation_mm` in mm."""

    rotation: tuple[float, ...]
    translation_mm: tuple[float, ...]


def parse_motion(values: Any) -> Motion:
    """Return the motion in a mapping `R` (three rows), `t` (three numbers) and `unit` (mm or m) of t.

    Raises:
        ValueError: naming the key and the remedy.
    """
    if not isinstance(values, Mapping):
        raise ValueError("depth_to_color must be an object with R, t and unit")
    rotation, translation = (_either(values, *names) for names in (("R", "rotation"), ("t", "T", "translation")))
    rows = rotation if isinstance(rotation, list) else []
    if len(rows) != 3 or not all(isinstance(row, list) and len(row) == 3 for row in rows):
        raise ValueError(
            "depth_to_color.R must be three rows of three numbers: a list of nine may be in column order (RealSense)"
        )
    matrix = np.array(numbers(rows, "depth_to_color.R")).reshape(3, 3)
    if np.abs(matrix @ matrix.T - np.eye(3)).max() > ORTHONORMAL_WITHIN or np.linalg.det(matrix) < 0:
        raise ValueError("depth_to_color.R is not a rotation")
    shift = numbers(translation, "depth_to_color.t")
    unit = values.get("unit")
    if unit not in MM_PER:
        raise ValueError(f"depth_to_color.unit = {reprlib.repr(unit)} must say the unit of t: mm or m")
    if len(shift) != 3:
        raise ValueError("depth_to_color.t must be three numbers")
    shift_mm = np.array(shift) * MM_PER[unit]
    far = float(np.linalg.norm(shift_mm))
    if far > FARTHEST_MM:
        hint = ": this looks like mm: set unit to mm" if unit == "m" and far / 1000 <= FARTHEST_MM else ""
        raise ValueError(f"depth_to_color.t is {far:.4g} mm long; cameras of one device are centimetres apart{hint}")
    if 0 < far < NEAREST_MM:
        hint = ": this looks like m: set unit to m" if unit == "mm" and far * 1000 >= NEAREST_MM else ""
        raise ValueError(f"depth_to_color.t is {far:.4g} mm long; cameras of one device are centimetres apart{hint}")
    return Motion(tuple(matrix.ravel().tolist()), tuple(shift_mm.tolist()))


def _either(values: Mapping[str, Any], *names: str) -> Any:
    name = next((name for name in names if name in values), None)
    if name is None:
        raise ValueError(f"depth_to_color: key {names[0]!r} is missing (needed: R, t, unit)")
    return values[name]
