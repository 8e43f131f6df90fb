"""Point clouds: what the codecs of cloud files give, and columns told apart by name or by what they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.mesh import colors_u1

COLUMN_NAMES: tuple[str, ...] = ("x", "y", "z", "nx", "ny", "nz", "r", "g", "b", "curvature", "-")
"""What a column can be; `-` is left aside."""
_SAME = {"normal_x": "nx", "normal_y": "ny", "normal_z": "nz", "red": "r", "green": "g", "blue": "b",
         "diffuse_red": "r", "diffuse_green": "g", "diffuse_blue": "b", "intensity": "-", "reflectance": "-",
         "alpha": "-", "a": "-"}  # fmt: skip
_WITH_NORMALS = ("x", "y", "z", "nx", "ny", "nz")
JUDGED_ROWS = 16
"""Rows at the beginning of a file by which unnamed columns are told apart: enough to read its first few KB."""
_UNIT_WITHIN = 0.02


@dataclass(frozen=True)
class Cloud:
    """The points of a file in its own units and axes.

    Attributes:
        points: f8 (N, 3), finite.
        normals: f4 (N, 3), unit, or None.
        colors: u1 (N, 3), RGB, or None.
        curvature: f4 (N,), as the file has it, or None.
    """

    points: np.ndarray
    normals: np.ndarray | None = None
    colors: np.ndarray | None = None
    curvature: np.ndarray | None = None


def column_name(text: str) -> str | None:
    """Return what a name in a header stands for, one of `COLUMN_NAMES`, or None where it is not known."""
    low = text.strip().strip('"').lower()
    return low if low in COLUMN_NAMES else _SAME.get(low)


def judge_columns(rows: np.ndarray, name: str) -> tuple[str, ...]:
    """Return what unnamed columns are: 3: x y z; 6: normals where they are of unit length, else colours; 7: below.

    Seven columns are x y z, normal, curvature where the normals are of unit length; else x y z, intensity, r g b, as
    laser scanners write them.

    Args:
        rows: (R, k), the first `JUDGED_ROWS` of the file.
        name: the file's name, for errors.

    Raises:
        Unreadable: `unknown_columns`: another number of columns.
    """
    count = rows.shape[1]
    if count == 3:
        return ("x", "y", "z")
    if count in (6, 7):
        lengths = np.sqrt((rows[:, 3:6].astype(np.float64) ** 2).sum(axis=1))
        lengths = lengths[np.isfinite(lengths)]
        if len(lengths) and (np.abs(lengths - 1) <= _UNIT_WITHIN).all():
            return _WITH_NORMALS if count == 6 else (*_WITH_NORMALS, "curvature")
        return ("x", "y", "z", *(("-",) if count == 7 else ()), "r", "g", "b")
    raise Unreadable("unknown_columns", f"{name}: has {count} columns, and only 3, 6 and 7 are known: set columns")


def cloud_of_table(values: np.ndarray, names: Sequence[str], name: str) -> Cloud:
    """Return the cloud of a table (N, k) whose columns have names of `COLUMN_NAMES`.

    Raises:
        Unreadable: `unknown_columns`: another number of columns; as `cloud_of_columns`.
    """
    if values.shape[1] != len(names):
        raise Unreadable("unknown_columns", f"{name}: has {values.shape[1]} columns, and columns names {len(names)}")
    return cloud_of_columns({key: values[:, i] for i, key in enumerate(names) if key != "-"}, name)


def arrays_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return which of points, normals, colors and curvature columns of these names give."""
    known = {column_name(name) for name in names}
    given = {"points": {"x", "y", "z"}, "normals": {"nx", "ny", "nz"}, "colors": {"r", "g", "b"},
             "curvature": {"curvature"}}  # fmt: skip
    return tuple(array for array, columns in given.items() if columns <= known)


def cloud_of_columns(columns: Mapping[str, np.ndarray], name: str) -> Cloud:
    """Return the cloud of named columns (N,).

    Left out are points with a coordinate that is not finite (scanners mark with them what they did not see), several
    points at 0, 0, 0 (the holes of organised clouds; one may be a point) and, where there are normals, points whose
    normal has no direction. Normals are made unit.

    Raises:
        Unreadable: `unreadable`: no point is left, or colours are out of range.
    """
    named = {column_name(key): values for key, values in columns.items()}
    arrays = arrays_of(list(columns))
    points = np.stack([named[axis].astype(np.float64) for axis in "xyz"], axis=1)
    kept = np.isfinite(points).all(axis=1)
    holes = ~points.any(axis=1)
    if np.count_nonzero(holes) > 1:
        kept &= ~holes
    normals = None
    if "normals" in arrays:
        normals = np.stack([named[axis].astype(np.float64) for axis in ("nx", "ny", "nz")], axis=1)
        with np.errstate(all="ignore"):
            length = np.sqrt((normals**2).sum(axis=1))
            normals = (normals / length[:, None]).astype(np.float32)
        kept &= (length > 0) & np.isfinite(normals).all(axis=1)
    if not kept.any():
        raise Unreadable("unreadable", f"{name}: holds no finite point ({len(points)} in all)")
    colors = np.stack([named[axis][kept] for axis in "rgb"], axis=1) if "colors" in arrays else None
    curvature = None
    if "curvature" in arrays:
        curvature = np.nan_to_num(named["curvature"][kept].astype(np.float32), posinf=0.0, neginf=0.0)
    return Cloud(
        points[kept],
        None if normals is None else normals[kept],
        None if colors is None else colors_u1(colors, name),
        curvature,
    )
