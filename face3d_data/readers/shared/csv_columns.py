"""Columns of a CSV of captures: roles (files, person, camera, landmarks), and tags with their types."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from face3d_data.errors import UserError
from face3d_data.formats.delimited import ListRecord
from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.readers.shared.pattern import TYPES
from face3d_data.sample import Tag
from face3d_data.table import FIXED_COLUMNS

FILE_ROLES: tuple[str, ...] = ("color", "depth", "grid", "grid_color", "points")
"""Files that belong to one capture; the capture's name is made from the first that its line names."""
CAMERA_ROLES: tuple[str, ...] = ("fx", "fy", "cx", "cy")
LANDMARK_ROLES: dict[str, tuple[str, ...]] = {axis: tuple(f"{n}_{axis}" for n in LANDMARK_NAMES) for axis in "xyz"}
ROLES: tuple[str, ...] = (
    "identity", "capture", "mask", *FILE_ROLES, "landmarks", "intrinsics", *CAMERA_ROLES, "depth_scale",
    *LANDMARK_ROLES["x"], *LANDMARK_ROLES["y"], *LANDMARK_ROLES["z"],
)  # fmt: skip
_TAG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NO_TAG = frozenset(FIXED_COLUMNS) | frozenset(ROLES)
_CODE = re.compile(r"[+-]?0[0-9]")
_WHOLE = re.compile(rf"(?:{TYPES['int'][0]})\Z")
_FRACTION = re.compile(rf"(?:{TYPES['float'][0]})\Z")
_FLAGS = {"true": True, "false": False}
_LARGEST_INT, _LONGEST_INT = 2**63 - 1, 24
MASK_NAMES: dict[str, str] = {
    "none": "none", "unmasked": "none", "false": "none", "no": "none", "0": "none",
    "worn": "worn", "masked": "worn", "true": "worn", "yes": "worn", "1": "worn",
}  # fmt: skip


@dataclass(frozen=True)
class TagColumn:
    """A column of a tag: its place in the line, and its type where one is given (`session:int`)."""

    name: str
    at: int
    type: str | None


@dataclass(frozen=True)
class Columns:
    """Role to place in the line, and the tags."""

    roles: Mapping[str, int]
    tags: tuple[TagColumn, ...]

    @functools.cached_property
    def landmark_axes(self) -> tuple[str, ...]:
        """Axes of landmarks, of x y z, that the list has a column of."""
        return tuple(axis for axis, roles in LANDMARK_ROLES.items() if any(role in self.roles for role in roles))

    def cell(self, cells: Sequence[str], role: str) -> str:
        """Return the text that a line has for a role, `""` where the list has no such column."""
        at = self.roles.get(role)
        return "" if at is None else cells[at]


def plan_columns(header: Sequence[str], mapping: Mapping[str, str], tags: Sequence[str] | None, where: str) -> Columns:
    """Return what each column is.

    Args:
        header: the columns' names; one without a name (an index that pandas wrote) is left alone.
        mapping: role or tag to the name of its column.
        tags: tags to take, each `name` or `name:type`; None takes every column that has no role.
        where: what messages name first.

    Raises:
        UserError: a column is missing, or a tag cannot be called so.
    """
    place = {name: at for at, name in enumerate(header) if name}
    gone = next((item for item in mapping.items() if item[1] not in place), None)
    if gone is not None:
        raise UserError(f"{where}: columns: {gone[0]}: no column {gone[1]!r} (there are: {', '.join(place)})")
    taken = {column for role, column in mapping.items() if role in ROLES}
    roles = {role: place[role] for role in ROLES if role in place and role not in taken}
    roles |= {role: place[column] for role, column in mapping.items() if role in ROLES}
    if not any(role in roles for role in FILE_ROLES):
        raise UserError(
            f"{where}: there is no column of files: name one {', '.join(FILE_ROLES)}, or map one in columns"
        )
    renamed = {column: role for role, column in mapping.items() if role not in ROLES}
    used = {header[at] for at in roles.values()}
    wanted: list[tuple[str, str | None]] = [_typed(text, where) for text in tags or ()]
    if tags is None:
        wanted = [(renamed.get(column, column), None) for column in place if column not in used]
    by_name = {**place, **{role: place[column] for column, role in renamed.items()}}
    return Columns(roles, tuple(_tag_column(name, kind, by_name, where) for name, kind in wanted))


