"""GNM Head, Google's Generative aNthropometric Model, version 3: arrays of its `gnm_head.npz` under our names.

`template_vertex_positions` (V, 3), m; `vertex_identity_basis` (I, V, 3) and `expression_basis` (E, V, 3), each as large
as its standard deviation (coefficients of -3 to 3 are usual); `triangles`; `identity_names` and `expression_names`,
which begin with the part that a mode moves; `vertex_group_names` (G) and `vertex_groups` (G, V), weights of 0 to 1. Of
the 17,821 vertices those that a camera sees are kept: the group `skin`, then the inside of the mouth and the eyes; of
the modes those that move them.

Layout: github.com/google/GNM, gnm/shape/README.md, gnm_xnp.py and gnm_data_loader_test.py; Apache-2.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face3d_data.errors import UserError

MEAN, PEOPLE, EXPRESSIONS = "template_vertex_positions", "vertex_identity_basis", "expression_basis"
GROUPS, GROUP_NAMES = "vertex_groups", "vertex_group_names"
MODE_NAMES = {PEOPLE: "identity_names", EXPRESSIONS: "expression_names"}
GNM_NAMES = frozenset((MEAN, "triangles", PEOPLE, EXPRESSIONS, GROUPS, GROUP_NAMES, *MODE_NAMES.values()))
SKIN, INSIDE, EYES = "skin", "mouth_sock", ("left_eye", "right_eye")
WITHIN = ("eyes_", "eyeballs_", "teeth_", "tongue_", "pupils_", "iris_")
"""Modes whose names begin so move teeth, tongue or the inside of eyes alone."""
LEAST_GROUP = 0.5
REMEDY = "give gnm_head.npz of GNM Head 3"


def is_gnm(values: dict[str, np.ndarray]) -> bool:
    """Return whether the arrays of a file are named as GNM's."""
    return MEAN in values


def gnm_arrays(path: str | Path, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what is seen of the model under the names of `face_model`, larger expressions first.

    Raises:
        UserError: one line: which array lacks, or does not fit the others.
    """
    path = Path(path)
    for name in (MEAN, "triangles", PEOPLE, EXPRESSIONS, GROUPS, GROUP_NAMES):
        if name not in values:
            raise UserError(f"{path}: has {MEAN} and no {name}: {REMEDY}")
    mean, triangles = values[MEAN], values["triangles"]
    if mean.ndim != 2 or mean.shape[1] != 3 or mean.dtype.kind not in "fiu":
        raise UserError(f"{path}: {MEAN} is {mean.dtype} {mean.shape}: {REMEDY}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu" or not len(triangles):
        raise UserError(f"{path}: triangles is {triangles.dtype} {triangles.shape}: {REMEDY}")
    if triangles.min() < 0 or triangles.max() >= len(mean):
        raise UserError(f"{path}: triangles name vertices that are not among the {len(mean)}: {REMEDY}")
    inside = _group(path, values, INSIDE, len(mean))
    skin = _group(path, values, SKIN, len(mean)) & ~inside
    eyes = _group(path, values, EYES[0], len(mean)) | _group(path, values, EYES[1], len(mean))
    kept = np.concatenate([np.flatnonzero(skin), np.flatnonzero((eyes | inside) & ~skin)])
    number = np.full(len(mean), -1)
    number[kept] = np.arange(len(kept))
    joined = number[triangles]
    people, expressions = (_modes(path, values, name, kept, len(mean)) for name in (PEOPLE, EXPRESSIONS))
    largest_first = np.argsort(-np.square(expressions.astype(np.float64)).sum(axis=(1, 2)), kind="stable")
    return {
        "mean": mean[kept],
        "triangles": joined[(joined >= 0).all(axis=1)],
        "identity": people,
        "expression": expressions[largest_first],
        "skin": np.array(int(skin.sum())),
    }


def _group(path: Path, values: dict[str, np.ndarray], name: str, n: int) -> np.ndarray:
    """Return which vertices are in a group, bool (V,)."""
    names, weights = [str(one) for one in np.atleast_1d(values[GROUP_NAMES])], values[GROUPS]
    if weights.shape != (len(names), n) or weights.dtype.kind not in "fiub":
        raise UserError(f"{path}: {GROUPS} {weights.shape} does not fit {len(names)} names and {n} vertices: {REMEDY}")
    if name not in names:
        if name == SKIN:
            raise UserError(f"{path}: {GROUP_NAMES} has no {SKIN}: {REMEDY}")
        return np.zeros(n, bool)
    return np.asarray(weights[names.index(name)] > LEAST_GROUP)


def _modes(path: Path, values: dict[str, np.ndarray], name: str, kept: np.ndarray, n: int) -> np.ndarray:
    """Return the modes (K, S, 3) of what is kept."""
    modes = values[name]
    if modes.ndim != 3 or modes.shape[1:] != (n, 3) or modes.dtype.kind not in "fiu":
        raise UserError(f"{path}: {name} {modes.shape} does not fit {n} vertices: give (modes, {n}, 3)")
    names = values.get(MODE_NAMES[name])
    if names is None or names.shape != (len(modes),):
        raise UserError(f"{path}: has no {MODE_NAMES[name]} for its {len(modes)} modes: {REMEDY}")
    of_skin = np.array([not str(one).startswith(WITHIN) for one in names], bool)
    return modes[of_skin][:, kept]
