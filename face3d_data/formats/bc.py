"""`.bc` and `.bcnc`: points as raw float32, all x first, then all y, and so on."""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import Cloud, cloud_of_table

_COLUMNS: dict[str, tuple[str, ...]] = {
    ".bc": ("x", "y", "z"),
    ".bcnc": ("x", "y", "z", "nx", "ny", "nz", "curvature"),
}
BC_SUFFIXES: tuple[str, ...] = tuple(_COLUMNS)


def bc_columns(suffix: str) -> tuple[str, ...]:
    """Return what the rows of a file with this ending are.

    That the last four of `.bcnc` are normal and curvature is [unconfirmed]: only their number is published.
    """
    return _COLUMNS[suffix]


def parse_bc(data: bytes, name: str, suffix: str) -> Cloud:
    """Return the cloud of a file of little-endian float32, component-major: (3, N) in `.bc`, (7, N) in `.bcnc`.

    Args:
        data: the file.
        name: its name, for errors.
        suffix: `.bc` or `.bcnc`.

    Raises:
        Unreadable: `unreadable`: its length is not that of whole points.
    """
    columns = bc_columns(suffix)
    row = 4 * len(columns)
    if not data or len(data) % row:
        whole = len(data) // row * row
        raise Unreadable("unreadable", f"{name}: byte {whole}: {len(data)} bytes are not points of {row} bytes each")
    return cloud_of_table(np.frombuffer(data, "<f4").reshape(len(columns), -1).T, columns, name)