def _typed(text: str, where: str) -> tuple[str, str | None]:
    name, colon, kind = text.partition(":")
    if colon and kind not in TYPES:
        raise UserError(f"{where}: tag_columns: {text!r}: there is no type {kind!r} (known: {', '.join(TYPES)})")
    return name, kind or None


def _tag_column(name: str, kind: str | None, place: Mapping[str, int], where: str) -> TagColumn:
    if name not in place:
        raise UserError(f"{where}: tag_columns: no column {name!r} (there are: {', '.join(place)})")
    remedy = "rename the column, map it to another name with columns, or say with tag_columns which to take"
    if not _TAG_NAME.match(name):
        raise UserError(f"{where}: column {name!r} cannot be a tag (letters, digits and _): {remedy}")
    if name in _NO_TAG:
        raise UserError(f"{where}: column {name!r} cannot be a tag, as its name is reserved: {remedy}")
    return TagColumn(name, place[name], kind)


def infer_type(cells: Iterable[str]) -> str:
    """Return the type that all cells of a column fit, empty ones left out: int, float, flag, else str.

    A number with needless zeros in front is a code (`007`), which stays text.
    """
    texts = {text for text in cells if text}
    kinds = ("int", "float", "flag") if texts and not any(map(_CODE.match, texts)) else ()
    return next((kind for kind in kinds if all(_fits(text, kind) for text in texts)), "str")


NUMBER_ROLES: tuple[str, ...] = (*CAMERA_ROLES, "depth_scale", *itertools.chain.from_iterable(LANDMARK_ROLES.values()))
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?\Z")


def with_points(lines: Sequence[ListRecord], columns: Columns) -> list[ListRecord]:
    """Return the lines of a list parted by semicolons with points for decimal commas.

    They are so in cells of numbers, and in tags of which every cell is a number then.
    """
    places = {columns.roles[role] for role in NUMBER_ROLES if role in columns.roles}
    good = [line.cells for line in lines if line.fault is None]
    for tag in columns.tags:
        kind = tag.type or infer_type(_with_point(cells[tag.at]) for cells in good)
        places |= {tag.at} if kind == "float" else set()
    return [
        replace(line, cells=tuple(_with_point(text) if at in places else text for at, text in enumerate(line.cells)))
        for line in lines
    ]


def _with_point(text: str) -> str:
    return text.replace(",", ".") if _DECIMAL_COMMA.match(text) else text


def _fits(text: str, kind: str) -> bool:
    if kind == "int":
        return bool(_WHOLE.match(text)) and len(text) <= _LONGEST_INT and abs(int(text)) <= _LARGEST_INT
    if kind == "float":
        return bool(_FRACTION.match(text)) and math.isfinite(float(text))
    return kind == "str" or text.lower() in _FLAGS


@functools.lru_cache(maxsize=65_536)
def tag_value(text: str, kind: str) -> Tag:
    """Return a cell as a value of a type, by the rules of patterns: no `12_0`, no `nan`, no digits of other scripts.

    Raises:
        ValueError: it does not have this type.
    """
    if not _fits(text, kind):
        named = {"int": "a whole number", "float": "a finite number", "flag": "true or false"}[kind]
        hint = ": write a decimal point, not a comma" if _DECIMAL_COMMA.match(text) else ""
        raise ValueError(f"{text[:40]!r} is not {named}{hint}")
    if kind == "flag":
        return _FLAGS[text.lower()]
    return {"int": int, "float": float, "str": str}[kind](text)
