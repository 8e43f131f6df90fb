import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.detectors.depth_bound import possible_face_px


def scene(face_mm, wall_mm=0.0):
    depth = np.full((480, 640), wall_mm, np.float32)
    half = int(615 * 70 / face_mm)
    depth[240 - half : 240 + half, 320 - half : 320 + half] = face_mm
    return depth


def test_the_farthest_depth_bounds_the_smallest_face_and_nothing_the_largest():
    low, high = possible_face_px(scene(600), 615.0)
    assert low == pytest.approx(615 * 110 / 600)
    assert high == np.inf


def test_a_wall_behind_lowers_the_smallest_face():
    low, high = possible_face_px(scene(600, wall_mm=1500), 615.0)
    assert low == pytest.approx(615 * 110 / 1500)
    assert high == np.inf


def test_a_face_too_near_for_the_sensor_is_a_hole_and_still_possible():
    depth = np.full((480, 640), 2500.0, np.float32)
    depth[100:400, 150:450] = 0
    low, high = possible_face_px(depth, 615.0)
    assert low <= 615 * 150 / 380 <= high


def test_flying_pixels_and_holes_change_nothing():
    depth = scene(600)
    rng = np.random.default_rng(3)
    rows, columns = rng.integers(0, 480, 300), rng.integers(0, 640, 300)
    depth[rows, columns] = rng.choice([120.0, 4000.0, 0.0], 300)
    free = possible_face_px(scene(600), 615.0)
    assert possible_face_px(depth, 615.0) == pytest.approx(free, rel=0.01)


@pytest.mark.parametrize("depth", [np.zeros((480, 640), np.float32), np.pad([[600.0]], 50).astype(np.float32)])
def test_too_little_depth_says_nothing(depth):
    assert possible_face_px(depth, 615.0) is None


@settings(max_examples=25, deadline=None)
@given(st.floats(350, 2500), st.sampled_from([0.0, 900.0, 3000.0]))
def test_every_possible_face_lies_in_the_bound(face_mm, wall_mm):
    low, high = possible_face_px(scene(face_mm, wall_mm), 615.0)
    assert low <= 615 * 125 / face_mm <= 615 * 150 / face_mm <= high == np.inf
