"""MATLAB files of level 5: one numeric matrix, as `save` writes it, compressed or not.

MAT-File Format (The MathWorks, R2019b), "Level 5 MAT-File Format": a header of 128 bytes, then elements, each a tag
(type, size in bytes) and data padded to 8 bytes; a variable is an element `miMATRIX`, or one `miCOMPRESSED` that holds
it. Only such matrices are accepted: no cells, structures, sparse or complex ones. Sizes are checked against the file
before memory is allocated, and a compressed matrix is unpacked only as far as its own dimensions need.

Evidence for a codec of our own (tests/formats/test_library_faults.py): scipy 1.17 `loadmat` crashes on corrupt files.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.image import read_bytes

HEADER_BYTES = 128
_MATRIX, _COMPRESSED, _INT8, _INT32, _UINT32 = 14, 15, 1, 5, 6
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_FIRST_CLASS, _LAST_CLASS = 6, 15
"""Classes of plain numeric arrays: double, single, int8 and so on to uint64."""
_COMPLEX = 0x08
_PIECE = 1 << 20
_PADDING = 64
_DESCRIPTION_BYTES = 512
"""Tag, flags, dimensions, name and the tag of the values: all that is looked at of a matrix before its values."""


@dataclass(frozen=True)
class _Tag:
    """An element's type, the place of its data and their size, and the place of the element after it."""

    type: int
    start: int
    size: int
    end: int


@dataclass(frozen=True)
class _Matrix:
    """What a matrix says of itself: its name, its dimensions and where its values lie, counted from its own tag on."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    size: int


def read_mat_matrix(path: str | Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a variable of a MATLAB file in the type that its values are stored in.

    Args:
        path: the file.
        name: the variable.
        shape: its dimensions; others are refused.

    Raises:
        Unreadable: `unreadable`, with the byte; `no_matrix` where the file has no such variable of this shape.
        OSError: the file is gone or cannot be read.
    """
    path = Path(path)
    data = memoryview(read_bytes(path))
    try:
        at, tag, found = _find(data, name, shape)
        return _values(data, at, tag, found)
    except _Fault as fault:
        raise Unreadable(fault.reason, f"{path.name}: {fault}") from None


def inspect_mat_matrix(path: str | Path, name: str, shape: tuple[int, ...]) -> None:
    """Check that a MATLAB file has a variable, as far as its tags say.

    Raises:
        Unreadable: as `read_mat_matrix`.
        OSError: the file is gone or cannot be read.
    """
    path = Path(path)
    try:
        _find(memoryview(read_bytes(path)), name, shape)
    except _Fault as fault:
        raise Unreadable(fault.reason, f"{path.name}: {fault}") from None


def _find(data: memoryview, name: str, shape: tuple[int, ...]) -> tuple[int, _Tag, _Matrix]:
    """Return the place and tag of a variable, and what it says of itself."""
    order = _byte_order(data)
    at, seen = HEADER_BYTES, []
    while at < len(data):
        tag = _tag(data, at, order, padded=False)
        found = _variable(data, at, tag, order)
        if found is not None and found.name == name:
            _check(at, found, shape)
            return at, tag, found
        seen.append(found.name if found is not None else "?")
        at = tag.end
    raise _Fault(f"no variable {name!r} (there are: {', '.join(seen[:10]) or 'none'})", "no_matrix")


def _check(at: int, found: _Matrix, shape: tuple[int, ...]) -> None:
    if found.shape != shape:
        said = "x".join(map(str, found.shape[:9]))
        raise _Fault(f"byte {at}: {found.name!r} is {said}, expected {'x'.join(map(str, shape))}", "no_matrix")
    count = math.prod(shape)
    if found.size != count * found.dtype.itemsize:
        raise _Fault(f"byte {at}: {found.name!r} has {found.size} bytes of values for {count} of {found.dtype}")


class _Fault(Exception):
    """What is wrong, without the file's name."""

    def __init__(self, said: str, reason: str = "unreadable") -> None:
        super().__init__(said)
        self.reason = reason


def _byte_order(data: memoryview) -> str:
    if bytes(data[:8]) == b"\x89HDF\r\n\x1a\n" or bytes(data[:19]) == b"MATLAB 7.3 MAT-file":
        raise _Fault("byte 0: a MATLAB 7.3 file (HDF5): save it as level 5 (-v7)")
    if len(data) < HEADER_BYTES:
        raise _Fault(f"byte {len(data)}: the header is truncated ({len(data)} of {HEADER_BYTES} bytes)")
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:128]))
    if order is None:
        raise _Fault(f"byte 126: not a MATLAB file of level 5 ({bytes(data[126:128])!r}, expected 'IM' or 'MI')")
    version = struct.unpack(f"{order}H", data[124:126])[0]
    if version != 0x0100:
        raise _Fault(f"byte 124: version 0x{version:04x} of the format is not supported, expected 0x0100")
    return order


