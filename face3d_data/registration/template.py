"""Template of a face: one topology with 68 landmarks, regions, UV, a left-right permutation and a linear model.

`template.npz` is made by `benchmarks/make_template.py` from the package's own synthetic people and
MakeHuman's (CC0, see NOTICE).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from face3d_data.geometry.align import fit_rigid, transform
from face3d_data.geometry.normals import mesh_normals
from face3d_data.resources import Asset

TEMPLATE_ASSET = Asset("registration/template.npz", "registration/template.npz")
REGIONS = ("cheeks", "forehead", "brows", "eyes", "nose", "mouth", "chin", "jaw", "under_chin")
"""Names of the regions, by their numbers."""
STEP_MM = 0.01
"""Modes of the shipped template are stored in whole steps of this."""
N_LANDMARKS = 68
MOST_APART = 0.25
"""How far vertices of one topology may lie from the mean face's, of its size; people are at 0.05 to 0.15."""
ASTRAY, MOST_ASTRAY = 0.2, 3
"""How far a vertex may lie from the mean of its neighbours, of the face's size, and how many of a topology's may lie
farther: of people and fits none is beyond 0.11, and of a few shuffled vertices nearly all are."""


@dataclass(frozen=True, eq=False)
class Template:
    """A face mesh in the face frame, mm, and how it varies.

    Attributes:
        name: what it is called.
        vertices: f8 (V, 3), the mean face.
        triangles: int (T, 3), counter-clockwise seen from outside.
        landmark_corners: int (68, 3), the triangle that each landmark lies in, iBUG 300-W order; image left first.
        landmark_weights: f8 (68, 3), its place there; a landmark without a place has NaN.
        identity: f8 (K, V, 3), modes of people, each as large as its standard deviation; K may be 0.
        expression: f8 (E, V, 3), modes of expressions.
        uv: f8 (V, 2) in 0..1, or None.
        mirror: int (V,), the vertex on the other side, or None.
        regions: u1 (V,), places in `REGIONS`, or None.
    """

    name: str
    vertices: np.ndarray
    triangles: np.ndarray
    landmark_corners: np.ndarray
    landmark_weights: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    uv: np.ndarray | None = None
    mirror: np.ndarray | None = None
    regions: np.ndarray | None = None

    @cached_property
    def modes(self) -> np.ndarray:
        """All modes, f8 (K + E, V, 3): people first."""
        return np.concatenate([self.identity, self.expression])

    @cached_property
    def normals(self) -> np.ndarray:
        """Unit normals f4 (V, 3) of the mean face."""
        return mesh_normals(self.vertices, self.triangles)

    @cached_property
    def _neighbours(self) -> sparse.csr_matrix:
        """Shares (V, V) that give the mean of each vertex's neighbours."""
        begin, end = (
            np.concatenate([np.roll(self.triangles, k, axis=1).ravel() for k in ks]) for ks in ((0, 0), (1, 2))
        )
        joined = sparse.coo_matrix((np.ones(len(begin)), (begin, end)), (len(self.vertices),) * 2).tocsr()
        joined.data[:] = 1.0
        count = np.maximum(np.asarray(joined.sum(axis=1)).ravel(), 1.0)
        return (sparse.diags(1.0 / count) @ joined).tocsr()

    def shape(self, weights: np.ndarray) -> np.ndarray:
        """Return the vertices (V, 3) for the weights of all modes, standard deviations."""
        return self.vertices + np.tensordot(weights, self.modes, 1)

    def has_topology_of(self, vertices: np.ndarray) -> bool:
        """Return whether vertices (V, 3) of a face, in any pose and size, are in this template's order.

        As many vertices in another order make another face: far from the mean, mirrored, or with vertices far from
        their neighbours; every vertex is looked at, so that a few that changed places are found.
        """
        own, other = _unit(self.vertices), _unit(vertices)
        apart = np.sqrt(np.sum((transform(other, fit_rigid(other, own)) - own) ** 2, axis=1).mean())
        astray = np.linalg.norm(other - self._neighbours @ other, axis=1) > ASTRAY
        return bool(apart <= MOST_APART and astray.sum() <= MOST_ASTRAY)

    def landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """Return the 68 landmarks (68, 3) of vertices (V, 3) in this topology; NaN where the template has none."""
        return np.einsum("kc,kcj->kj", self.landmark_weights, np.asarray(vertices, np.float64)[self.landmark_corners])


def _unit(vertices: np.ndarray) -> np.ndarray:
    """Return vertices (V, 3) about their mean, with the root mean square 1."""
    moved = np.asarray(vertices, np.float64) - np.mean(vertices, axis=0, dtype=np.float64)
    return moved / max(float(np.sqrt(np.sum(moved**2, axis=1).mean())), 1e-12)


def save_template(path: str | Path, template: Template) -> None:
    """Write a template, the same bytes every time; modes as differences along the vertices, which packs well."""
    path = Path(path)
    steps = np.rint(template.modes / STEP_MM).astype(np.int32).transpose(0, 2, 1)
    packed = np.diff(steps, axis=2, prepend=0).astype(np.int16)
    optional: dict[str, Any] = {
        "uv": None if template.uv is None else template.uv.astype(np.float16),
        "mirror": None if template.mirror is None else template.mirror.astype(np.uint16),
        "regions": template.regions,
    }
    np.savez_compressed(
        path,
        vertices=template.vertices.astype(np.float32),
        triangles=template.triangles.astype(np.uint16),
        landmark_corners=template.landmark_corners.astype(np.uint16),
        landmark_weights=template.landmark_weights.astype(np.float32),
        modes=packed,
        n_identity=np.int64(len(template.identity)),
        **{name: value for name, value in optional.items() if value is not None},
    )


def read_template(path: str | Path) -> Template:
    """Read what `save_template` wrote."""
    path = Path(path)
    with np.load(path) as stored:
        steps = np.cumsum(stored["modes"], axis=2, dtype=np.int32)
        modes = steps.transpose(0, 2, 1) * STEP_MM
        n = int(stored["n_identity"])
        return Template(
            name="face3d",
            vertices=stored["vertices"].astype(np.float64),
            triangles=stored["triangles"].astype(np.int64),
            landmark_corners=stored["landmark_corners"].astype(np.int64),
            landmark_weights=stored["landmark_weights"].astype(np.float64),
            identity=np.ascontiguousarray(modes[:n]),
            expression=np.ascontiguousarray(modes[n:]),
            uv=stored["uv"].astype(np.float64),
            mirror=stored["mirror"].astype(np.int64),
            regions=stored["regions"],
        )


@cache
def own_template() -> Template:
    """Return the template that the package ships, read once per process."""
    return read_template(TEMPLATE_ASSET.file)
