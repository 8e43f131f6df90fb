"""Non-rigid fit by meshmonk (White et al. 2019, MeshMonk: open-source large-scale intensive 3D phenotyping).

The library is an extra: nothing of it is imported before a scan is fitted.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from scipy.spatial import Delaunay, QhullError

from face3d_data.errors import MissingDependency
from face3d_data.extras import extra_line
from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.linear_fit import data_weights
from face3d_data.registration.scan import Scan, match
from face3d_data.registration.template import Template

EXTRA = "meshmonk"
SCALE_MM = 5.0
LONGEST_MM = 9.0
"""Points farther apart are not joined to a surface."""


def meshmonk_version() -> str:
    """Return the version of the installed library.

    Raises:
        MissingDependency: it is not installed; with the install line.
    """
    try:
        return version("meshmonk")
    except PackageNotFoundError:
        raise _missing("it is not installed") from None


def load_meshmonk() -> Any:
    """Return the module meshmonk.

    Raises:
        MissingDependency: it is not installed, or cannot be loaded; with the install line.
    """
    try:
        return importlib.import_module("meshmonk")
    except ImportError as error:
        raise _missing(str(error)) from None


def _missing(why: str) -> MissingDependency:
    return MissingDependency(f"engine: meshmonk needs the library of this name ({why}): {extra_line(EXTRA)}")


def fit_meshmonk(template: Template, scan: Scan, vertices: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return the vertices (V, 3) of the linear model, moved onto the scan by meshmonk's own defaults.

    Points that are no skin and vertices that are not allowed to follow the scan have the flag 0: correspondences
    with them count nothing, and what they cover follows its neighbours.

    Args:
        template: whose vertices they are.
        scan: to what.
        vertices: (V, 3), where the linear fit is.
        allowed: bool (V,), which vertices may follow the scan.

    Raises:
        MissingDependency: the library is not installed.
    """
    library = load_meshmonk()
    library.set_log_level("error")
    triangles = scan_triangles(scan)
    if not len(triangles):
        return vertices
    normals = mesh_normals(vertices, template.triangles)
    # Without this what lies beyond the scan's border is drawn onto the border.
    followed = allowed & (data_weights(match(scan, vertices, normals), SCALE_MM, scan.spacing_mm) > 0)
    result = library.pyramid_register(
        floating_features=_features(vertices, normals),
        target_features=_features(scan.points, scan.normals),
        floating_faces=template.triangles.astype(np.int32),
        target_faces=triangles.astype(np.int32),
        floating_flags=followed.astype(np.float32),
        target_flags=scan.skin.astype(np.float32),
    )
    return np.asarray(result.aligned_features[:, :3], np.float64)


def scan_triangles(scan: Scan) -> np.ndarray:
    """Return triangles (T, 3) that join a scan's points as they are seen from the front, counter-clockwise."""
    try:
        triangles = Delaunay(scan.points[:, :2]).simplices
    except QhullError:
        return np.zeros((0, 3), np.int64)
    corners = scan.points[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    triangles = triangles[longest < max(LONGEST_MM, 3 * scan.spacing_mm)]
    a, b, c = (scan.points[triangles[:, k], :2] for k in range(3))
    clockwise = (b - a)[:, 0] * (c - a)[:, 1] < (b - a)[:, 1] * (c - a)[:, 0]
    triangles[clockwise] = triangles[clockwise][:, ::-1]
    return triangles


def _features(vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return np.hstack([vertices, normals]).astype(np.float32)
