"""`.ppm`: colour pictures without compression (Netpbm's binary PPM, `P6`)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_pixels

_GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P6" + _GAP + rb"([0-9]{1,6})" + _GAP + rb"([0-9]{1,6})" + _GAP + rb"([0-9]{1,6})\s")
HEADER_BYTES = 1024


def read_ppm_size(path: Path) -> tuple[int, int]:
    """Return (width, height) from the header, having checked that the file is as long as it says.

    Raises:
        Unreadable: `unreadable`: no binary PPM with 8 bits a channel, or cut off; with the byte.
    """
    with open(path, "rb") as stream:
        return _header(stream, path.name)[:2]


def read_ppm(path: Path) -> np.ndarray:
    """Return the pixels, RGB u1 (H, W, 3).

    Raises:
        Unreadable: as `read_ppm_size`.
    """
    with open(path, "rb") as stream:
        width, height, start = _header(stream, path.name)
        stream.seek(start)
        return np.fromfile(stream, np.uint8, 3 * width * height).reshape(height, width, 3)


def _header(stream: BinaryIO, name: str) -> tuple[int, int, int]:
    """Return width, height and the byte of the first pixel."""
    size = os.fstat(stream.fileno()).st_size
    data = stream.read(HEADER_BYTES)
    match = _HEADER.match(data)
    if match is None:
        what = "the file is empty" if not data else f"byte 0: no header of a P6 picture: it begins with {data[:16]!r}"
        raise Unreadable("unreadable", f"{name}: {what}")
    width, height, most = (int(text) for text in match.groups())
    if not width or not height:
        raise Unreadable("unreadable", f"{name}: byte {match.start(1)}: {width}x{height} px hold nothing")
    if most != 255:
        raise Unreadable("unreadable", f"{name}: byte {match.start(3)}: values up to {most}, wanted 255")
    end = match.end() + 3 * width * height
    if size < end:
        raise Unreadable("unreadable", f"{name}: byte {size}: the picture is cut off before byte {end}")
    check_pixels(width, height, name)
    return width, height, match.end()
