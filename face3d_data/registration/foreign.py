"""Templates of other topologies: a mesh, or a linear model of a file, brought into the face frame and given landmarks.

The package's own template is fitted to their neutral face. From it come what they lack: the places of landmarks, and
for a mesh without a linear model how faces vary, so that covered parts are filled for every topology.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.face_model import FaceModel, face_scale, read_face_model
from face3d_data.formats.mesh_file import MESH_SUFFIXES, read_mesh
from face3d_data.geometry.align import rotate, transform
from face3d_data.geometry.locate import locate_face
from face3d_data.geometry.surface import sample_surface
from face3d_data.numpy_files import load_npy
from face3d_data.registration.fit import Registered, own_fitter
from face3d_data.registration.scan import prepare_scan
from face3d_data.registration.template import N_LANDMARKS, Template

MODEL_ENDINGS = (".npz", ".pkl", ".h5", ".hdf5", ".mat")
SAMPLED = 20_000
LEAST_FRONT = 0.15
MOST_MISFIT = 0.62
LEAST_SEEN = 0.65
"""Share of the face's middle that a template has to show; faces show 0.94 or more, balls that fit less than 0.5."""
MOST_OFF, LEAST_DISTINCT = 0.05, 60
"""Landmarks given as places lie so near to the mesh, as a share of its size, and name at least as many vertices."""
OUTLINE, MOST_APART_MM = 17, 40.0
"""Landmarks of the outline, which lists place differently; and how far any other may be from its known place."""
MOST_PEOPLE, MOST_EXPRESSIONS = 60, 20
"""More modes of a model are left out: they are smaller than what the non-rigid fit does."""
BOUND_TO = 4
FADE_MM = 20.0
"""Modes that are borrowed fade over this beyond the own template."""


@dataclass(frozen=True, eq=False)
class OnMesh:
    """The package's template on another mesh: the motion (4, 4) of the mesh into the face frame, and the fit there."""

    motion: np.ndarray
    fitted: Registered


def fit_to_mesh(vertices: np.ndarray, triangles: np.ndarray, what: str) -> OnMesh:
    """Fit the package's template to a neutral face's mesh.

    Args:
        vertices: (V, 3), mm, y up and z towards the viewer.
        triangles: (T, 3).
        what: what messages name.

    Raises:
        UserError: there is no face in it.
    """
    try:
        made = sample_surface(vertices, triangles, SAMPLED)
    except ValueError as error:
        raise UserError(f"{what}: {error}") from None
    points = made.points[made.normals[:, 2] > LEAST_FRONT]
    found = locate_face(points, np.eye(3)) if len(points) > N_LANDMARKS else None
    scan = None if found is None else prepare_scan(transform(points, found.motion))
    if found is None or scan is None:
        raise UserError(f"{what}: no face is found in its mesh: y has to be up, z towards the viewer")
    fitted = own_fitter().fit(scan, np.full((N_LANDMARKS, 3), np.nan))
    verdict = fitted.verdict
    if not verdict.misfit <= MOST_MISFIT or not verdict.visible >= LEAST_SEEN:
        figures = f"misfit {verdict.misfit:.2f}, {verdict.visible:.0%} of the middle of a face is there"
        raise UserError(f"{what}: its mesh is not a face that looks along z ({figures})")
    return OnMesh(found.motion, fitted)


def landmarks_of(model: FaceModel, what: str = "the model") -> np.ndarray:
    """Return the vertices (68,) of a model's mean that are nearest to the landmarks of the fitted template."""
    on = fit_to_mesh(model.mean, model.triangles, what)
    return _nearest_landmarks(transform(model.mean, on.motion), on)


def _nearest_landmarks(vertices: np.ndarray, on: OnMesh) -> np.ndarray:
    return cKDTree(vertices).query(own_fitter().template.landmarks(on.fitted.vertices))[1]


def read_foreign(path: str | Path, landmarks: str | Path | None) -> Template:
    """Return the template of a file: a mesh, or a linear face model of one of the layouts of `formats.face_model`.

    Args:
        path: the file.
        landmarks: a file of 68 vertex numbers, or of 68 places in the file's own frame; None: those that the model
            names, or those of the package's template, fitted to the mesh.

    Raises:
        UserError: one line: what is wrong with a file.
    """
    path = Path(path)
    landmarks = None if landmarks is None else Path(landmarks)
    if path.suffix.lower() in MODEL_ENDINGS or path.is_dir():
        model = _skin_of(read_face_model(path))
        unit = 1.0
    else:
        model, unit = _model_of_mesh(path)
    on = fit_to_mesh(model.mean, model.triangles, str(path))
    vertices = transform(model.mean, on.motion)
    if landmarks is not None:
        marks = read_landmark_file(landmarks, model.mean / unit)
    else:
        marks = _nearest_landmarks(vertices, on) if model.landmarks is None else model.landmarks
    _check_places(vertices[marks], on, str(landmarks or path))
    own = [rotate(modes.reshape(-1, 3), on.motion).reshape(modes.shape) for modes in
           (model.identity[:MOST_PEOPLE], model.expression[:MOST_EXPRESSIONS])]  # fmt: skip
    identity, expression = own if len(model.identity) else borrowed_modes(vertices, on)
    if model.blendshapes and len(expression):
        expression = expression / 2  # from 0 to 1 they are about two deviations
    weights = np.zeros((N_LANDMARKS, 3))
    weights[:, 0] = 1.0
    corners = np.repeat(marks[:, None], 3, axis=1)
    return Template(
        path.stem, vertices, model.triangles, corners, weights,
        identity.astype(np.float64), expression.astype(np.float64),
    )  # fmt: skip


