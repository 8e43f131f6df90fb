"""LZF, the compression of PCD files, unpacked by the LZF filter of h5py once the length that it gives is known.

Evidence for the length check: of a stream that unpacks to less than a chunk holds, h5py 3.16 (HDF5 2.0) returns memory
that nobody wrote, without an error (tests/formats/test_library_faults.py).
"""

from __future__ import annotations

import numpy as np

from face3d_data.formats.ply_rows import follow

_LITERALS = 32
"""A control byte below it is followed by that many bytes and one more; others name a length and a distance back."""


def unpack_lzf(packed: bytes, size: int) -> bytes:
    """Return what an LZF stream holds (Lehmann, liblzf 3.6, lzf_d.c).

    Args:
        packed: the stream.
        size: bytes that it must unpack to; at most 2**31.

    Raises:
        ValueError: the stream is cut off or damaged, or unpacks to another length.
    """
    import h5py

    length = unpacked_length(packed)
    if length != size:
        raise ValueError(f"it unpacks to {length} bytes, expected {size}")
    if not size:
        return b""
    with h5py.File("lzf", mode="w", driver="core", backing_store=False) as file:
        chunk = file.create_dataset("chunk", shape=(size,), dtype="u1", chunks=(size,), compression="lzf")
        chunk.id.write_direct_chunk((0,), packed)
        try:
            return bytes(chunk[()].tobytes())
        except OSError:
            raise ValueError("the compressed data is damaged: it points before the beginning") from None


def unpacked_length(packed: bytes) -> int:
    """Return how many bytes an LZF stream unpacks to, from its control bytes alone.

    Raises:
        ValueError: naming the byte at which the stream is cut off.
    """
    data = np.frombuffer(packed, np.uint8)
    starts = follow(lambda at: _next(data, at), 0, len(data), len(data))
    if len(starts) and int(_next(data, starts[-1:])[0]) != len(data):
        raise ValueError(f"byte {starts[-1]} of the compressed data: it is truncated there")
    control = data[starts].astype(np.int64)
    second = data[np.minimum(starts + 1, len(data) - 1)].astype(np.int64)
    copied = (control >> 5) + 2 + np.where(control >> 5 == 7, second, 0)
    return int(np.where(control < _LITERALS, control + 1, copied).sum())


def _next(data: np.ndarray, at: np.ndarray) -> np.ndarray:
    control = data[at].astype(np.int64)
    return at + np.where(control < _LITERALS, control + 2, np.where(control >> 5 == 7, 3, 2))
