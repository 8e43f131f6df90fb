"""LZF, the compression of PCD files, undone by NumPy: checked before it is followed, so that no byte can do harm."""

from __future__ import annotations

import numpy as np

from face3d_data.formats.ply_rows import follow

_LITERALS = 32
"""A control byte below it is followed by so many bytes and one more; others name a length and a distance back."""


def unpack_lzf(packed: bytes, size: int) -> bytes:
    """Return what an LZF stream holds (Lehmann, liblzf 3.6, lzf_d.c).

    Every byte of the output is a byte of the stream or the same as one before it. Which one is followed for all at
    once, by jumps that double.

    Args:
        packed: the stream.
        size: bytes that it must unpack to; at most 2**31.

    Raises:
        ValueError: naming the byte at which the stream is cut off or damaged.
    """
    data = np.frombuffer(packed, np.uint8)
    starts = follow(lambda at: _next(data, at), 0, len(data), len(data))
    if len(starts) and int(_next(data, starts[-1:])[0]) != len(data):
        raise ValueError(f"byte {starts[-1]} of the compressed data: it is cut off there")
    control = data[starts].astype(np.int64)
    literal = control < _LITERALS
    long = control >> 5 == 7
    second = data[np.minimum(starts + 1, len(data) - 1)].astype(np.int64)
    sizes = np.where(literal, control + 1, (control >> 5) + 2 + np.where(long, second, 0))
    if sizes.sum() != size:
        raise ValueError(f"it unpacks to {sizes.sum()} bytes, wanted {size}")
    low = data[np.minimum(starts + 1 + long, len(data) - 1)].astype(np.int64)
    back = np.where(literal, 0, ((control & 31) << 8 | low) + 1)
    begins = np.cumsum(sizes) - sizes
    wrong = np.flatnonzero(back > begins)
    if len(wrong):
        raise ValueError(f"byte {starts[wrong[0]]} of the compressed data: it points before the beginning")
    places = np.arange(size, dtype=np.int32)
    source = places - np.repeat(back.astype(np.int32), sizes)
    while not np.array_equal(further := source[source], source):
        source = further
    in_stream = places + np.repeat((starts + 1 - begins).astype(np.int32), sizes)
    return data[in_stream[source]].tobytes()


def _next(data: np.ndarray, at: np.ndarray) -> np.ndarray:
    control = data[at].astype(np.int64)
    return at + np.where(control < _LITERALS, control + 2, np.where(control >> 5 == 7, 3, 2))
