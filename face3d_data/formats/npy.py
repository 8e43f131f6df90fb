"""Depth images in NumPy's `.npy` files."""

from __future__ import annotations

import math
import os
import reprlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_pixels
from face3d_data.remarks import remark

_VERSIONS = ((1, 0), (2, 0), (3, 0))


def read_depth_npy(path: str | Path) -> np.ndarray:
    """Return a depth image as f4 (H, W), in the file's own unit; 0 (no reading) where it is NaN, infinite or negative.

    Infinities, by which some programs say that nothing was in reach, come with a remark.

    Raises:
        Unreadable: `depth_8bit` for 8-bit values; `unreadable` where the file is missing, cut off, no array of
            numbers of shape (H, W) or (H, W, 1), holds a number beyond float32 or no finite value.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            shape, _ = _header(stream, path.name)
            stream.seek(0)
            values = np.load(stream, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise Unreadable("unreadable", f"{path.name}: {error}") from None
    values = values.reshape(shape)
    with np.errstate(over="ignore"):  # what overflows becomes an infinity, refused below
        depth = values.astype(np.float32)
    finite = np.isfinite(depth)
    if finite.all():
        return np.where(depth > 0, depth, np.float32(0))
    if not finite.any():
        raise Unreadable("unreadable", f"{path.name}: contains no finite values")
    infinite = np.isinf(depth)
    if np.isfinite(values[infinite]).any():
        raise Unreadable("unreadable", f"{path.name}: contains a number beyond {np.finfo(np.float32).max:.3g}")
    if infinite.any():
        remark(f"{path.name}: {np.count_nonzero(infinite)} of {depth.size} readings are infinite: they become missing")
    return np.where(finite & (depth > 0), depth, np.float32(0))


def inspect_depth_npy(path: str | Path) -> tuple[int, int]:
    """Return (H, W) of a depth image from its header, having checked that the file is as long as it says.

    Raises:
        Unreadable: as `read_depth_npy`, as far as the header shows.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        return _header(stream, path.name)[0]


def _header(stream: BinaryIO, name: str) -> tuple[tuple[int, int], np.dtype]:
    """Return ((H, W), dtype). The header is a literal, never code: no pickle is touched."""
    shape, dtype = read_npy_header(stream, name)
    if dtype.kind not in "iuf":
        raise Unreadable("unreadable", f"{name}: contains {dtype}, expected numbers")
    if dtype.itemsize == 1:
        raise Unreadable("depth_8bit", f"{name}: depth is {dtype}: 8 bits are not enough")
    if len(shape) == 3 and shape[2] == 1:
        shape = shape[:2]
    if len(shape) != 2 or not all(type(n) is int and n > 0 for n in shape):
        raise Unreadable("unreadable", f"{name}: has shape {reprlib.repr(shape)}, expected (H, W)")
    wanted = stream.tell() + math.prod(shape) * dtype.itemsize
    size = os.fstat(stream.fileno()).st_size
    if size < wanted:
        raise Unreadable("unreadable", f"{name}: is truncated ({size} of {wanted} bytes)")
    check_pixels(shape[1], shape[0], name)
    return (shape[0], shape[1]), dtype


def read_npy_header(stream: BinaryIO, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and dtype that an `.npy` file's header tells, and leave the stream behind it.

    Args:
        stream: a real file, at its beginning.
        name: what messages name.

    Raises:
        Unreadable: `unreadable`: no header, or one of a version that is not known.
    """
    try:
        version = npy_format.read_magic(stream)
        if version not in _VERSIONS:
            raise ValueError(f"version {version} of the format is not known")
        reader = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        _check_length(stream, 2 if version == (1, 0) else 4)
        shape, _, dtype = reader(stream)
    except OSError:
        raise
    except Exception as error:  # NumPy parses it as Python text: a changed byte gives whatever the parser gives
        raise Unreadable("unreadable", f"{name}: not a .npy file ({error})") from None
    return tuple(shape), dtype


def _check_length(stream: BinaryIO, size_bytes: int) -> None:
    """Check that the header fits into the file, so that no more memory is asked for than the file has."""
    at = stream.tell()
    length = int.from_bytes(stream.read(size_bytes), "little")
    stream.seek(at)
    if length > os.fstat(stream.fileno()).st_size:
        raise ValueError(f"the header is truncated ({length} bytes)")
