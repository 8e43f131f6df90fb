"""Linear face models in files: mean, triangles, modes of people and of expressions, of several layouts.

- NPZ of this package and of its neighbours: `mean` (V, 3), `triangles`, `identity` (K, V, 3), `expression` (optional),
  `landmarks_68` (optional, 68 vertices).
- ICT-FaceKit: its folder `FaceXModel` (`ict_facekit`). GNM Head 3: its `gnm_head.npz` (`gnm`).
- FLAME, `.npz` or `.pkl`: `v_template`, `f`, `shapedirs` (V, 3, 300 + expressions). A pickle is read without running
  anything: only arrays are built, every other object is an empty stand-in.
- Basel Face Model 2017 and 2019, `.h5` (`basel`).

Units are found by the face's size: mm, cm, m or µm.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.formats.basel import read_basel
from face3d_data.formats.gnm import GNM_NAMES, gnm_arrays, is_gnm
from face3d_data.formats.ict_facekit import is_facekit, read_facekit
from face3d_data.numpy_files import load_npz

SCALES = (1.0, 10.0, 1000.0, 100.0, 0.001)
"""Millimetres in a unit that a model may have, likelier ones first."""
WIDTH_MM = (95.0, 420.0)
"""How wide a model may be, from a face alone to a head with shoulders."""
MODE_MM = {"identity": (0.02, 20.0), "expression": (0.02, 30.0)}
"""How much the largest mode may move vertices: root mean square; it is 3 to 6 of people, to 12 of expressions."""
FLAME_PEOPLE = 300
"""The first modes in FLAME's `shapedirs` are of people, the others of expressions."""
MOST_BYTES = 2 << 30
NAMES: dict[str, tuple[str, ...]] = {
    "mean": ("mean", "v_template", "template", "neutral", "neutral_mesh", "vertices"),
    "triangles": ("triangles", "f", "faces", "tri"),
    "identity": ("identity", "shapedirs", "identity_modes", "identity_shape_modes", "identity_basis"),
    "expression": ("expression", "exprdirs", "expression_modes", "expression_shape_modes", "expression_basis"),
    "landmarks_68": ("landmarks_68", "landmarks"),
    "expression_names": ("expression_names",),
}
LAYOUTS = ".npz (mean, triangles, identity), FLAME (.npz, .pkl), Basel (.h5), GNM (.npz), ICT-FaceKit (its folder)"


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A linear face model, mm, y up and z towards the viewer.

    Attributes:
        mean: f8 (V, 3).
        triangles: i8 (T, 3).
        identity: f4 (K, V, 3), each as large as its standard deviation.
        expression: f4 (E, V, 3); E may be 0.
        landmarks: i8 (68,), the vertices of the 68 landmarks, or None.
        blendshapes: whether expressions are blendshapes, from 0 to 1, and not modes about 0.
        skin: number of vertices that are skin, which come first; the others are eyes and mouth; None: not known.
    """

    mean: np.ndarray
    triangles: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    landmarks: np.ndarray | None
    blendshapes: bool
    skin: int | None = None


def read_face_model(path: str | Path) -> FaceModel:
    """Read a face model in one of the layouts above.

    Raises:
        UserError: one line: what the file lacks, or why it cannot be read.
    """
    path = Path(path)
    ending = path.suffix.lower()
    try:
        if is_facekit(path):
            values = read_facekit(path)
        elif path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: is larger than {MOST_BYTES >> 30} GB: not a face model")
        elif ending == ".npz":
            values = load_npz(path, _wanted)
            values = gnm_arrays(path, values) if is_gnm(values) else values
        elif ending == ".pkl":
            values = _read_pickle(path)
        elif ending in (".h5", ".hdf5"):
            values = read_basel(path)
        else:
            raise UserError(f"{path}: is not in a known layout: give {LAYOUTS}{_remedy(ending)}")
    except UserError:
        raise
    except (OSError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{path}: cannot be read as a face model ({_reason(error)}): give {LAYOUTS}") from None
    return _checked(path, values)


def _remedy(ending: str) -> str:
    if ending == ".mat":
        return "; a .mat becomes one by scipy.io.loadmat and numpy.savez(out, mean=…, triangles=…, identity=…)"
    return ""


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:160]


def _wanted(name: str) -> bool:
    return name in GNM_NAMES or any(name in names for names in NAMES.values())


class _Inert:
    """A stand-in for any object of a pickle that is no array; it keeps its state and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that can build arrays and plain values only: nothing that a file names is imported or called."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module.startswith("numpy."):
            return _empty_array
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if name == "encode" and module == "_codecs":
            return _latin
        return type(name, (_Inert,), {})


