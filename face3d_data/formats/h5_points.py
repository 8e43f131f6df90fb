"""HDF5 arrays of untrusted files: HDF5 locates their rows, and the bytes are read here.

The HDF5 library parses the file's headers and nothing else: attributes, which damaged files can make it loop over, its
filter plugins and its buffers, whose sizes the file chooses, are left alone. Each place is held against the file's size
before anything is allocated. Contiguous arrays and chunked ones with gzip, shuffle and checksum are read, as h5py and
the writers of ModelNet's files make them (HDF5 File Format Specification 3.0, IV.A.2.i and l); not read are external,
virtual and compact ones, soft links, and other compressions.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.foreign import refuse_foreign
from face3d_data.h5_file import open_h5
from face3d_data.unchanged import stat_of

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
"""Numbers of the filters that are undone here (HDF5 File Format Specification, filter pipeline message)."""
CHECKSUM_BYTES = 4
_START_BYTES = 256
VARIABLE_TEXT = np.dtype("V16")
"""Where a text of variable length lies; `h5_texts` reads it."""
MOST_GAINED = 20
"""What an array may be larger than its file: clouds in float32 gain a fifth at most from compression."""
CHUNK_BYTES = 8 << 20
WHOLE_BYTES = 8 << 20
"""Sizes that a chunk, and an array read at once, may have however small the file is."""
ENTRY_BYTES = 16
"""What a chunk costs in memory here, and less than it costs in any file's index."""


@dataclass(frozen=True, eq=False)
class Chunks:
    """Where the chunks of an array lie.

    Attributes:
        shape: of a chunk.
        filters: numbers of the filters that were applied, in this order.
        offset: i8, one place for each chunk along each axis, bytes from the file's start, -1 = never written.
        size: i8, the same places, bytes in the file.
        skipped: u4, the same places, bit i = filter i was not applied.
    """

    shape: tuple[int, ...]
    filters: tuple[int, ...]
    offset: np.ndarray
    size: np.ndarray
    skipped: np.ndarray


@dataclass(frozen=True, eq=False)
class StoredArray:
    """One array of a file: `offset` in bytes where it is contiguous, else `chunks`."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int = 0
    chunks: Chunks | None = None

    @property
    def n_bytes(self) -> int:
        """Size of all rows in memory."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_arrays(path: str | Path, names: Iterable[str]) -> dict[str, StoredArray]:
    """Return where those of the named arrays lie that the file has; remembered while the file stays the same.

    Raises:
        Unreadable: `unreadable`: no HDF5 file, damaged, or an array that is not read (external, virtual, compact,
            linked, compressed otherwise) or that reaches beyond the file.
        OSError: the file is gone or cannot be opened.
    """
    path = Path(path)
    return _read_arrays(path, tuple(names), stat_of(path))


@lru_cache(maxsize=16)
def _read_arrays(path: Path, names: tuple[str, ...], state: tuple[int, ...]) -> dict[str, StoredArray]:

    size = state[0]
    with open(path, "rb") as stream:
        start = stream.read(_START_BYTES)
    refuse_foreign(start, path.name)
    start = start[: len(SIGNATURE)]
    if start != SIGNATURE:
        raise Unreadable("unreadable", f"{path.name}: byte 0: not an HDF5 file, it starts with {start!r}")
    try:
        with open_h5(path) as file:
            return {name: _stored(file, name, size) for name in names if name in file}
    except Unreadable as error:
        raise Unreadable(error.reason, f"{path.name}: {error.detail}") from None
    except Exception as error:  # what h5py raises on a damaged file may be anything
        said = " ".join(str(error).split())[:160]
        raise Unreadable("unreadable", f"{path.name}: HDF5 cannot read its headers ({said})") from None


def _stored(file: Any, name: str, size: int) -> StoredArray:
    import h5py

    link = file.get(name, getlink=True)
    found = file[name] if isinstance(link, h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset):
        raise Unreadable("unreadable", f"{name!r} is a link, a group or a type, not an array of this file")
    shape, dtype = found.shape, found.dtype
    text = h5py.check_string_dtype(dtype)
    if shape and text is not None and text.length is None and file.id.get_create_plist().get_sizes() == (8, 8):
        dtype = VARIABLE_TEXT
    elif not shape or dtype.kind not in "iufS" or not dtype.itemsize:
        raise Unreadable("unreadable", f"{name!r} is {dtype} of shape {shape}, expected rows of numbers or texts")
    if found.is_virtual or found.external:
        raise Unreadable("unreadable", f"{name!r} is in other files (virtual or external): copy them into this one")
    array = StoredArray(name, dtype, tuple(map(int, shape)))
    limit = size if found.chunks is None else MOST_GAINED * size
    if array.n_bytes > limit:
        raise Unreadable("unreadable", f"{name!r} of shape {shape} has {array.n_bytes} bytes, but the file has {size}")
    if found.chunks is not None:
        return StoredArray(name, dtype, array.shape, chunks=_chunks(found, name, size, dtype))
    if found.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS:
        raise Unreadable("unreadable", f"{name!r} is in the file's header (compact): write it contiguous")
    offset = found.id.get_offset()
    if array.n_bytes and (offset is None or offset + array.n_bytes > size):
        where = "nowhere" if offset is None else f"at byte {offset}"
        raise Unreadable("unreadable", f"{name!r}: {array.n_bytes} bytes {where}, the file ends at byte {size}")
    return StoredArray(name, dtype, array.shape, offset or 0)


