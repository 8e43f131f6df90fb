"""Meshes and models of other topologies: where they have the 68 landmarks, and as templates that can be fitted."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from face3d_data.errors import UserError
from face3d_data.formats.face_model import FaceModel
from face3d_data.geometry.align import transform
from face3d_data.geometry.locate import locate_face
from face3d_data.geometry.surface import sample_surface
from face3d_data.registration.fit import Registered, own_fitter
from face3d_data.registration.scan import prepare_scan
from face3d_data.registration.template import N_LANDMARKS

SAMPLED = 20_000
LEAST_FRONT = 0.15
MOST_MISFIT = 1.0


def fit_to_mesh(vertices: np.ndarray, triangles: np.ndarray, what: str) -> tuple[np.ndarray, Registered]:
    """Return the motion (4, 4) of a neutral face's mesh into the face frame, and the package's template fitted to it.

    Args:
        vertices: (V, 3), mm, y up and z towards the viewer.
        triangles: (T, 3).
        what: what messages name.

    Raises:
        UserError: there is no face in it.
    """
    made = sample_surface(vertices, triangles, SAMPLED)
    points = made.points[made.normals[:, 2] > LEAST_FRONT]
    found = locate_face(points, np.eye(3)) if len(points) > N_LANDMARKS else None
    scan = None if found is None else prepare_scan(transform(points, found.motion))
    if found is None or scan is None:
        raise UserError(f"{what}: no face is found in its mesh: y has to be up, z towards the viewer")
    fitted = own_fitter().fit(scan, np.full((N_LANDMARKS, 3), np.nan))
    if fitted.verdict.misfit > MOST_MISFIT:
        raise UserError(f"{what}: its mesh is no face that looks along z (misfit {fitted.verdict.misfit:.2f})")
    return found.motion, fitted


def landmarks_of(model: FaceModel, what: str = "the model") -> np.ndarray:
    """Return the vertices (68,) of a model's mean that are nearest to the landmarks of the fitted template."""
    motion, fitted = fit_to_mesh(model.mean, model.triangles, what)
    marks = own_fitter().template.landmarks(fitted.vertices)
    return cKDTree(transform(model.mean, motion)).query(marks)[1]
