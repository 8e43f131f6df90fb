"""Range images in NumPy's `.npy` files: three coordinates per pixel."""

from __future__ import annotations

import math
import os
import reprlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_pixels
from face3d_data.formats.npy import read_npy_header


def read_grid_npy(path: str | Path) -> np.ndarray:
    """Return a range image as f4 (H, W, 3), in the file's own unit and axes; a pixel without a point is all NaN.

    There is none where a coordinate is not finite, and where all three are 0: so cameras' software marks holes.

    Raises:
        Unreadable: `unreadable` where the file is cut off, no array of floats of shape (H, W, 3), or contains no finite
            point.
        OSError: it is gone or cannot be read.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        _header(stream, path.name)
        stream.seek(0)
        try:
            values = np.load(stream, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise Unreadable("unreadable", f"{path.name}: {error}") from None
    with np.errstate(over="ignore"):  # what overflows becomes an infinity, and so nothing
        grid = np.ascontiguousarray(values, np.float32)
    seen = np.asarray(np.isfinite(grid).all(axis=2) & grid.any(axis=2))
    if not seen.any():
        raise Unreadable("unreadable", f"{path.name}: contains no finite points")
    if seen.all():
        return grid
    return np.where(seen[..., None], grid, np.float32(np.nan))


def inspect_grid_npy(path: str | Path) -> tuple[int, int]:
    """Return (H, W) of a range image from its header, having checked that the file is as long as it says.

    Raises:
        Unreadable: as `read_grid_npy`, as far as the header shows.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        return _header(stream, path.name)


def _header(stream: BinaryIO, name: str) -> tuple[int, int]:
    shape, dtype = read_npy_header(stream, name)
    if dtype.kind != "f":
        raise Unreadable("unreadable", f"{name}: contains {dtype}, expected floats")
    if len(shape) != 3 or shape[2] != 3 or not all(type(n) is int and n > 0 for n in shape):
        raise Unreadable("unreadable", f"{name}: has shape {reprlib.repr(shape)}, expected (H, W, 3)")
    wanted = stream.tell() + math.prod(shape) * dtype.itemsize
    size = os.fstat(stream.fileno()).st_size
    if size < wanted:
        raise Unreadable("unreadable", f"{name}: is truncated ({size} of {wanted} bytes)")
    check_pixels(shape[1], shape[0], name)
    return shape[0], shape[1]
