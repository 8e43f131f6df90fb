"""`.bnt`: range images with texture coordinates, little-endian binary.

uint16 rows; uint16 columns; float64 background value; uint16 length and as many bytes of the picture's name; uint32
count = 5 · rows · columns; then five float64 planes x, y, z, u, v, each row by row from the lowest row up. A point is
background where its value equals the background value. x, y, z in mm, x to the right, y up, z to the viewer; u, v in
0..1 of the picture.

v grows downwards from the picture's first row: public MATLAB code takes row round(v · height), and menpo's importer
found v upside down for its convention, in which v grows upwards.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_points

PLANES = 5
FARTHEST_MM = 1e6
"""No scanner of faces sees a kilometre: a value beyond it is no coordinate."""
OUTSIDE = 0.01
"""So far outside of 0..1 a texture coordinate may lie by rounding."""


@dataclass(frozen=True)
class BntHeader:
    """What a `.bnt` file says before its values.

    Attributes:
        rows: rows of the range image.
        columns: columns of the range image.
        background: the value of x, y and z where there is no point.
        picture: the name of the picture that u and v refer to, as the file has it.
        start: byte at which the first plane begins.
    """

    rows: int
    columns: int
    background: float
    picture: str
    start: int


def read_bnt_header(path: str | Path) -> BntHeader:
    """Return a file's header, having checked that the file is as long as it says.

    Raises:
        Unreadable: `unreadable`, with the byte at which the file is wrong or ends.
    """
    path = Path(path)
    with open(path, "rb", buffering=0) as stream:
        return _header(stream, path.name)


def read_bnt(path: str | Path) -> np.ndarray:
    """Return the points as f4 (rows, columns, 3), mm, in the camera frame; NaN where there is none.

    The file's points are rotated by 180 degrees about x, so that x points right, y down and z away from the viewer;
    that only changes signs, and nothing is rounded beyond float32. Rows are in order from the top. The texture
    coordinates are not read.

    Raises:
        Unreadable: `unreadable`, as `read_bnt_header`, or a value is not a coordinate; `no_points` if the whole image
            is background.
    """
    path = Path(path)
    with open(path, "rb", buffering=0) as stream:
        header = _header(stream, path.name)
        return _points(stream, header, path.name)


def read_bnt_texture(path: str | Path) -> np.ndarray:
    """Return u and v as f8 (rows, columns, 2), NaN where there is no point or it has none; rows from the top down.

    v = 0 is the picture's first row.

    Raises:
        Unreadable: as `read_bnt`, or where a texture coordinate is outside of 0..1.
    """
    path = Path(path)
    with open(path, "rb", buffering=0) as stream:
        header = _header(stream, path.name)
        points = _points(stream, header, path.name)
        u_v = _planes(stream, header, 3, 2)
    nothing = np.isnan(points[::-1, :, 0]) | (u_v[0] == header.background) | (u_v[1] == header.background)
    wrong = ~((u_v >= -OUTSIDE) & (u_v <= 1 + OUTSIDE)) & ~nothing
    if wrong.any():
        raise _no_value(wrong, u_v, header, 3, "a texture coordinate in 0..1", path.name)
    texture = np.empty((header.rows, header.columns, 2))
    for axis, plane in enumerate(u_v):
        np.copyto(plane, np.nan, where=nothing)
        texture[..., axis] = plane[::-1]
    return texture


def _header(stream: FileIO, name: str) -> BntHeader:
    size = os.fstat(stream.fileno()).st_size
    if size == 0:
        raise Unreadable("unreadable", f"{name}: the file is empty")
    # One read holds most headers whole; a longer name is read again.
    data = stream.read(4096)
    if len(data) < 14:
        raise Unreadable("unreadable", f"{name}: byte {len(data)}: the file is truncated in its header")
    rows, columns, background, length = struct.unpack_from("<HHdH", data)
    if not rows or not columns:
        raise Unreadable("unreadable", f"{name}: byte 0: {rows} rows of {columns} columns are empty")
    if not np.isfinite(background):
        raise Unreadable("unreadable", f"{name}: byte 4: the background value is {background}")
    start = 14 + length + 4
    if size < start:
        raise Unreadable(
            "unreadable", f"{name}: byte {size}: the file is truncated before byte {start}, its first value"
        )
    if start > len(data):
        stream.seek(0)
        data = stream.read(start)
    (count,) = struct.unpack_from("<I", data, start - 4)
    if count != PLANES * rows * columns:
        wanted = f"{PLANES} times {rows} rows of {columns} columns make {PLANES * rows * columns}"
        raise Unreadable("unreadable", f"{name}: byte {start - 4}: says {count} values, but {wanted}")
    if size < start + 8 * count:
        raise Unreadable("unreadable", f"{name}: byte {size}: the file is truncated before byte {start + 8 * count}")
    check_points(rows * columns, name)
    picture = data[14 : start - 4].decode("utf-8", "backslashreplace")
    return BntHeader(rows, columns, background, picture, start)


def _planes(stream: FileIO, header: BntHeader, first: int, count: int) -> np.ndarray:
    """Return `count` planes, f8 (count, rows, columns), as stored: the lowest row first."""
    planes = np.empty((count, header.rows, header.columns), "<f8")
    stream.seek(header.start + first * planes[0].nbytes)
    for plane in planes:
        _fill(plane, stream)
    return planes


def _fill(plane: np.ndarray, stream: FileIO) -> None:
    """Read the next plane into an array; a short read is one of a file that was cut off a moment ago."""
    if stream.readinto(plane.data) != plane.nbytes:
        raise OSError("the file became shorter while it was read")


def _points(stream: FileIO, header: BntHeader, name: str) -> np.ndarray:
    # Plane by plane, which is several times as fast as point by point; one plane fits into the processor's cache.
    values = np.empty((3, header.rows, header.columns), np.float32)
    nothing = np.zeros((header.rows, header.columns), bool)
    stored = np.empty(nothing.shape, "<f8")
    stream.seek(header.start)
    with np.errstate(over="ignore"):  # what overflows is refused below
        for plane in values:
            _fill(stored, stream)
            nothing |= stored == header.background
            plane[...] = stored
    for plane in values:
        np.copyto(plane, np.float32(np.nan), where=nothing)
    coordinates = np.abs(values) <= FARTHEST_MM
    n_points = nothing.size - int(np.count_nonzero(nothing))
    if np.count_nonzero(coordinates) != 3 * n_points:
        wrong = ~coordinates & ~nothing
        raise _no_value(wrong, _planes(stream, header, 0, 3), header, 0, "a coordinate in mm", name)
    if not n_points:
        raise Unreadable("no_points", f"{name}: all {nothing.size} points are background")
    np.negative(values[1:], out=values[1:])
    points = np.empty((header.rows, header.columns, 3), np.float32)
    for axis, plane in enumerate(values):
        points[..., axis] = plane[::-1]
    return points


def _no_value(
    wrong: np.ndarray, planes: np.ndarray, header: BntHeader, before: int, what: str, name: str
) -> Unreadable:
    """Return the error of the first value that is `wrong`; both arrays lie as stored, after `before` other planes."""
    index = int(np.argmax(wrong))
    at = header.start + 8 * (before * header.rows * header.columns + index)
    return Unreadable("unreadable", f"{name}: byte {at}: {planes.reshape(-1)[index]:.6g} is not {what}")
