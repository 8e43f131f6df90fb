"""Subsampling of points by a named method: finite points in, distinct points out."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from face3d_data.geometry.farthest import curvature_farthest, exact_farthest, fast_farthest, pointnet2_farthest
from face3d_data.geometry.thinning import poisson_points, random_points, voxel_points

Method = Literal["fast", "exact", "pointnet2", "curvature", "poisson", "voxel", "random"]
METHODS: tuple[str, ...] = get_args(Method)
_PLAIN = {"fast": fast_farthest, "exact": exact_farthest, "pointnet2": pointnet2_farthest, "voxel": voxel_points}
_DRAWING = {"poisson": poisson_points, "random": random_points}
DRAWING_METHODS = frozenset(_DRAWING)
"""The methods that draw: only these need an rng."""


def sample_points(
    points: np.ndarray,
    n_points: int,
    method: Method = "fast",
    rng: np.random.Generator | None = None,
    curvature: np.ndarray | None = None,
) -> np.ndarray:
    """Return the indices of `n_points` distinct points chosen by a method.

    Points that are not finite are never chosen. Only where the choice holds a place twice (the cloud has equal points)
    are duplicates dropped and the choice is made again.

    Args:
        points: f4 (N, 3), mm.
        n_points: how many.
        method: one of `METHODS`.
        rng: for the methods in `DRAWING_METHODS`.
        curvature: (N,), for the method `curvature`.

    Returns:
        int (n_points,), or fewer where there are fewer distinct finite points: all of them.

    Raises:
        ValueError: an unknown method, or what it needs is not given.
        MissingDependency: the method's library is not installed.
    """
    check_method(method, rng, curvature)
    candidates = _finite(points)
    chosen = _choose(points, candidates, n_points, method, rng, curvature)
    if distinct(points[chosen]):
        return chosen
    candidates = candidates[first_of_equals(points[candidates])]
    return _choose(points, candidates, n_points, method, rng, curvature)


def check_method(method: str, rng: np.random.Generator | None, curvature: np.ndarray | None) -> None:
    """Check that a method is known and has what it needs.

    Raises:
        ValueError: naming what is wrong.
    """
    if method not in METHODS:
        raise ValueError(f"no sampling method is named {method!r}: use one of {', '.join(METHODS)}")
    if method in DRAWING_METHODS and rng is None:
        raise ValueError(f"method {method!r} draws: give it an rng")
    if method == "curvature" and curvature is None:
        raise ValueError("method 'curvature' needs the curvature of every point")


def _finite(points: np.ndarray) -> np.ndarray:
    finite = np.isfinite(points)
    return np.arange(len(points)) if finite.all() else np.flatnonzero(finite.all(axis=1))


def _choose(
    points: np.ndarray,
    candidates: np.ndarray,
    n_points: int,
    method: str,
    rng: np.random.Generator | None,
    curvature: np.ndarray | None,
) -> np.ndarray:
    if len(candidates) <= n_points:
        return candidates
    cloud = np.ascontiguousarray(points if len(candidates) == len(points) else points[candidates], np.float32)
    if method in _PLAIN:
        return candidates[_PLAIN[method](cloud, n_points)]
    if method in _DRAWING and rng is not None:
        return candidates[_DRAWING[method](cloud, n_points, rng)]
    if method == "curvature" and curvature is not None:
        return candidates[curvature_farthest(cloud, n_points, curvature[candidates])]
    raise ValueError(f"method {method!r} lacks what it needs")


def distinct(points: np.ndarray) -> bool:
    """Tell whether no two points (N, 3) are equal."""
    # Equal points have equal keys, so keys that all differ prove it in one sort; the rest is settled exactly.
    wide = points.astype(np.float64)
    keys = np.sort(wide[:, 0] + wide[:, 1] * 0.7320508075688772 + wide[:, 2] * 0.41421356237309503)
    return bool((keys[1:] != keys[:-1]).all()) or len(first_of_equals(points)) == len(points)


def first_of_equals(points: np.ndarray) -> np.ndarray:
    """Return the sorted indices of the points (N, 3) that equal none before them."""
    return np.sort(np.unique(points, axis=0, return_index=True)[1])
