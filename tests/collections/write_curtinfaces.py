"""Writer of CurtinFaces' layout: a MATLAB file (level 5) for each capture, from the format's description."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from scans import FaceScan, face_scan

WIDTH, HEIGHT = 640, 480
LEFT, TOP = 290, 200
"""Where the face's first pixel is put."""


def write_curtinfaces(root: Path, people: int = 2, captures: int = 2, rows: int = 40) -> Path:
    """Write `01/01.mat` and so on, compressed; odd captures end with `.dat`. X right, Y up, Z forward, mm.

    Returns:
        The root.
    """
    for person in range(people):
        folder = root / f"{person + 1:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        for capture in range(captures):
            ending = ".dat" if capture % 2 else ".mat"
            write_mat(folder / f"{capture + 1:02d}{ending}", pixels_of(face_scan(person, capture, rows)))
    return root


def pixels_of(scan: FaceScan) -> np.ndarray:
    """Return f8 (307200, 6): X Y Z R G B of a 640 x 480 image that has the face in it and is 0 elsewhere."""
    values = np.zeros((WIDTH * HEIGHT, 6))
    for row, column in np.argwhere(np.isfinite(scan.grid[..., 0])):
        # Column after column from the right, each from the top: number of the pixel in the file.
        at = (WIDTH - 1 - (LEFT + column)) * HEIGHT + TOP + row
        x, y, z = scan.grid[row, column]
        values[at] = [x, -y, z, *scan.color[row, column]]
    return values


def write_mat(path: Path, values: np.ndarray, name: str = "d", compress: bool = True) -> None:
    """Write one real double matrix, little-endian."""
    header = b"MATLAB 5.0 MAT-file, written by a test".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    flags = struct.pack("<II", 6, 8) + struct.pack("<II", 6, 0)
    dimensions = struct.pack("<II", 5, 8) + struct.pack("<ii", *values.shape)
    title = struct.pack("<HH", 1, len(name)) + name.encode().ljust(4, b"\0")
    data = values.astype("<f8").tobytes(order="F")
    body = flags + dimensions + title + struct.pack("<II", 9, len(data)) + data
    variable = struct.pack("<II", 14, len(body)) + body
    if compress:
        packed = zlib.compress(variable, 1)
        variable = struct.pack("<II", 15, len(packed)) + packed
    path.write_bytes(header + variable)
