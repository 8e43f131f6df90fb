"""Points of a surface."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.geometry.surface import face_normals, sample_surface, surface_vertices

SQUARE = np.array([[0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0]], np.float64)
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def test_normals_follow_the_winding():
    areas, normals = face_normals(SQUARE, np.array([[0, 1, 2], [2, 1, 0], [0, 0, 1]]))
    assert areas.tolist() == [50, 50, 0]
    assert normals.tolist() == [[0, 0, 1], [0, 0, -1], [0, 0, 0]]


def test_points_lie_on_the_surface_evenly():
    made = sample_surface(SQUARE, HALVES, 4000)
    assert (made.points[:, 2] == 0).all()
    assert made.normals.dtype == np.float32
    assert (made.normals == [0, 0, 1]).all()
    counts, _, _ = np.histogram2d(made.points[:, 0], made.points[:, 1], bins=10, range=[[0, 10], [0, 10]])
    assert counts.sum() == 4000
    assert np.abs(counts - 40).max() <= 12  # a random draw has a standard deviation of 6


@pytest.mark.slow
@given(st.integers(1, 500), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_each_triangle_gets_what_its_area_asks_for(n_points, seed):
    rng = np.random.default_rng(seed)
    vertices, triangles = rng.normal(size=(12, 3)), rng.integers(0, 12, (9, 3))
    areas, _ = face_normals(vertices, triangles)
    if areas.sum() == 0:
        return
    made = sample_surface(vertices, triangles, n_points)
    assert len(made.points) == n_points
    assert np.isfinite(made.points).all()
    found = np.zeros(len(triangles))
    for point in made.points:
        # The triangle that holds a point is the one whose three parts round it have its area.
        corners = vertices[triangles]
        parts = [np.linalg.norm(np.cross(corners[:, i] - point, corners[:, i - 1] - point), axis=1) for i in range(3)]
        found[np.argmin(np.where(areas > 0, np.abs(sum(parts) / 2 - areas), np.inf))] += 1
    assert np.abs(found - areas / areas.sum() * n_points).max() <= 1.0 + 1e-6 or _shared(triangles, areas)


def _shared(triangles, areas):
    """Triangles that are the same three vertices cannot be told apart."""
    return len({tuple(sorted(row)) for row in triangles[areas > 0].tolist()}) < (areas > 0).sum()


def test_the_same_surface_gives_the_same_points():
    first, second = (sample_surface(SQUARE, HALVES, 1000) for _ in range(2))
    assert np.array_equal(first.points, second.points)


def test_colours_are_blended():
    colors = np.array([[0, 0, 0], [200, 0, 0], [200, 100, 0], [0, 100, 0]], np.uint8)
    made = sample_surface(SQUARE, HALVES, 500, colors)
    assert np.abs(made.colors[:, 0] - made.points[:, 0] * 20).max() <= 0.5 + 1e-9
    assert np.abs(made.colors[:, 1] - made.points[:, 1] * 10).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("make", [lambda v, t: sample_surface(v, t, 10), surface_vertices])
def test_a_surface_without_area_is_refused(make):
    for triangles in (np.zeros((0, 3), int), np.array([[0, 0, 1]])):
        with pytest.raises(ValueError, match="its faces have no area"):
            make(SQUARE, triangles)


def test_vertices_come_once_in_their_order():
    corners = SQUARE[HALVES].reshape(-1, 3)
    colors = np.arange(18, dtype=np.uint8).reshape(6, 3)
    made = surface_vertices(corners, np.arange(6).reshape(2, 3), colors)
    assert made.points.tolist() == SQUARE.tolist()
    assert made.colors.tolist() == colors[[0, 1, 2, 5]].tolist()
    np.testing.assert_allclose(made.normals, [[0, 0, 1]] * 4, atol=1e-7)


def test_vertices_without_a_face_are_left_out():
    vertices = np.vstack([[[99, 99, 99]], SQUARE])
    assert surface_vertices(vertices, HALVES + 1).points.tolist() == SQUARE.tolist()
