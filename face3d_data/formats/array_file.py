"""Tables of points in NumPy's `.npy` and `.npz` files."""

from __future__ import annotations

import io
import math
import reprlib
import zipfile
import zlib
from typing import IO

import numpy as np
from numpy.lib import format as npy_format

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import column_name
from face3d_data.formats.cost import check_bytes, check_points
from face3d_data.remarks import remark

_LONGEST_HEADER = 10_000
_XYZ, _NORMAL, _RGB = ("x", "y", "z"), ("nx", "ny", "nz"), ("r", "g", "b")
_GROUPS = {"xyz": _XYZ, "points": _XYZ, "position": _XYZ, "normal": _NORMAL, "normals": _NORMAL, "rgb": _RGB,
           "color": _RGB, "colors": _RGB}  # fmt: skip
"""Fields of three numbers, and the columns that they hold."""
_USUAL_KEYS = ("points", "vertices", "verts", "xyz", "positions", "position", "coords", "data", "arr_0")
_COMPANION_KEYS = {"normals": ("normals", "normal", "vertex_normals"),
                   "colors": ("colors", "color", "rgb", "vertex_colors")}  # fmt: skip
"""Arrays that may be next to one of points x y z, with a row for each; the first of a kind counts."""
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


def read_npy_table(data: bytes, name: str, most_rows: int | None = None) -> np.ndarray:
    """Return the table (N, k) in a `.npy` file, or its records (N,), or the first rows of these.

    Args:
        data: the file, or its start if `most_rows` is given.
        name: its name, for errors.
        most_rows: maximum number of rows, read from the start of the file only.

    Raises:
        Unreadable: `unreadable`, with the byte: not an array of numbers of this shape, or truncated.
    """
    return _read(io.BytesIO(data), name, len(data), most_rows)


def read_npz_table(data: bytes, name: str, key: str | None = None, most_rows: int | None = None) -> np.ndarray:
    """Return one table (N, k) of a `.npz` file, or its records (N,), or the first rows of these.

    In addition to points x y z, arrays of normals and colours with one row per point become fields of the same records.

    Args:
        data: the file.
        name: its name, for errors.
        key: name of the only array to read; None: the only one, or the first of `_USUAL_KEYS`, with normals and
            colours.
        most_rows: maximum number of rows; no more is unpacked.

    Raises:
        Unreadable: `no_key`: there is no such array, or it is ambiguous; `unreadable`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            there = [info.filename.removesuffix(".npy") for info in archive.infolist()]
            usual = next((text for text in _USUAL_KEYS if text in there), there[0] if len(there) == 1 else None)
            chosen = key if key is not None else usual
            if chosen is None or chosen not in there:
                wanted = f"no array {key!r}" if key else "several arrays: set key"
                raise Unreadable("no_key", f"{name}: {wanted} (there are {reprlib.repr(sorted(there))})")
            table = _member(archive, there, chosen, name, most_rows)
            if key is not None or table.dtype.names is not None or table.shape[1] != 3:
                return table
            beside = {
                kind: next((text for text in keys if text in there), "") for kind, keys in _COMPANION_KEYS.items()
            }
            found = {kind: _member(archive, there, text, name, most_rows) for kind, text in beside.items() if text}
            return _with_beside(table, found, name)
    except _ZIP_FAULTS as error:
        raise Unreadable("unreadable", f"{name}: not a .npz file, or a damaged one ({str(error)[:100]})") from None


def _member(archive: zipfile.ZipFile, there: list[str], key: str, name: str, most_rows: int | None) -> np.ndarray:
    info = archive.infolist()[there.index(key)]
    with archive.open(info) as member:
        return _read(member, f"{name}: {key}", info.file_size, most_rows)


def _with_beside(points: np.ndarray, found: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Return records (N,) of points and what is next to them; what does not fit is ignored with a remark."""
    fitting = {"points": points}
    for kind, table in found.items():
        widths = (3, 4) if kind == "colors" else (3,)
        if table.dtype.names is None and len(table) == len(points) and table.shape[1] in widths:
            fitting[kind] = table[:, :3]
        else:
            remark(f"{name}: {kind} of shape {table.shape} do not fit {len(points)} points: they are ignored")
    if len(fitting) == 1:
        return points
    records = np.empty(len(points), [(kind, table.dtype, (3,)) for kind, table in fitting.items()])
    for kind, table in fitting.items():
        records[kind] = table
    return records


