"""Depth images with their empty pixels run-length coded, as the Biwi Kinect Head Pose database stores them.

Little-endian: int32 width, int32 height, then runs of int32 n_empty, int32 n_full, n_full × int16 depth in mm, row by
row from the top left, until width × height pixels are there (the database's own C++ example, by G. Fanelli, 2011).
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable

MOST_PIXELS = 2048 * 2048
"""A Kinect's image has 640 × 480; a header that says more than this is damaged."""
_PAIR = struct.Struct("<ii")


def read_rle_depth(path: str | Path) -> np.ndarray:
    """Return a depth image f4 (H, W) in mm, 0 = no reading.

    Raises:
        Unreadable: `unreadable`, naming the file and the byte at which it is wrong.
        OSError: it is gone or cannot be read now.
    """
    path = Path(path)
    try:
        return decode_rle_depth(path.read_bytes())
    except Unreadable as error:
        raise Unreadable(error.reason, f"{path.name}: {error.detail}") from None


def read_rle_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) from the file's first eight bytes.

    Raises:
        Unreadable: `unreadable`: they are missing or impossible.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        start = stream.read(_PAIR.size)
    try:
        return _size(start)
    except Unreadable as error:
        raise Unreadable(error.reason, f"{path.name}: {error.detail}") from None


def decode_rle_depth(data: bytes) -> np.ndarray:
    """Return the depth image f4 (H, W), mm, 0 = no reading, that a file's bytes hold.

    Python goes from run to run (some hundreds in an image), NumPy copies the values of all runs at once.

    Raises:
        Unreadable: `unreadable`: cut off, or a run that is negative or too long. Bytes after the last pixel are
            ignored, as the database's own example does.
    """
    width, height = _size(data)
    counts = _runs(data, width * height)
    per_run = np.asarray(counts, np.int64).reshape(-1, 2)
    is_value = np.tile([False, True], len(per_run))
    in_image = np.repeat(is_value, per_run.ravel())
    # In the file each run is 4 words of header and n_full words of values.
    words_per_run = np.column_stack([np.full(len(per_run), _PAIR.size // 2), per_run[:, 1]]).ravel()
    in_file = np.repeat(is_value, words_per_run)
    words = np.frombuffer(data, "<i2", len(in_file), _PAIR.size)
    depth = np.zeros(width * height, np.float32)
    depth[in_image] = np.maximum(words[in_file], 0)
    return depth.reshape(height, width)


def _size(data: bytes) -> tuple[int, int]:
    if len(data) < _PAIR.size:
        raise Unreadable("unreadable", f"byte {len(data)}: the image's size is truncated")
    width, height = _PAIR.unpack_from(data)
    if width <= 0 or height <= 0 or width * height > MOST_PIXELS:
        raise Unreadable("unreadable", f"byte 0: the image's size is {width}x{height}")
    return width, height


def _runs(data: bytes, n_pixels: int) -> list[tuple[int, int]]:
    """Return (n_empty, n_full) of each run, having checked that they fit the image and the file."""
    runs: list[tuple[int, int]] = []
    at, done, size = _PAIR.size, 0, len(data)
    unpack = _PAIR.unpack_from
    while done < n_pixels:
        if at + _PAIR.size > size:
            raise Unreadable("unreadable", f"byte {size}: truncated at pixel {done} of {n_pixels}")
        empty, full = unpack(data, at)
        if empty < 0 or full < 0 or done + empty + full > n_pixels:
            raise Unreadable("unreadable", f"byte {at}: a run of {empty} empty and {full} full pixels at pixel {done}")
        at += _PAIR.size + 2 * full
        if at > size:
            raise Unreadable("unreadable", f"byte {size}: truncated in a run of {full} values")
        done += empty + full
        runs.append((empty, full))
    return runs
