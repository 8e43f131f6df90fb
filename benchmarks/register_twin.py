"""The twin of `register`: meshmonk (PyPI, Apache-2.0) fits the same template's mean to the same points."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay, cKDTree

from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.scan import prepare_scan
from face3d_data.registration.template import own_template
from face3d_data.sample import Sample

LONGEST_MM = 9.0
SEEN_MM = 3.0


def fit_meshmonk(sample: Sample) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the vertices (V, 3) and which lie on the points, with meshmonk's own defaults; None where it lacks."""
    try:
        import meshmonk
    except ImportError:
        return None
    template = own_template()
    scan = prepare_scan(sample.arrays["points"])
    assert scan is not None  # the samples are faces
    triangles = Delaunay(scan.points[:, :2]).simplices
    corners = scan.points[triangles]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    triangles = triangles[edges < LONGEST_MM]
    a, b, c = (scan.points[triangles[:, k]] for k in range(3))
    turned = np.cross(b - a, c - a)[:, 2] < 0
    triangles[turned] = triangles[turned][:, ::-1]
    result = meshmonk.pyramid_register(
        floating_features=_features(template.vertices, template.triangles),
        target_features=_features(scan.points, triangles),
        floating_faces=template.triangles.astype(np.int32),
        target_faces=triangles.astype(np.int32),
        rigid_params={},
    )
    vertices = result.aligned_features[:, :3].astype(np.float64)
    return vertices, cKDTree(scan.points).query(vertices)[0] < SEEN_MM


def _features(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    return np.hstack([vertices, mesh_normals(vertices, triangles)]).astype(np.float32)