def record_columns(records: np.ndarray, name: str) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return the columns that the fields of records hold by their names, and the fields that nobody knows.

    A field of three numbers named xyz, normal or rgb stands for three columns.

    Args:
        records: (N,), a structured array.
        name: the file's name, for errors.

    Raises:
        Unreadable: `unknown_columns`: there is no x, y and z among them.
    """
    columns: dict[str, np.ndarray] = {}
    unknown = []
    for field in records.dtype.names or ():
        values = records[field]
        group = _GROUPS.get(field.lower())
        if values.dtype.kind not in "iuf" or values.dtype.itemsize > 8:
            unknown.append(field)
        elif group is not None and values.shape[1:] == (3,):
            columns |= {axis: values[:, i] for i, axis in enumerate(group)}
        elif values.ndim == 1 and column_name(field) is not None:
            columns[column_name(field) or ""] = values
        else:
            unknown.append(field)
    columns.pop("-", None)
    if not {"x", "y", "z"} <= columns.keys():
        shown = ", ".join(records.dtype.names or ())[:80]
        raise Unreadable("unknown_columns", f"{name}: its fields {shown} have no x, y and z: rename them")
    return columns, tuple(unknown)


def _read(stream: IO[bytes], name: str, size: int, most_rows: int | None) -> np.ndarray:
    shape, by_columns, dtype = _header(stream, name)
    rows, columns = shape
    check_points(rows, name)
    check_bytes(math.prod(shape) * dtype.itemsize, name, "unpacks to")
    start = stream.tell()
    wanted = math.prod(shape) * dtype.itemsize
    if most_rows is not None and not by_columns:
        rows = min(rows, most_rows)
        wanted = rows * columns * dtype.itemsize
    elif wanted > size - start:
        raise Unreadable("unreadable", f"{name}: byte {start}: {size - start} of {wanted} bytes follow: truncated?")
    # What a header claims is bounded by what follows it: no more is asked for than is there.
    content = stream.read(wanted)
    if len(content) < wanted:
        at = start + len(content)
        raise Unreadable("unreadable", f"{name}: byte {at}: {len(content)} of {wanted} bytes follow: truncated?")
    table = np.frombuffer(content, dtype)
    if dtype.names is not None:
        return table
    return table.reshape(columns, rows).T if by_columns else table.reshape(rows, columns)


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, int], bool, np.dtype]:
    try:
        version = npy_format.read_magic(stream)
        length_bytes = 2 if version == (1, 0) else 4
        length = stream.read(length_bytes)
        if version not in ((1, 0), (2, 0), (3, 0)) or int.from_bytes(length, "little") > _LONGEST_HEADER:
            raise ValueError(f"a header of version {version} and {int.from_bytes(length, 'little')} bytes")
        text = io.BytesIO(length + stream.read(int.from_bytes(length, "little")))
        read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, by_columns, dtype = read(text)
    except Exception as error:  # NumPy parses it as Python text: a changed byte gives whatever the parser gives
        raise Unreadable("unreadable", f"{name}: byte 0: not a .npy header ({str(error)[:100]})") from None
    if dtype.names is not None and not dtype.hasobject and dtype.itemsize and len(shape) in (1, 2):
        # Organised clouds have records in rows and columns: each is a point.
        count = math.prod(shape)
        if count > 0 and all(type(n) is int and n > 0 for n in shape):
            return (count, 1), False, dtype
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise Unreadable("unreadable", f"{name}: byte 0: contains {str(dtype)[:60]}, expected numbers")
    if len(shape) != 2 or not all(type(n) is int and n > 0 for n in shape):
        raise Unreadable("unreadable", f"{name}: byte 0: has shape {reprlib.repr(shape)}, expected (N, 3), (N, 6) ...")
    if shape[0] in (3, 6, 7) and shape[1] not in (3, 6, 7):
        raise Unreadable("unreadable", f"{name}: byte 0: has shape {shape}: transpose it to (N, {shape[0]})")
    return (shape[0], shape[1]), bool(by_columns), dtype
