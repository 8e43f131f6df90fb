"""The lower bound of a mesh's depth, against rays cast at it."""

import numpy as np
import pytest

from face3d_data.wear.cover_depth import box_pixels
from face3d_data.wear.nearest_surface import CELL_PX, nearest_surface
from face3d_data.wear.occluder import Occluder, camera_rays

INTRINSICS = np.array([300.0, 300.0, 59.5, 44.5])
BOX = (0, 0, 120, 90)


def mesh(seed, n=120, size_mm=25.0):
    """Triangles anywhere before the camera, some of them out of its sight."""
    rng = np.random.default_rng(seed)
    middles = rng.uniform([-250, -200, 350], [250, 200, 900], (n, 3))
    vertices = (middles[:, None] + rng.normal(0, size_mm, (n, 3, 3))).reshape(-1, 3)
    return vertices, np.arange(3 * n, dtype=np.uint32).reshape(-1, 3)


def depth_by_rays(vertices, triangles, pixels):
    none = np.zeros((len(vertices), 2), np.float32)
    part = np.zeros(len(triangles), np.uint8)
    normals = np.zeros((len(vertices), 3), np.float32)
    thing = Occluder(vertices.astype(np.float32), normals, triangles, none, part, lambda part, at: at, 1)
    return thing.cast(camera_rays(pixels, INTRINSICS)).t


@pytest.mark.parametrize("seed", range(5))
def test_no_ray_meets_the_mesh_nearer_than_the_bound(seed):
    vertices, triangles = mesh(seed)
    pixels = box_pixels(BOX) + np.random.default_rng(seed).uniform(-0.25, 0.25, (120 * 90, 2))
    bound = nearest_surface(vertices, triangles, INTRINSICS, BOX).at(pixels)
    depth = depth_by_rays(vertices, triangles, pixels)
    assert np.isfinite(depth).sum() > 500
    assert (bound <= depth).all()
    assert np.isinf(bound).sum() > 100, "cells that no triangle touches say so"


def test_the_bound_of_a_plane_is_its_depth():
    corners = np.array([[-200, -150, 500], [200, -150, 500], [200, 150, 500], [-200, 150, 500]], np.float64)
    found = nearest_surface(corners, np.array([[0, 1, 2], [0, 2, 3]]), INTRINSICS, BOX)
    np.testing.assert_allclose(found.at(box_pixels(BOX)), 500, atol=0.02)


@pytest.mark.parametrize("z", [5.0, -300.0])
def test_a_mesh_that_reaches_the_camera_has_no_bound(z):
    vertices = np.array([[0, 0, 600], [50, 0, 600], [0, 50, z]], np.float64)
    assert nearest_surface(vertices, np.array([[0, 1, 2]]), INTRINSICS, BOX) is None


def test_places_less_than_a_cell_outside_are_in_a_cell():
    vertices, triangles = mesh(1)
    found = nearest_surface(vertices, triangles, INTRINSICS, BOX)
    corners = np.array([[-0.9 * CELL_PX, -0.9 * CELL_PX], [119 + 0.9 * CELL_PX, 89 + 0.9 * CELL_PX]])
    assert (found.at(corners) <= depth_by_rays(vertices, triangles, corners)).all()
