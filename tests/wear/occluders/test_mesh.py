"""The pieces of occluders: tubes, sheets, blended capsules."""

from collections import Counter

import numpy as np
import pytest

from face3d_data.wear.head_map import CENTRE, grid_directions, unroll
from face3d_data.wear.occluders.mesh import keep_outside, ring, spanned, tube
from face3d_data.wear.occluders.surface_nets import Capsules, surface_nets

UP = np.array([0.0, 1.0, 0.0])


def volume(vertices, triangles):
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def is_closed(triangles) -> bool:
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    count = Counter(map(tuple, edges.tolist()))
    return all(count[b, a] == n for (a, b), n in count.items())


def test_a_tube_has_the_size_asked_for_and_faces_outwards():
    path = np.column_stack([np.zeros(11), np.zeros(11), np.linspace(0, 100, 11)])
    mesh = tube(path, 3.0, 2.0, UP, sides=24)
    middle = mesh.vertices[(mesh.vertices[:, 2] > 1) & (mesh.vertices[:, 2] < 99)]
    np.testing.assert_allclose(np.abs(middle).max(axis=0)[:2], [3, 2], atol=1e-6)
    assert volume(mesh.vertices, mesh.triangles) == pytest.approx(np.pi * 3 * 2 * 100, rel=0.06)
    outward = np.einsum("ij,ij->i", mesh.normals[:, :2], mesh.vertices[:, :2])
    assert (outward[3 * 24 : -3 * 24] > 0).all()


def test_a_ring_is_closed_and_encloses_its_volume():
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    mesh = ring(
        np.column_stack([20 * np.cos(angle), 20 * np.sin(angle), 0 * angle]), 1.0, 2.0, np.array([0, 0, 1.0]), 16
    )
    assert is_closed(mesh.triangles)
    assert volume(mesh.vertices, mesh.triangles) == pytest.approx(2 * np.pi * 20 * np.pi * 2, rel=0.04)


def test_capsules_become_a_closed_smooth_surface():
    body = Capsules(
        np.array([[0.0, 0, 0], [0.0, 0, 30]]),
        np.array([[0.0, 0, 30], [0.0, 25, 45]]),
        np.array([[8.0, 6.0], [6.0, 5.0]]),
        np.array([2.0, 2.0]),
    )
    vertices, normals, triangles = body.mesh(2.5)
    assert is_closed(triangles)
    assert volume(vertices, triangles) > 0
    assert np.abs(body.depth(vertices)).max() < 0.15
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-9)
    assert (body.depth(vertices + normals) > body.depth(vertices)).all()


def test_surface_nets_find_a_sphere():
    grid = np.stack(np.meshgrid(*[np.arange(24.0)] * 3, indexing="ij"), axis=-1)
    vertices, triangles = surface_nets(np.linalg.norm(grid - 11.3, axis=-1) - 7.6)
    assert is_closed(triangles)
    assert np.abs(np.linalg.norm(vertices - 11.3, axis=1) - 7.6).max() < 0.15
    edges = 3 * len(triangles) // 2
    assert len(vertices) - edges + len(triangles) == 2
    assert volume(vertices - 11.3, triangles) == pytest.approx(4 / 3 * np.pi * 7.6**3, rel=0.02)


def test_what_is_kept_outside_is_lifted_and_the_rest_left():
    radius = np.full((151, 161), 80.0, np.float32)
    points = CENTRE + np.array([60.0, 79.0, 95.0])[:, None] * grid_directions()[70, 80].astype(np.float64)
    kept = keep_outside(points, radius, 2.0)
    np.testing.assert_allclose(unroll(kept)[1], [82, 82, 95], atol=1e-4)
    np.testing.assert_allclose(unroll(kept)[0], unroll(points)[0], atol=1e-4)


def test_spanning_bridges_narrow_hollows_only_and_never_goes_below():
    radius = np.full((151, 161), 80.0, np.float32)
    np.testing.assert_allclose(spanned(radius, 30, 30), 80, atol=1e-3)
    radius[70:76, 60:66] = 60  # 12 mm across
    radius[20:60, 20:80] = 70
    bridged = spanned(radius, 30.0, 30.0)
    assert (bridged >= radius).all()
    np.testing.assert_allclose(bridged[70:76, 60:66], 80, atol=0.5)
    assert abs(bridged[40, 50] - 70) < 0.5
