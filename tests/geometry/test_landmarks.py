"""Landmarks lifted to 3D from a depth image: peaks, holes and backgrounds."""

import numpy as np
import pytest

from face3d_data.geometry.camera import unproject
from face3d_data.geometry.landmarks import NOSE, lift_landmarks

INTRINSICS = np.array([600.0, 600.0, 79.5, 59.5])
LANDMARKS = np.array([[55, 40], [105, 40], [80, 65], [60, 90], [100, 90]], np.float32)


@pytest.fixture
def depth():
    rows, columns = np.mgrid[:120, :160]
    cone = 35.0 * np.clip(1 - np.hypot(columns - 80, rows - 65) / 18, 0, None)
    return (650.0 - cone).astype(np.float32)


def test_flat_places_are_exact_and_the_nose_keeps_its_peak(depth):
    lifted = lift_landmarks(depth, INTRINSICS, LANDMARKS)
    assert lifted.dtype == np.float32
    flat = [0, 1, 3, 4]
    np.testing.assert_allclose(lifted[flat], unproject(LANDMARKS[flat], np.full(4, 650.0), INTRINSICS), atol=1e-3)
    window_median = 650.0 - 35.0 * (1 - 7.5 * np.sqrt(0.5) / 18)
    assert 615.0 <= lifted[NOSE, 2] < window_median - 3


def test_holes_are_not_readings(depth):
    rows, columns = np.mgrid[:120, :160]
    for u, v in LANDMARKS:
        depth[np.hypot(columns - u, rows - v) < 3] = 0
    lifted = lift_landmarks(depth, INTRINSICS, LANDMARKS)
    np.testing.assert_allclose(lifted[[0, 1, 3, 4], 2], 650.0, atol=1e-3)


def test_a_wall_behind_an_eye_does_not_pull_it(depth):
    depth[:, 107:] = 1500.0
    depth[36:44, 104:] = 1500.0
    assert abs(lift_landmarks(depth, INTRINSICS, LANDMARKS)[1, 2] - 650.0) < 1e-3


def test_a_hand_in_front_does_not_pull_the_mouth(depth):
    depth[84:96, 52:60] = 400.0
    assert abs(lift_landmarks(depth, INTRINSICS, LANDMARKS)[3, 2] - 650.0) < 1e-3


@pytest.mark.parametrize("pixel", [(500.0, 40.0), (-90.0, -90.0), (np.nan, 40.0)])
def test_a_landmark_out_of_reach_gives_none(depth, pixel):
    landmarks = LANDMARKS.copy()
    landmarks[0] = pixel
    assert lift_landmarks(depth, INTRINSICS, landmarks) is None


def test_no_reading_at_all_gives_none(depth):
    assert lift_landmarks(np.zeros_like(depth), INTRINSICS, LANDMARKS) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [3e38, -3e38, 1e19])
def test_a_landmark_farther_than_any_integer_gives_none(depth, far):
    landmarks = LANDMARKS.copy()
    landmarks[0] = far
    assert lift_landmarks(depth, INTRINSICS, landmarks) is None
