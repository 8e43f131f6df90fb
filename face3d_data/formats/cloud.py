"""Point clouds as the codecs of cloud files return them, with columns identified by name or by their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.mesh import colors_u1
from face3d_data.remarks import remark

COLUMN_NAMES: tuple[str, ...] = ("x", "y", "z", "nx", "ny", "nz", "r", "g", "b", "curvature", "-")
"""What a column can be; `-` is ignored."""
_SAME = {"red": "r", "green": "g", "blue": "b", "intensity": "-", "reflectance": "-", "alpha": "-", "a": "-",
         "rf": "r", "gf": "g", "bf": "b", "af": "-"}  # fmt: skip
_PLACE = r"(?:pos|position|points?|coords?|coordinates?|vertex|vertices|location|xyz)"
_GAP = r"[\s_.:]*"
_SPELT = (
    (re.compile(rf"(?:{_PLACE}{_GAP})?([xyz])(?:[\s_.:-]+{_PLACE})?"), "xyz", ""),
    (re.compile(rf"{_PLACE}{_GAP}\[?([012])\]?"), "xyz", ""),
    (re.compile(rf"(?:n|normals?){_GAP}([xyz])"), "xyz", "n"),
    (re.compile(rf"normals?{_GAP}\[?([012])\]?"), "xyz", "n"),
    (re.compile(rf"(?:colou?rs?|rgb|diffuse){_GAP}(?:([rgb])|(red|green|blue)|\[?([012])\]?)"), "rgb", ""),
)
"""How programs write an axis or a channel with the name of its group: `pos_x`, `x_coord`, `Points:0`, `normals[2]`."""
_UNIT = re.compile(
    r"\s*(?:\[[^]]*\]|\([^)]*\)|(?<=[a-z0-2])[\s_.]+(?:um|mm|cm|dm|m|millimet(?:er|re)s?|met(?:er|re)s?))$"
)
_WITH_NORMALS = ("x", "y", "z", "nx", "ny", "nz")
JUDGED_ROWS = 128
"""Rows at the beginning of a file by which columns are judged when it is scanned and when it is read: so both find the
same. Those of a text fit what is read of it for a scan."""
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
    low = text.strip().strip("\"'").strip().lower()
    return _plain_name(low) or _plain_name(_UNIT.sub("", low))


def _plain_name(low: str) -> str | None:
    if low in COLUMN_NAMES:
        return low
    for pattern, letters, before in _SPELT:
        found = pattern.fullmatch(low)
        if found:
            which = next(group for group in found.groups() if group)[0]
            return before + (letters[int(which)] if which.isdigit() else which)
    return _SAME.get(low)


def judge_columns(rows: np.ndarray, name: str) -> tuple[str, ...]:
    """Return what unnamed columns are: 3: x y z; 6: normals where they are of unit length, else colours; 7: below.

    Seven columns are x y z, normal, curvature where the normals are of unit length; else x y z, intensity, r g b, as
    laser scanners write them. Rows that are not finite, or zero where a normal or a colour would be, decide nothing;
    where none decides, or what are no normals have signs, which no colour has, these columns are ignored.

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
        return _judge_rest(rows.astype(np.float64), name)
    raise Unreadable(
        "unknown_columns", f"{name}: has {count} columns, but only 3, 6 and 7 can be recognised: set columns"
    )


def _judge_rest(rows: np.ndarray, name: str) -> tuple[str, ...]:
    count = rows.shape[1]
    finite = rows[np.isfinite(rows).all(axis=1)]
    lengths = np.sqrt((finite[:, 3:6] ** 2).sum(axis=1))
    lengths = lengths[lengths > 0]
    if len(lengths) and (np.abs(lengths - 1) <= _UNIT_WITHIN).all():
        return _WITH_NORMALS if count == 6 else (*_WITH_NORMALS, "curvature")
    colors = finite[:, -3:]
    if colors.any() and (colors >= 0).all():
        return ("x", "y", "z", *("-" * (count - 6)), "r", "g", "b")
    why = "are neither unit normals nor colours" if colors.any() else "are zero where the file begins"
    remark(f"{name}: columns 4 to {count} {why}: they are ignored; set columns if you know them")
    return ("x", "y", "z", *("-" * (count - 3)))


def cloud_of_table(values: np.ndarray, names: Sequence[str], name: str) -> Cloud:
    """Return the cloud of a table (N, k) whose columns have names of `COLUMN_NAMES`.

    Raises:
        Unreadable: `unknown_columns`: another number of columns; as `cloud_of_columns`.
    """
    if values.shape[1] != len(names):
        raise Unreadable(
            "unknown_columns", f"{name}: has {values.shape[1]} columns, but the option columns names {len(names)}"
        )
    return cloud_of_columns({key: values[:, i] for i, key in enumerate(names) if key != "-"}, name)