def _empty_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _latin(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


def _read_pickle(path: Path) -> dict[str, np.ndarray]:
    try:
        loaded = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (AttributeError, TypeError, IndexError, ImportError, MemoryError, UnicodeError, OverflowError) as error:
        raise ValueError(_reason(error)) from None
    if not isinstance(loaded, dict):
        raise ValueError("the pickle holds no dictionary")
    return {str(name): array for name, value in loaded.items() if (array := _array_in(value)) is not None}


def _array_in(value: Any) -> np.ndarray | None:
    """Return a plain array, also of an object that keeps it as its `x`, as chumpy does."""
    if isinstance(value, _Inert) and isinstance(value.state, dict):
        value = value.state.get("x")
    return value if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else None


def _checked(path: Path, values: dict[str, np.ndarray]) -> FaceModel:
    """Return the model of arrays under any of their names.

    Raises:
        UserError: an array lacks, or does not fit the others.
    """
    found = {own: next((values[n] for n in names if n in values), None) for own, names in NAMES.items()}
    for name in ("mean", "triangles", "identity"):
        if found[name] is None:
            raise UserError(f"{path}: has no {' or '.join(NAMES[name][:2])}: give {LAYOUTS}")
    mean = np.asarray(found["mean"])
    if mean.ndim == 1 and len(mean) % 3 == 0:
        mean = mean.reshape(-1, 3)
    if mean.ndim != 2 or mean.shape[1] != 3 or len(mean) < 100 or mean.dtype.kind not in "fiu":
        raise UserError(f"{path}: mean is {mean.dtype} {mean.shape}: give vertices (V, 3)")
    mean = mean.astype(np.float64)
    if not np.isfinite(mean).all():
        raise UserError(f"{path}: mean holds numbers that are not finite")
    scale = face_scale(path, mean)
    triangles = np.asarray(found["triangles"])
    fits = triangles.ndim == 2 and triangles.shape[1] == 3 and triangles.dtype.kind in "iu" and len(triangles)
    if not fits or triangles.min() < 0 or triangles.max() >= len(mean):
        raise UserError(f"{path}: triangles {triangles.shape} do not fit {len(mean)} vertices: count from 0")
    identity = _modes(path, "identity", found["identity"], mean)
    expression = _modes(path, "expression", found["expression"], mean)
    if "shapedirs" in values and found["expression"] is None and len(identity) > FLAME_PEOPLE:
        identity, expression = identity[:FLAME_PEOPLE], identity[FLAME_PEOPLE:]
    for name, modes in (("identity", identity), ("expression", expression)):
        if not np.isfinite(modes).all():
            raise UserError(f"{path}: {name} holds numbers that are not finite")
        _check_size(path, name, modes, scale)
    marks = found["landmarks_68"]
    if marks is not None:
        marks = np.asarray(marks)
        wanted = f"give 68 vertex numbers from 0 to {len(mean) - 1}"
        if marks.shape != (68,) or marks.dtype.kind not in "iu":
            raise UserError(f"{path}: landmarks_68 is {marks.dtype} {marks.shape}: {wanted}")
        if marks.min() < 0 or marks.max() >= len(mean):
            raise UserError(f"{path}: landmarks_68 has numbers from {marks.min()} to {marks.max()}: {wanted}")
        marks = marks.astype(np.int64)
    return FaceModel(
        mean * scale,
        triangles.astype(np.int64),
        identity * np.float32(scale),
        expression * np.float32(scale),
        marks,
        found["expression_names"] is not None,
        int(values["skin"]) if "skin" in values else None,
    )


def face_scale(path: str | Path, mean: np.ndarray) -> float:
    """Return the millimetres in the unit of a face's vertices (V, 3), by its width.

    Raises:
        UserError: it is as wide as a face in no unit.
    """
    path = Path(path)
    width = float(np.ptp(mean[:, 0])) if np.isfinite(mean).all() else np.nan
    for scale in SCALES:
        if WIDTH_MM[0] <= width * scale <= WIDTH_MM[1]:
            return scale
    raise UserError(f"{path}: is {width:.4g} wide: not a face in mm, cm, m or µm")


def _check_size(path: Path, name: str, modes: np.ndarray, scale: float) -> None:
    """Check that the largest mode, in the unit of the mean, moves vertices as much as faces differ.

    Raises:
        UserError: it does not: the modes are in another unit than the mean.
    """
    if not len(modes):
        return
    least, most = MODE_MM[name]
    largest = float(np.sqrt(np.mean(np.sum(modes.astype(np.float64) ** 2, axis=2), axis=1).max())) * scale
    if not least <= largest <= most:
        said = f"its largest mode moves vertices by {largest:.3g} mm, and faces differ by {least:g} to {most:g}"
        raise UserError(f"{path}: {name}: {said}: give mean and modes in one unit")


def _modes(path: Path, name: str, array: np.ndarray | None, mean: np.ndarray) -> np.ndarray:
    """Return modes f4 (K, V, 3) of (K, V, 3), (V, 3, K), (3 V, K) or (K, 3 V)."""
    if array is None:
        return np.zeros((0, *mean.shape), np.float32)
    array, n = np.asarray(array), len(mean)
    if array.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name} is {array.dtype}: give numbers")
    if array.ndim == 3 and array.shape[1:] == mean.shape:
        return array.astype(np.float32)
    if array.ndim == 3 and array.shape[:2] == mean.shape:
        return np.ascontiguousarray(array.transpose(2, 0, 1), np.float32)
    if array.ndim == 2 and array.shape[0] == 3 * n:
        return np.ascontiguousarray(array.T, np.float32).reshape(-1, n, 3)
    if array.ndim == 2 and array.shape[1] == 3 * n:
        return array.astype(np.float32).reshape(-1, n, 3)
    raise UserError(f"{path}: {name} {array.shape} does not fit {n} vertices: give (modes, {n}, 3)")
