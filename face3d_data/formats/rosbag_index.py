"""Rosbag index: the number of messages per topic, without reading or unpacking any message.

Rosbag format 2.0 (wiki.ros.org/Bags/Format/2.0), little-endian: the line `#ROSBAG V2.0`, then records of u32 header
length, header, u32 data length, data. A header is a row of u32 length, `name=value`. The first record (op 3) says at
which byte the index begins; there follow connections (op 7: number `conn`, `topic`) and, for each chunk of messages,
a record (op 6) whose data are pairs u32 connection, u32 count.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from face3d_data.errors import Unreadable

MAGIC = b"#ROSBAG V2.0\n"
OP_BAG, OP_CHUNK_INFO, OP_CONNECTION = 3, 6, 7
MOST_HEADER_BYTES = 65_536
_U32 = struct.Struct("<I")


def count_messages(path: str | Path) -> dict[str, int]:
    """Return topic to number of messages.

    Raises:
        Unreadable: `unreadable`, naming the byte: no rosbag 2.0, cut off, damaged, or never closed by its recorder.
        OSError: it is gone or cannot be read now.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            return _count(stream, size)
        except ValueError as error:
            raise Unreadable("unreadable", f"{path.name}: {error}") from None


def _count(stream: BinaryIO, size: int) -> dict[str, int]:
    start = stream.read(len(MAGIC))
    if start != MAGIC:
        raise ValueError(f"byte 0: not a rosbag of version 2.0: it starts with {start!r}")
    fields, _ = _record(stream, size)
    if _number(fields, b"op", 1) != OP_BAG:
        raise ValueError(f"byte {len(MAGIC)}: not a bag header")
    at = _number(fields, b"index_pos", 8)
    if at == 0:
        raise ValueError("the recording was not closed, so it has no index: run rosbag reindex on it")
    if not len(MAGIC) < at <= size:
        raise ValueError(f"byte {len(MAGIC)}: the index is at byte {at} of {size}")
    stream.seek(at)
    topics: dict[int, str] = {}
    counts: dict[int, int] = {}
    while stream.tell() < size:
        at = stream.tell()
        fields, data = _record(stream, size)
        op = _number(fields, b"op", 1)
        if op == OP_CONNECTION:
            topics[_number(fields, b"conn", 4)] = fields.get(b"topic", b"").decode("utf-8", "replace")
        elif op == OP_CHUNK_INFO:
            _add(counts, data, at)
        else:
            raise ValueError(f"byte {at}: a record of kind {op} in the index")
    total: dict[str, int] = {}
    for connection, topic in topics.items():
        total[topic] = total.get(topic, 0) + counts.get(connection, 0)
    return total


def _add(counts: dict[int, int], data: bytes, at: int) -> None:
    if len(data) % 8:
        raise ValueError(f"byte {at}: {len(data)} bytes are not pairs of numbers")
    for connection, count in np.frombuffer(data, "<u4").reshape(-1, 2).tolist():
        counts[connection] = counts.get(connection, 0) + count


def _record(stream: BinaryIO, size: int) -> tuple[dict[bytes, bytes], bytes]:
    """Return the header's fields and the data of the record that begins here."""
    at = stream.tell()
    header = _block(stream, min(MOST_HEADER_BYTES, size - at - 4), at)
    fields: dict[bytes, bytes] = {}
    place = 0
    while place < len(header):
        length = _U32.unpack_from(header, place)[0] if place + 4 <= len(header) else len(header)
        place += 4
        name, equals, value = header[place : place + length].partition(b"=")
        if place + length > len(header) or not equals:
            raise ValueError(f"byte {at}: a header that is truncated")
        fields[name] = value
        place += length
    return fields, _block(stream, size - stream.tell() - 4, at)


def _block(stream: BinaryIO, most: int, at: int) -> bytes:
    """Return the bytes that follow their u32 length."""
    start = stream.read(4)
    length = _U32.unpack(start)[0] if len(start) == 4 else most + 1
    if length > most:
        raise ValueError(f"byte {at}: a record that is truncated")
    return stream.read(length)


def _number(fields: dict[bytes, bytes], name: bytes, n_bytes: int) -> int:
    value = fields.get(name, b"")
    if len(value) != n_bytes:
        raise ValueError(f"a record without {name.decode()}")
    return int.from_bytes(value, "little")