def arrays_of(names: Sequence[str]) -> tuple[str, ...]:
    """Return which of points, normals, colors and curvature columns of these names give."""
    known = {column_name(name) for name in names}
    given = {"points": {"x", "y", "z"}, "normals": {"nx", "ny", "nz"}, "colors": {"r", "g", "b"},
             "curvature": {"curvature"}}  # fmt: skip
    return tuple(array for array, columns in given.items() if columns <= known)


def has_directions(normals: np.ndarray, kept: np.ndarray) -> bool:
    """Return whether one of the first normals has a direction: many writers leave all of them zero.

    Args:
        normals: (N, 3).
        kept: bool (N,), rows that are points.
    """
    first = normals[np.flatnonzero(kept)[:JUDGED_ROWS]].astype(np.float64)
    with np.errstate(all="ignore"):
        return not len(first) or bool((np.isfinite(first).all(axis=1) & first.any(axis=1)).any())


def cloud_of_columns(columns: Mapping[str, np.ndarray], name: str) -> Cloud:
    """Return the cloud of named columns (N,).

    Left out are, with a remark, points with a coordinate that is not finite (scanners mark with them what they did not
    see), several points at 0, 0, 0 (the holes of organised clouds; see `is_point`) and, where there are normals, points
    whose normal has no direction. Where none of the first normals has one, normals are ignored instead. They are made
    unit.

    Raises:
        Unreadable: `unreadable`: no point is left.
    """
    named = {column_name(key): values for key, values in columns.items()}
    arrays = arrays_of(list(columns))
    points = np.stack([named[axis].astype(np.float64) for axis in "xyz"], axis=1)
    kept = is_point(points)
    if not kept.all():
        lost = f"{np.count_nonzero(~kept)} of {len(kept)}"
        remark(f"{name}: {lost} points are left out: not finite, or several at 0 0 0, which means holes")
    normals = None
    if "normals" in arrays:
        given = np.stack([named[axis].astype(np.float64) for axis in ("nx", "ny", "nz")], axis=1)
        normals, kept = _unit_normals(given, kept, name)
    if not kept.any():
        raise Unreadable("unreadable", f"{name}: contains no finite points ({len(points)} in all)")
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


def _unit_normals(given: np.ndarray, kept: np.ndarray, name: str) -> tuple[np.ndarray | None, np.ndarray]:
    """Return unit normals f4 (N, 3), or None where none has a direction, and which points are kept with them."""
    if not has_directions(given, kept):
        remark(f"{name}: its normals have no direction: they are ignored")
        return None, kept
    with np.errstate(all="ignore"):
        length = np.sqrt((given**2).sum(axis=1))
        normals = (given / length[:, None]).astype(np.float32)
    directed = (length > 0) & np.isfinite(normals).all(axis=1)
    if not directed[kept].all():
        lost = np.count_nonzero(~directed & kept)
        remark(f"{name}: {lost} of {np.count_nonzero(kept)} points have a normal without direction: they are left out")
    return normals, kept & directed


def is_point(points: np.ndarray) -> np.ndarray:
    """Return which rows (N, 3) are points: all finite, and none of several at 0, 0, 0.

    Where other places are given as often (the vertices of a mesh, one for each face), 0, 0, 0 is a place as they are.
    """
    kept = np.isfinite(points).all(axis=1)
    holes = ~points.any(axis=1)
    n_holes = np.count_nonzero(holes)
    if n_holes > 1 and n_holes > _most_at_one_place(points[kept & ~holes]):
        kept &= ~holes
    return np.asarray(kept)


def _most_at_one_place(points: np.ndarray) -> int:
    order = np.lexsort(points.T)
    new = np.ones(len(points) + 1, bool)
    new[1:-1] = (points[order][1:] != points[order][:-1]).any(axis=1)
    return int(np.diff(np.flatnonzero(new)).max(initial=0)) if len(points) else 0


def arrays_seen(names: Sequence[str], rows: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Return which arrays `cloud_of_columns` will give of columns of these names, from the first rows of a file.

    Args:
        names: of the columns.
        rows: the first rows of those columns, as far as they are known.
    """
    arrays = arrays_of(names)
    named = {column_name(key): values for key, values in rows.items()}
    if "normals" not in arrays or not {"x", "y", "z", "nx", "ny", "nz"} <= named.keys():
        return arrays
    points, normals = (np.stack([named[axis] for axis in group], axis=1) for group in ("xyz", ("nx", "ny", "nz")))
    if has_directions(normals, is_point(points)):
        return arrays
    return tuple(array for array in arrays if array != "normals")
