"""Accessors of glTF 2.0: arrays in a binary buffer, checked against its length before they are read."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from face3d_data.formats.cost import check_points

_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_COLUMNS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def whole_number(value: Any) -> int | None:
    """Return a JSON value that is a whole number from 0, None for any other."""
    return value if type(value) is int and 0 <= value < 2**53 else None


def read_accessor(
    item: Callable[[str, Any], Mapping[str, Any]], binary: bytes, index: Any, columns: tuple[int, ...], kinds: str
) -> np.ndarray:
    """Return the array of an accessor (glTF 2.0, 3.6.2).

    Args:
        item: gives an entry of a list of the document: (list, index).
        binary: the file's own buffer.
        index: the accessor's.
        columns: numbers of columns that are allowed.
        kinds: kinds of numbers that are allowed: f, u.

    Returns:
        (N, columns): f8 where it may be `f` (whole numbers scaled to 0 ... 1), else i8.

    Raises:
        ValueError: it is not of these kinds, or goes beyond the buffer.
    """
    accessor, index = item("accessors", index), reprlib.repr(index)
    kind = _TYPES.get(accessor.get("componentType", 0)) if type(accessor.get("componentType")) is int else None
    width = _COLUMNS.get(str(accessor.get("type")))
    count = whole_number(accessor.get("count"))
    if kind is None or width not in columns or count is None or np.dtype(kind).kind not in kinds:
        raise ValueError(f"accessors[{index}] has another type than it needs")
    what = "vertices" if width > 1 else "triangles"
    check_points(count if width > 1 else count // 3, f"accessors[{index}]", what, held_by=len(binary))
    if "sparse" in accessor or "bufferView" not in accessor:
        raise ValueError(f"accessors[{index}] is sparse or has no buffer, which is not supported")
    view = item("bufferViews", accessor["bufferView"])
    if view.get("buffer") != 0 or "uri" in item("buffers", 0):
        raise ValueError(f"accessors[{index}] is outside the file, which is not supported")
    table = _table(binary, view, accessor, (count, width), np.dtype(kind), index)
    if "f" not in kinds:
        return table.astype(np.int64)
    return table / float(np.iinfo(table.dtype).max) if table.dtype.kind == "u" else table.astype(np.float64)


def _table(
    binary: bytes,
    view: Mapping[str, Any],
    accessor: Mapping[str, Any],
    shape: tuple[int, int],
    dtype: np.dtype,
    index: str,
) -> np.ndarray:
    """Return the numbers of an accessor, of a view of the buffer, as they are there.

    Raises:
        ValueError: they go beyond the view or the buffer.
    """
    count, width = shape
    row = dtype.itemsize * width
    numbers = [whole_number(each) for each in (view.get("byteOffset", 0), accessor.get("byteOffset", 0),
                                               view.get("byteLength"), view.get("byteStride", row))]  # fmt: skip
    if any(number is None for number in numbers):
        raise ValueError(f"accessors[{index}]: an offset or length is not a whole number")
    view_offset, offset, length, stride = (number or 0 for number in numbers)
    end = offset + (count - 1) * stride + row if count else offset
    if stride < row or end > length or view_offset + length > len(binary):
        raise ValueError(f"accessors[{index}] goes beyond its {length} bytes of {len(binary)}: truncated?")
    if not count:
        raise ValueError(f"accessors[{index}] is empty")
    return np.ndarray((count, width), dtype, binary, view_offset + offset, (stride, dtype.itemsize))
