"""Basel Face Model 2017 and 2019, `.h5`: `shape/model`, `expression/model`, and the triangles of its representer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.h5_file import open_h5

REMEDY = "give a Basel Face Model of 2017 or 2019 as it is published"


def read_basel(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of the model under the names of `face_model`.

    Raises:
        UserError: one line: the file has no such data set, or one of another shape.
        OSError: it is no HDF5 file.
    """

    path = Path(path)
    with open_h5(path) as file:
        mean = _vertices(path, file, "shape/model/mean")
        triangles = _numbers(path, file, "shape/representer/cells")
        values = {"triangles": triangles.T, "identity": _modes(path, file, "shape/model", len(mean))}
        if "expression/model" in file:
            values["expression"] = _modes(path, file, "expression/model", len(mean))
            moved = _vertices(path, file, "expression/model/mean")
            if moved.shape != mean.shape:
                raise UserError(
                    f"{path}: expression/model/mean has {len(moved)} vertices, and shape/model/mean {len(mean)}"
                )
            mean = mean + moved
        return values | {"mean": mean}


def _numbers(path: Path, file: Any, name: str) -> np.ndarray:
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise UserError(f"{path}: has no data set {name}: {REMEDY}")
    array = np.asarray(found[()])
    if array.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name} is {array.dtype}, not numbers: {REMEDY}")
    return array


def _vertices(path: Path, file: Any, name: str) -> np.ndarray:
    array = _numbers(path, file, name)
    if not array.size or array.size % 3:
        raise UserError(f"{path}: {name} {array.shape} is not x, y, z of vertices: {REMEDY}")
    return array.reshape(-1, 3)


def _modes(path: Path, file: Any, group: str, n: int) -> np.ndarray:
    """Return modes (K, V, 3), each as large as its standard deviation."""
    basis, variance = (_numbers(path, file, f"{group}/{name}") for name in ("pcaBasis", "pcaVariance"))
    if variance.ndim != 1 or basis.shape != (3 * n, len(variance)):
        said = f"pcaBasis {basis.shape} does not fit {n} vertices and pcaVariance {variance.shape}"
        raise UserError(f"{path}: {group}/{said}: {REMEDY}")
    if not (variance >= 0).all():
        raise UserError(f"{path}: {group}/pcaVariance holds numbers below 0 or not finite: {REMEDY}")
    return (basis * np.sqrt(variance)).T.reshape(len(variance), n, 3)