def _check_places(places: np.ndarray, on: OnMesh, what: str) -> None:
    """Check landmarks (68, 3), face frame, by those of the package's template on the same mesh; not the outline's.

    Raises:
        UserError: one is far from its place: the list is in another order, or of another mesh.
    """
    known = own_fitter().template.landmarks(on.fitted.vertices)
    apart = np.linalg.norm(places - known, axis=1)
    apart[:OUTLINE] = 0
    worst = int(np.argmax(apart))
    if apart[worst] > MOST_APART_MM:
        raise UserError(
            f"{what}: landmark {worst} (from 0) is {apart[worst]:.0f} mm from where a face of this shape has it: give "
            "the 68 in the order of iBUG 300-W, with vertices counted from 0"
        )


def _skin_of(model: FaceModel) -> FaceModel:
    """Return a model without its eyes and mouth: scans read them badly, and faces fit better without."""
    if model.skin is None:
        return model
    triangles = model.triangles[(model.triangles < model.skin).all(axis=1)]
    identity, expression = model.identity[:, : model.skin], model.expression[:, : model.skin]
    return replace(model, mean=model.mean[: model.skin], triangles=triangles, identity=identity, expression=expression)


def _model_of_mesh(path: Path) -> tuple[FaceModel, float]:
    """Return a mesh file as a model without modes, in mm, and the mm in its unit."""
    if not path.name.lower().endswith(MESH_SUFFIXES):
        known = ", ".join((*MODEL_ENDINGS[:3], ".obj", ".ply", ".stl"))
        raise UserError(f"{path}: is not a template: give a mesh or a face model ({known})")
    try:
        mesh = read_mesh(path)
    except Unreadable as error:
        raise UserError(f"{path}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not np.isfinite(mesh.vertices).all():
        raise UserError(f"{path}: holds vertices that are not finite")
    scale = face_scale(path, mesh.vertices)
    none = np.zeros((0, *mesh.vertices.shape), np.float32)
    return FaceModel(mesh.vertices * scale, mesh.triangles.astype(np.int64), none, none, None, False), scale


def borrowed_modes(vertices: np.ndarray, on: OnMesh) -> list[np.ndarray]:
    """Return the own template's modes of people and of expressions at another mesh's vertices (V, 3), face frame."""
    template = own_fitter().template
    apart, index = cKDTree(on.fitted.vertices).query(vertices, k=BOUND_TO)
    share = 1.0 / (apart + 0.5) ** 2
    share *= (np.exp(-((apart[:, 0] / FADE_MM) ** 2)) / share.sum(axis=1))[:, None]
    return [np.einsum("vb,kvbj->kvj", share, modes[:, index]) for modes in (template.identity, template.expression)]


def read_landmark_file(path: str | Path, vertices: np.ndarray) -> np.ndarray:
    """Return the vertices (68,) that a file names: 68 numbers of vertices, or 68 places (x, y, z), nearest vertex.

    Args:
        path: `.npy`, `.json` (a list), or a text with a line each.
        vertices: (V, 3), in the frame of the places.

    Raises:
        UserError: the file is neither, its places are off the mesh, or it names a vertex for several landmarks.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            values = load_npy(path)
        elif path.suffix.lower() == ".json":
            values = np.array(json.loads(path.read_text("utf-8")), np.float64)
        else:
            lines = path.read_text("utf-8").replace(",", " ").split("\n")
            values = np.array([line.split() for line in lines if line.strip()], np.float64)
        values = np.asarray(values, np.float64)
    except (OSError, ValueError, TypeError) as error:
        said = " ".join(str(getattr(error, "strerror", None) or error).split())[:120]
        raise UserError(f"{path}: cannot be read as 68 landmarks ({said})") from None
    values = values.reshape(-1) if values.size == N_LANDMARKS else values
    if values.shape not in ((N_LANDMARKS,), (N_LANDMARKS, 3)):
        raise UserError(f"{path}: holds {values.shape}: give 68 vertex numbers, or 68 places")
    if not np.isfinite(values).all():
        raise UserError(f"{path}: holds numbers that are not finite")
    named = _nearest_to_places(path, vertices, values) if values.ndim == 2 else _numbers(path, vertices, values)
    if len(set(named.tolist())) < LEAST_DISTINCT:
        raise UserError(
            f"{path}: names {len(set(named.tolist()))} different vertices only: give one for each of the 68 landmarks"
        )
    return named


def _nearest_to_places(path: Path, vertices: np.ndarray, places: np.ndarray) -> np.ndarray:
    apart, named = cKDTree(vertices).query(places)
    across = float(np.ptp(vertices, axis=0).max())
    if apart.max() > MOST_OFF * across:
        raise UserError(
            f"{path}: a place is {apart.max():.3g} from the mesh, which is {across:.3g} across: give places in the "
            "unit and frame of the mesh"
        )
    return named


def _numbers(path: Path, vertices: np.ndarray, values: np.ndarray) -> np.ndarray:
    if (values != np.floor(values)).any() or values.min() < 0 or values.max() >= len(vertices):
        raise UserError(
            f"{path}: holds numbers from {values.min():g} to {values.max():g}: give whole numbers of vertices, from 0 "
            f"to {len(vertices) - 1}"
        )
    return values.astype(np.int64)