def _chunks(found: Any, name: str, size: int, dtype: np.dtype) -> Chunks:
    shape, chunk = found.shape, tuple(map(int, found.chunks))
    pipeline = found.id.get_create_plist()
    filters = tuple(int(pipeline.get_filter(i)[0]) for i in range(pipeline.get_nfilters()))
    foreign = [number for number in filters if number not in (DEFLATE, SHUFFLE, FLETCHER32)]
    if foreign:
        remedy = "write it again with gzip or without (h5repack -f GZIP=4)"
        raise Unreadable("unreadable", f"{name!r} is compressed by filter {foreign[0]}: {remedy}")
    grid = tuple(-(-n // c) for n, c in zip(shape, chunk, strict=True))
    n_bytes = math.prod(chunk) * dtype.itemsize
    if n_bytes > CHUNK_BYTES + 4 * size or ENTRY_BYTES * math.prod(grid) > size + (1 << 16):
        raise Unreadable("unreadable", f"{name!r}: {math.prod(grid)} chunks of {n_bytes} bytes in {size} bytes")
    offset, stored, skipped = np.full(grid, -1, "i8"), np.zeros(grid, "i8"), np.zeros(grid, "u4")

    def take(info: Any) -> bool | None:
        place = tuple(at // c for at, c in zip(info.chunk_offset, chunk, strict=True))
        if info.byte_offset is None or info.byte_offset + info.size > size or info.size < 0:
            raise Unreadable("unreadable", f"{name!r}: chunk {place}: {info.size} bytes at byte {info.byte_offset}, "
                             f"the file ends at byte {size}")  # fmt: skip
        if all(0 <= at < n for at, n in zip(place, grid, strict=True)):
            offset[place], stored[place], skipped[place] = info.byte_offset, info.size, info.filter_mask
        return None

    if math.prod(grid):
        found.id.chunk_iter(take)
    return Chunks(chunk, filters, offset, stored, skipped)


def read_point_rows(path: str | Path, array: StoredArray, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Return rows of an array, in the machine's byte order.

    Args:
        path: the file that `read_arrays` looked at.
        array: one of its arrays.
        start: the first row.
        stop: the row after the last; all that follow if not given.

    Raises:
        Unreadable: `unreadable`: the file was truncated since, a chunk is missing or damaged, or the rows asked for are
            far larger than the file.
        OSError: the file is gone.
    """
    path = Path(path)
    stop = array.shape[0] if stop is None else min(stop, array.shape[0])
    shape = (max(0, stop - start), *array.shape[1:])
    n_bytes = math.prod(shape) * array.dtype.itemsize
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if n_bytes > WHOLE_BYTES + 4 * size:
                raise Unreadable("unreadable", f"{n_bytes} bytes in a file of {size}")
            if array.chunks is None:
                stream.seek(array.offset + start * math.prod(array.shape[1:]) * array.dtype.itemsize)
                rows = np.frombuffer(_exactly(stream, n_bytes), array.dtype).reshape(shape)
            else:
                rows = _assemble(stream, array.chunks, array.dtype, start, shape)
    except Unreadable as error:
        raise Unreadable(error.reason, f"{path.name}: {array.name!r}: {error.detail}") from None
    return rows.astype(array.dtype.newbyteorder("="), copy=False)


def _exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    at = stream.tell()
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise Unreadable("unreadable", f"byte {at + len(data)}: the file is truncated")
    return data


def _assemble(stream: BinaryIO, chunks: Chunks, dtype: np.dtype, start: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return rows that chunks hold parts of; chunks at the end of an axis reach beyond it."""
    rows = np.empty(shape, dtype)
    lows = (start, *(0 for _ in shape[1:]))
    first, last = start // chunks.shape[0], -(-(start + shape[0]) // chunks.shape[0])
    for place in np.ndindex(max(0, last - first), *chunks.offset.shape[1:]):
        here = (place[0] + first, *place[1:])
        chunk = _decode(stream, chunks, dtype, here)
        target, source = [], []
        for low, n, at, width in zip(lows, shape, here, chunks.shape, strict=True):
            begin, end = max(at * width, low), min((at + 1) * width, low + n)
            target.append(slice(begin - low, end - low))
            source.append(slice(begin - at * width, end - at * width))
        rows[tuple(target)] = chunk[tuple(source)]
    return rows


def _decode(stream: BinaryIO, chunks: Chunks, dtype: np.dtype, place: tuple[int, ...]) -> np.ndarray:
    """Return one chunk, its filters undone, the last one first."""
    at, n_bytes = int(chunks.offset[place]), math.prod(chunks.shape) * dtype.itemsize
    if at < 0:
        raise Unreadable("unreadable", f"chunk {place} was never written")
    stream.seek(at)
    data = _exactly(stream, int(chunks.size[place]))
    for i, number in reversed(list(enumerate(chunks.filters))):
        if int(chunks.skipped[place]) >> i & 1:
            continue
        if number == DEFLATE:
            data = _inflate(data, n_bytes + CHECKSUM_BYTES)
        elif number == FLETCHER32:
            data = data[:-CHECKSUM_BYTES]
        else:
            data = _unshuffle(data, dtype.itemsize)
    if len(data) != n_bytes:
        raise Unreadable("unreadable", f"byte {at}: chunk {place} is damaged: {len(data)} of {n_bytes} bytes")
    return np.frombuffer(data, dtype).reshape(chunks.shape)


def _inflate(data: bytes, most_bytes: int) -> bytes:
    """Return what zlib's stream holds, as far as `most_bytes`; nothing where it is damaged."""
    try:
        return zlib.decompressobj().decompress(data, most_bytes)
    except zlib.error:
        return b""


def _unshuffle(data: bytes, item_bytes: int) -> bytes:
    """Put first, second, ... bytes of all values, which lie one after another, back into the values."""
    whole = len(data) // item_bytes * item_bytes
    return np.frombuffer(data[:whole], np.uint8).reshape(item_bytes, -1).T.tobytes() + data[whole:]
