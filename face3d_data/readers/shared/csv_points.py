"""Points of a cloud or mesh file, by its ending."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud_file import CLOUD_SUFFIXES, read_cloud
from face3d_data.formats.mesh_file import MESH_SUFFIXES, read_mesh

POINT_SUFFIXES: tuple[str, ...] = tuple(dict.fromkeys((*CLOUD_SUFFIXES, *MESH_SUFFIXES)))
POINT_REASONS: dict[str, str] = {
    "unknown_columns": "the meaning of the columns of a cloud's text or array is ambiguous",
    "no_key": "the .npz file contains no array of points",
    "no_surface": "the mesh has no faces",
}


def check_point_file(path: Path) -> None:
    """Check that a file of points has an ending that is known, and is not empty.

    Raises:
        Unreadable: `unreadable`.
        OSError: it is gone.
    """
    if not path.name.lower().endswith(POINT_SUFFIXES):
        raise Unreadable("unreadable", f"{path.name}: not a cloud or mesh: expected one of {' '.join(POINT_SUFFIXES)}")
    if path.stat().st_size == 0:
        raise Unreadable("unreadable", f"{path.name}: the file is empty")


def read_points(path: Path) -> np.ndarray:
    """Return the points of a cloud, or a mesh's vertices, as f8 (N, 3) in the file's unit and axes, all finite.

    A cloud's several points at 0, 0, 0 are the holes of a range image and are left out.

    Raises:
        Unreadable: `unreadable`, or another of `POINT_REASONS`.
        OSError: the file is gone or cannot be read.
    """
    if path.name.lower().endswith(CLOUD_SUFFIXES):
        points = read_cloud(path).points
    else:
        points = read_mesh(path).vertices
        points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise Unreadable("unreadable", f"{path.name}: contains no points")
    return points
