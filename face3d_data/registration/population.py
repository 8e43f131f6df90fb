"""Population of registered faces: a linear model of vertices in one topology, by principal component analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.align import fit_rigid, transform

ROUNDS = 4
LEAST_WEIGHT = 0.05
"""A vertex that was not seen counts this much: the fit filled it with a model's guess."""


@dataclass(frozen=True, eq=False)
class Population:
    """A linear model of people and of what varies within each.

    Attributes:
        mean: f8 (V, 3), mm.
        identity: f8 (K, V, 3), modes of people, each as large as its standard deviation.
        explained: f8 (K,), the share of the variance between people that each explains.
        expression: f8 (E, V, 3), modes of captures about their person's mean; E may be 0.
        explained_within: f8 (E,).
        people: number of people.
        captures: number of captures.
    """

    mean: np.ndarray
    identity: np.ndarray
    explained: np.ndarray
    expression: np.ndarray
    explained_within: np.ndarray
    people: int
    captures: int


def build_population(
    faces: Sequence[np.ndarray], visible: Sequence[np.ndarray], people: Sequence[str], modes: int, within: int
) -> Population:
    """Build a model of registered faces.

    Faces are aligned rigidly, keeping their size (generalised Procrustes analysis without scale), with each vertex as
    heavy as it is seen; a person is the weighted mean of their captures.

    Args:
        faces: (V, 3) each, mm, one topology.
        visible: (V,) each, 0 or 1.
        people: who each is of.
        modes: most modes of people; there are at most as many as people less one.
        within: most modes of captures about their person.

    Raises:
        ValueError: fewer than two people.
    """
    names = sorted(set(people))
    if len(names) < 2:
        raise ValueError(f"{len(names)} person: a population needs two at least")
    weights = [np.maximum(np.asarray(v, np.float64), LEAST_WEIGHT) for v in visible]
    aligned, mean = _aligned([np.asarray(face, np.float64) for face in faces], weights)
    own = np.array([names.index(name) for name in people])
    centres = np.stack([_mean_of(np.flatnonzero(own == n), aligned, weights) for n in range(len(names))])
    mean = centres.mean(axis=0)
    identity, explained = components(centres - mean, modes)
    left = np.stack([(aligned[k] - centres[n]) * np.minimum(weights[k], 1)[:, None] for k, n in enumerate(own)])
    several = np.bincount(own)[own] > 1
    expression, explained_within = components(left[several], within, len(left[several]) - len(np.unique(own[several])))
    return Population(mean, identity, explained, expression, explained_within, len(names), len(own))


def components(rows: np.ndarray, most: int, freedom: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return principal components of rows (N, V, 3) about zero, as large as their deviations, and their shares.

    Args:
        rows: what varies.
        most: how many at most; those without variance are left out.
        freedom: degrees of freedom of the rows, one less than their number by default.
    """
    freedom = len(rows) - 1 if freedom is None else freedom
    if freedom < 1 or most < 1:
        return np.zeros((0, *rows.shape[1:])), np.zeros(0)
    flat = rows.reshape(len(rows), -1)
    values, vectors = np.linalg.eigh(flat @ flat.T / freedom)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = min(most, freedom, int((values > 1e-9 * max(values[0], 1e-12)).sum()))
    axes = (vectors[:, :kept] / np.sqrt(freedom)).T @ flat
    signs = np.sign(axes[np.arange(kept), np.abs(axes).argmax(axis=1)])
    total = max(float(values.sum()), 1e-12)
    return (axes * signs[:, None]).reshape(kept, *rows.shape[1:]), values[:kept] / total


def _mean_of(places: np.ndarray, faces: list[np.ndarray], weights: list[np.ndarray]) -> np.ndarray:
    return np.average([faces[k] for k in places], axis=0, weights=[np.tile(weights[k][:, None], 3) for k in places])


def _aligned(faces: list[np.ndarray], weights: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    every = np.arange(len(faces))
    mean = _mean_of(every, faces, weights)
    for _ in range(ROUNDS):
        moved = []
        for face, weight in zip(faces, weights, strict=True):
            seen = weight >= 1 if (weight >= 1).sum() > 100 else np.ones(len(weight), bool)
            moved.append(transform(face, fit_rigid(face[seen], mean[seen])))
        faces = moved
        mean = _mean_of(every, faces, weights)
    return faces, mean
