"""Points of a cloud or mesh file, by its ending, and range images in NumPy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.npy_grid import inspect_grid_npy, read_grid_npy

POINT_SUFFIXES: tuple[str, ...] = (".npy",)


def read_points(path: Path) -> np.ndarray:
    """Return the points of a cloud, or a mesh's vertices, as f4 (N, 3) in the file's unit and axes.

    Raises:
        Unreadable: `unreadable`, or a reason of the file's codec.
    """
    points = np.load(path, allow_pickle=False)
    points = points[np.isfinite(points).all(axis=1)].astype(np.float32)
    if not len(points):
        raise Unreadable("unreadable", f"{path.name}: holds no point")
    return points


def inspect_grid(path: Path) -> tuple[int, int]:
    """Return (width, height) of a range image from its header."""
    height, width = inspect_grid_npy(path)
    return width, height


def read_grid(path: Path) -> np.ndarray:
    """Return a range image f4 (H, W, 3)."""
    return read_grid_npy(path)
