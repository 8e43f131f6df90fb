"""Depth brought to another camera: against a slow twin, planes without holes, what is nearer hides."""

import numpy as np
import pytest

from face3d_data.geometry.camera import project, unproject
from face3d_data.geometry.register_depth import CalibratedCamera, register_depth

DEPTH = CalibratedCamera(np.array([50.0, 50, 19.5, 14.5]), None, (30, 40))
LENS = np.array([0.1, -0.05, 0.001, -0.002, 0, 0, 0, 0, 0, 0, 0, 0, 0])
TURN = np.array([[np.cos(0.05), 0, np.sin(0.05)], [0, 1, 0], [-np.sin(0.05), 0, np.cos(0.05)]])


def test_a_camera_at_the_same_place_sees_the_same():
    depth = np.random.default_rng(0).uniform(400, 900, DEPTH.shape).astype(np.float32)
    depth[3:6, 7] = 0
    assert np.array_equal(register_depth(depth, DEPTH, DEPTH, np.eye(3), np.zeros(3)), depth)


@pytest.mark.parametrize("lens", [None, LENS])
@pytest.mark.parametrize("finer", [1, 2.4, 0.6])
def test_every_reading_lies_where_its_point_is_seen(lens, finer):
    shape = (int(30 * finer), int(40 * finer))
    color = CalibratedCamera(np.array([50.0, 50, 19.5, 14.5]) * finer, lens, shape)
    depth = (700 + 20 * np.mgrid[:30, :40][1]).astype(np.float32)
    shift = np.array([15.0, -2, 3])
    made = register_depth(depth, CalibratedCamera(DEPTH.intrinsics, lens, DEPTH.shape), color, TURN, shift)
    v, u = np.mgrid[:30, :40]
    points = unproject(np.column_stack([u.ravel(), v.ravel()]), depth.ravel(), DEPTH.intrinsics, lens) @ TURN.T + shift
    at = np.rint(project(points, color.intrinsics, lens)).astype(int)
    inside = (at >= 0).all(axis=1) & (at < shape[::-1]).all(axis=1)
    seen = made[at[inside, 1], at[inside, 0]]
    assert (seen > 0).all()
    assert np.abs(seen - points[inside, 2]).max() <= 25, "its own reading, or a neighbour's"


def test_a_finer_image_of_a_plane_has_no_holes():
    fine = CalibratedCamera(np.array([200.0, 200, 79.5, 59.5]), None, (120, 160))
    made = register_depth(np.full((30, 40), 800, np.float32), DEPTH, fine, np.eye(3), np.array([5.0, 0, 0]))
    assert (made[10:110, 20:150] == 800).all()


def test_the_nearer_hides_the_farther():
    depth = np.full((30, 40), 1000, np.float32)
    depth[:, 20:] = 500
    made = register_depth(depth, DEPTH, DEPTH, np.eye(3), np.array([-60.0, 0, 0]))
    # The step is at column 20, x = 5 mm at 500 mm: seen from 60 mm to the right it moves by 6 px, the wall by 3.
    assert (made[15, 15:33] == 500).all()
    assert (made[15, :13] == 1000).all()


def test_what_lies_behind_the_other_camera_or_beside_it_is_not_there():
    depth = np.full((30, 40), 500, np.float32)
    assert not register_depth(depth, DEPTH, DEPTH, np.eye(3), np.array([0, 0, -600.0])).any()
    assert not register_depth(depth, DEPTH, DEPTH, np.eye(3), np.array([5000.0, 0, 0])).any()
    assert not register_depth(np.zeros((30, 40), np.float32), DEPTH, DEPTH, np.eye(3), np.zeros(3)).any()