def _tag(data: memoryview, at: int, order: str, padded: bool = True, whole: bool = True) -> _Tag:
    """Return the tag at a byte. Small data (up to 4 bytes) stand in the tag itself.

    Args:
        data: bytes.
        at: where the tag begins.
        order: `<` or `>`.
        padded: the data are padded to 8 bytes; compressed variables are not.
        whole: the data must be there to their end.
    """
    if at + 8 > len(data):
        raise _Fault(f"byte {at}: a tag is truncated")
    kind, size = struct.unpack(f"{order}II", data[at : at + 8])
    if kind >> 16:
        kind, size = kind & 0xFFFF, kind >> 16
        if size > 4:
            raise _Fault(f"byte {at}: a small element of {size} bytes, at most 4 fit")
        return _Tag(kind, at + 4, size, at + 8)
    end = at + 8 + size
    if whole and end > len(data):
        raise _Fault(f"byte {at}: an element of {size} bytes, and {len(data) - at - 8} are left")
    return _Tag(kind, at + 8, size, at + 8 + (size + 7) // 8 * 8 if padded else end)


def _variable(data: memoryview, at: int, tag: _Tag, order: str) -> _Matrix | None:
    """Return what the variable at a byte is, None where it is no plain numeric array."""
    try:
        if tag.type == _MATRIX:
            return _describe(data[at : min(tag.end, at + _DESCRIPTION_BYTES)], tag.size, order)
        if tag.type == _COMPRESSED:
            head = memoryview(_unpack(data[tag.start : tag.start + tag.size], _DESCRIPTION_BYTES))
            inner = _tag(head, 0, order, whole=False)
            return _describe(head, inner.size, order) if inner.type == _MATRIX else None
    except _Fault as fault:
        where = "unpacked " if tag.type == _COMPRESSED else ""
        raise _Fault(f"byte {at}: in the variable there, {where}{fault}", fault.reason) from None
    raise _Fault(f"byte {at}: an element of type {tag.type}, expected a variable (14, or 15 where compressed)")


def _describe(head: memoryview, size: int, order: str) -> _Matrix | None:
    """Return what a matrix is, by its first bytes from its tag on, and its size as the tag says."""
    flags = _tag(head, 8, order)
    if flags.type != _UINT32 or flags.size != 8:
        raise _Fault("byte 8: not the flags of a variable")
    value = struct.unpack(f"{order}I", head[flags.start : flags.start + 4])[0]
    dimensions = _tag(head, flags.end, order, whole=False)
    if dimensions.type != _INT32 or dimensions.size % 4 or dimensions.start + dimensions.size > len(head):
        raise _Fault(f"byte {flags.end}: not the dimensions of a variable")
    shape = struct.unpack(
        f"{order}{dimensions.size // 4}i", head[dimensions.start : dimensions.start + dimensions.size]
    )
    title = _tag(head, dimensions.end, order, whole=False)
    if title.type != _INT8 or title.start + title.size > len(head):
        raise _Fault(f"byte {dimensions.end}: not the name of a variable")
    name = bytes(head[title.start : title.start + title.size]).decode("latin-1")
    if not _FIRST_CLASS <= value & 0xFF <= _LAST_CLASS or (value >> 8) & _COMPLEX:
        return None
    values = _tag(head, title.end, order, whole=False)
    if values.type not in _DTYPES:
        raise _Fault(f"byte {title.end}: values of type {values.type}, expected numbers")
    dtype = np.dtype(f"{order}{_DTYPES[values.type]}")
    if values.start + values.size > 8 + size:
        raise _Fault(f"byte {title.end}: values of {values.size} bytes in a variable of {size}")
    return _Matrix(name, shape, dtype, values.start, values.size)


def _values(data: memoryview, at: int, tag: _Tag, found: _Matrix) -> np.ndarray:
    end = found.start + found.size
    held: memoryview | bytearray = data[at:]
    if tag.type == _COMPRESSED:
        try:
            held = _unpack(data[tag.start : tag.start + tag.size], end, to_end=True)
        except _Fault as fault:
            raise _Fault(f"byte {at}: in the variable there, unpacked {fault}") from None
    if len(held) < end:
        raise _Fault(f"byte {at}: the variable there is truncated: {len(held)} of {end} unpacked bytes")
    values = np.frombuffer(held, found.dtype, math.prod(found.shape), found.start)
    return values.reshape(found.shape, order="F")  # MATLAB stores column after column


def _unpack(data: memoryview, most_bytes: int, to_end: bool = False) -> bytearray:
    """Return the first `most_bytes` of what compressed data hold, or all where they hold less.

    Args:
        data: a zlib stream.
        most_bytes: never more is unpacked.
        to_end: the stream must end there (but for padding), so that its checksum is looked at.
    """
    stream = zlib.decompressobj()
    out = bytearray()
    left: bytes | memoryview = data
    try:
        while len(out) < most_bytes and not stream.eof:
            more = stream.decompress(left, min(_PIECE, most_bytes - len(out)))
            left = stream.unconsumed_tail
            if not more and not left:
                break
            out += more
        if to_end and len(out) == most_bytes and not stream.eof:
            stream.decompress(left, _PADDING)
            if not stream.eof:
                raise _Fault(f"byte {len(out)}: the data do not end at the expected byte")
    except zlib.error as error:
        raise _Fault(f"byte {len(out)}: damaged after it ({error})") from None
    return out
