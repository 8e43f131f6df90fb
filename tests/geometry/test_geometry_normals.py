"""Normals and curvature on surfaces whose normals are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.geometry.normals import normals_and_curvature, thinnest


def sphere(n: int, radius: float, seed: int = 0) -> np.ndarray:
    directions = np.random.default_rng(seed).normal(size=(n, 3))
    return (radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)


def test_a_plane_has_its_normal_towards_the_viewer_and_no_curvature():
    x, y = np.meshgrid(np.arange(12.0), np.arange(12.0))
    plane = np.stack([x, y, 500 + 0 * x], axis=-1).reshape(-1, 3).astype(np.float32)
    normals, variation = normals_and_curvature(plane, 10, np.zeros(3))
    np.testing.assert_allclose(normals, np.tile([0, 0, -1.0], (len(plane), 1)), atol=1e-6)
    np.testing.assert_allclose(variation, 0, atol=1e-9)
    behind, _ = normals_and_curvature(plane, 10, np.array([0, 0, 1000.0]))
    np.testing.assert_allclose(behind, -normals, atol=1e-6)


def test_a_sphere_seen_from_inside_has_radial_normals():
    points = sphere(3000, 50.0)
    normals, _ = normals_and_curvature(points, 12, np.zeros(3))
    assert np.median(np.einsum("ij,ij->i", normals, -points / 50.0)) > 0.999


@pytest.mark.slow
def test_smaller_spheres_are_more_curved():
    small = normals_and_curvature(sphere(500, 10.0), 12, np.zeros(3))[1]
    flat = normals_and_curvature(np.vstack([sphere(500, 10.0), sphere(50_000, 10.0, 1)]), 12, np.zeros(3))[1]
    assert np.median(small) > 5 * np.median(flat) > 0


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 40), st.integers(3, 20), st.integers(0, 2**32 - 1))
def test_normals_are_unit_and_variation_is_within_its_bounds(n, k, seed):
    points = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    normals, variation = normals_and_curvature(points, k, np.array([0, 0, -100.0]))
    assert normals.dtype == variation.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    assert variation.min() >= 0
    assert variation.max() <= 1 / 3 + 1e-6


def test_equal_points_give_no_nan():
    normals, variation = normals_and_curvature(np.ones((5, 3), np.float32), 4, np.zeros(3))
    assert np.isfinite(normals).all()
    assert variation.tolist() == pytest.approx([0] * 5)


def spreads(kind, rng):
    """Return scatters f8 (N, 3, 3) of one kind."""
    vectors = rng.normal(size=(300, 3, {"any": 5, "plane": 2, "line": 1}.get(kind, 3)))
    if kind == "noisy plane":
        vectors *= np.array([1.0, 1.0, 1e-3])[:, None]
    scatter = np.einsum("nik,njk->nij", vectors, vectors)
    return {"nothing": 0 * scatter, "ball": np.eye(3) + 0 * scatter, "tiny": 1e-30 * scatter}.get(kind, scatter)


@pytest.mark.parametrize("kind", ["any", "noisy plane", "plane", "line", "nothing", "ball", "tiny"])
def test_the_thinnest_direction_is_that_of_lapack(kind):
    scatter = spreads(kind, np.random.default_rng(0))
    found, least = thinnest(scatter)
    values, vectors = np.linalg.eigh(scatter)
    size = np.maximum(values[:, 2], 1e-300)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-12)
    assert (np.abs(least - values[:, 0]) <= 1e-12 * size).all()
    off = np.linalg.norm(np.einsum("nij,nj->ni", scatter, found) - least[:, None] * found, axis=1)
    assert (off <= 1e-11 * size).all()
    alone = values[:, 1] - values[:, 0] > 0.01 * size
    assert (np.abs(np.einsum("ni,ni->n", found, vectors[:, :, 0]))[alone] > 1 - 1e-12).all()
