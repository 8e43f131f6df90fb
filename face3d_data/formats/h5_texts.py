"""HDF5 strings: of fixed length, and of variable length as h5py writes a list of str.

Texts of variable length are in global heaps; an array holds for each its length, the heap's address and a number in it
(HDF5 File Format Specification 3.0, III.E and IV.A.2.d). They are read here, as the arrays of `h5_points` are, with
every place held against the file's size.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from face3d_data.errors import Unreadable
from face3d_data.formats.h5_points import VARIABLE_TEXT, StoredArray, read_point_rows

LONGEST_TEXT = 4096
"""Bytes of a name."""
_HEAP_HEADER = struct.Struct("<4sB3xQ")
_HEAP_OBJECT = struct.Struct("<HH4xQ")
_MOST_READ = 2
"""Heaps do not overlap: all of them together are no larger than their file, with room for damage to be named."""


def read_texts(path: str | Path, array: StoredArray) -> list[str]:
    """Return the texts of an array, one for each row.

    Args:
        path: the file that `read_arrays` looked at.
        array: one of its arrays, of texts.

    Raises:
        Unreadable: `unreadable`: a text is not UTF-8, too long, or not where the array says.
        OSError: the file is gone.
    """
    path = Path(path)
    rows = read_point_rows(path, array).reshape(-1)
    try:
        if array.dtype != VARIABLE_TEXT:
            return [raw.decode() for raw in rows.tolist()]
        with open(path, "rb") as stream:
            heaps = _Heaps(stream)
            places = rows.view([("length", "<u4"), ("heap", "<u8"), ("number", "<u4")])
            return [heaps.text(*place.tolist()) for place in places]
    except UnicodeDecodeError as error:
        said = f"contains a text that is not UTF-8 ({error})"
        raise Unreadable("unreadable", f"{path.name}: {array.name!r} {said}") from None
    except Unreadable as error:
        raise Unreadable(error.reason, f"{path.name}: {array.name!r}: {error.detail}") from None


class _Heaps:
    """The global heaps of one file, each read once."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.left = self.size = os.fstat(stream.fileno()).st_size
        self.left *= _MOST_READ
        self.read: dict[int, dict[int, bytes]] = {}

    def text(self, length: int, heap: int, number: int) -> str:
        """Return one text; an empty one has no place."""
        if not length:
            return ""
        if length > LONGEST_TEXT:
            raise Unreadable("unreadable", f"a text of {length} bytes: not a name")
        if heap not in self.read:
            self.read[heap] = self._objects(heap)
        raw = self.read[heap].get(number)
        if raw is None or len(raw) < length:
            raise Unreadable("unreadable", f"byte {heap}: this heap has no text {number} of {length} bytes")
        return raw[:length].rstrip(b"\0").decode()

    def _objects(self, heap: int) -> dict[int, bytes]:
        header = self._piece(heap, _HEAP_HEADER.size)
        magic, version, size = _HEAP_HEADER.unpack(header)
        if magic != b"GCOL" or version != 1 or size > self.size - heap:
            raise Unreadable("unreadable", f"byte {heap}: not a heap of texts")
        data = self._piece(heap, size)
        found: dict[int, bytes] = {}
        at = _HEAP_HEADER.size
        while at + _HEAP_OBJECT.size <= size:
            number, _, length = _HEAP_OBJECT.unpack_from(data, at)
            at += _HEAP_OBJECT.size
            if not number or length > size - at:
                break  # the free space at its end
            found[number] = data[at : at + length]
            at += -(-length // 8) * 8
        return found

    def _piece(self, at: int, n_bytes: int) -> bytes:
        self.left -= n_bytes
        if at > self.size or self.left < 0:
            raise Unreadable("unreadable", f"byte {at}: heaps of texts beyond the file's end, or overlapping")
        self.stream.seek(at)
        data = self.stream.read(n_bytes)
        if len(data) < n_bytes:
            raise Unreadable("unreadable", f"byte {at + len(data)}: the file is truncated")
        return data
