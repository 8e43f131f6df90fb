"""ICT-FaceKit's light model as it is published: the folder `FaceXModel`, an OBJ file for each mode.

`generic_neutral_mesh.obj`, `identity000.obj` … (principal components of people, each the neutral mesh moved by one
standard deviation), an OBJ file for each expression that `vertex_indices.json` names (blendshapes), and there, too, the
68 landmarks. All meshes have the same quads and triangles. Of the 26,719 vertices the first 11,248 are skin: face, head
and neck, which keep their numbers; the inside of the mouth and the eyeballs follow, as a camera sees them. Eye sockets,
teeth and lashes are left out.

Layout: github.com/ICT-VGL/ICT-FaceKit, README and Scripts/face_model_io.py.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.image import read_bytes
from face3d_data.formats.obj import parse_obj

NEUTRAL, INDICES = "generic_neutral_mesh.obj", "vertex_indices.json"
IDENTITY = re.compile(r"identity(\d{3})\.obj")
ALL_VERTICES = 26719
SKIN, MOUTH, EYEBALLS = range(11248), range(11248, 13294), range(21451, 24591)
KEPT = np.r_[SKIN, MOUTH, EYEBALLS]
REMEDY = "give the folder FaceXModel of ICT-FaceKit, whole"
FIRST_FACE = b"\nf "


def is_facekit(folder: str | Path) -> bool:
    """Return whether a path is a folder, as no other layout is."""
    folder = Path(folder)
    return folder.is_dir()


def read_facekit(folder: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of the model: mean, triangles, identity, expression (larger ones first) and landmarks.

    Raises:
        UserError: one line: which file lacks, cannot be read, or does not fit the neutral mesh.
    """
    folder = Path(folder)
    states = tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.iterdir()))
    return dict(_read(folder, states))


@lru_cache(maxsize=1)
def _read(folder: Path, states: tuple[tuple[str, int, int], ...]) -> dict[str, np.ndarray]:
    people = _identities(folder, [name for name, _, _ in states])
    expressions, landmarks = _indices(folder / INDICES)
    neutral = _bytes(folder / NEUTRAL)
    mean, triangles = _mesh(folder / NEUTRAL, neutral)
    if len(mean) != ALL_VERTICES:
        raise UserError(f"{folder / NEUTRAL}: has {len(mean)} vertices, and ICT-FaceKit has {ALL_VERTICES}: {REMEDY}")
    tail = neutral[neutral.find(FIRST_FACE) :]
    modes = [
        np.stack([_moved(folder / f"{name}.obj", tail, triangles) - mean[KEPT] for name in names])
        for names in (people, expressions)
    ]
    number = np.full(ALL_VERTICES, -1)
    number[KEPT] = np.arange(len(KEPT))
    kept = number[triangles]
    largest_first = np.argsort(-np.square(modes[1]).sum(axis=(1, 2)), kind="stable")
    return {
        "mean": mean[KEPT],
        "triangles": kept[(kept >= 0).all(axis=1)],
        "identity": modes[0].astype(np.float32),
        "expression": modes[1][largest_first].astype(np.float32),
        "expression_names": np.array(expressions)[largest_first],
        "landmarks_68": landmarks,
        "skin": np.array(len(SKIN)),
    }


def _identities(folder: Path, names: list[str]) -> list[str]:
    for name in (NEUTRAL, INDICES):
        if name not in names:
            raise UserError(f"{folder}: has no {name}: {REMEDY}")
    numbers = sorted(int(found[1]) for name in names if (found := IDENTITY.fullmatch(name)))
    missing = next((i for i, number in enumerate(numbers or [1]) if i != number), None)
    if missing is not None:
        raise UserError(f"{folder}: has no identity{missing:03d}.obj: {REMEDY}")
    return [f"identity{number:03d}" for number in numbers]


def _indices(path: Path) -> tuple[list[str], np.ndarray]:
    """Return the names of expressions, and the landmarks' vertices (68,)."""
    try:
        content = json.loads(_bytes(path))
        names, landmarks = content["expressions"], np.array(content["idx_to_landmark_verts"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{path}: has no lists expressions and idx_to_landmark_verts: {REMEDY}") from None
    plain = (
        isinstance(names, list) and names and all(isinstance(n, str) and re.fullmatch(r"\w{1,80}", n) for n in names)
    )
    if not plain:
        raise UserError(f"{path}: expressions are not names of files: {REMEDY}")
    return names, landmarks


def _moved(path: Path, faces: bytes, triangles: np.ndarray) -> np.ndarray:
    """Return the vertices that are kept of a mode's mesh, which has the faces of the neutral one."""
    if not path.is_file():
        raise UserError(f"{path}: is not there: {REMEDY}")
    data = _bytes(path)
    begin = data.find(FIRST_FACE)
    if (
        begin >= 0 and data[begin:] == faces
    ):  # as published; then vertices alone are parsed, which is three times faster
        lines = [line for line in data[: begin + 1].splitlines() if line.startswith(b"v ")]
        count = len(lines)
        vertices = _mesh(path, b"\n".join([*lines, b"f 1 2 3", b""]))[0] if count else np.zeros((0, 3))
    else:
        vertices, own = _mesh(path, data)
        count = len(vertices)
        if count == ALL_VERTICES and not np.array_equal(own, triangles):
            raise UserError(
                f"{path}: its faces are not those of {NEUTRAL}: its vertices are in another order: {REMEDY}"
            )
    if count != ALL_VERTICES:
        raise UserError(f"{path}: has {count} vertices, and {NEUTRAL} has {ALL_VERTICES}: {REMEDY}")
    return vertices[KEPT]


def _mesh(path: Path, data: bytes) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.errstate(all="ignore"):
            mesh = parse_obj(data, path.name)
    except Unreadable as error:
        raise UserError(f"{path}: cannot be read as a mesh ({error}): {REMEDY}") from None
    if not np.isfinite(mesh.vertices).all():
        raise UserError(f"{path}: holds vertices that are not finite: {REMEDY}")
    return mesh.vertices.astype(np.float64), mesh.triangles.astype(np.int64)


def _bytes(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}): {REMEDY}") from None
    except Unreadable as error:
        raise UserError(f"{path}: {error}") from None
