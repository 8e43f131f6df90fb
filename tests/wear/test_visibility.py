"""The visible share of a face, against shapes whose share is known."""

import numpy as np
import pytest
from face_scans import head_pose

from face3d_data.wear.occluder import Occluder
from face3d_data.wear.visibility import hidden_by_points, visible_ratio


def sheet(x0, x1, z, see_through=()):
    """A rectangle at height z over the face frame's x, y plane."""
    corners = np.array([[x0, -60, z], [x1, -60, z], [x1, 60, z], [x0, 60, z]], np.float32)
    return Occluder(
        corners, np.tile(np.float32([0, 0, 1]), (4, 1)), np.array([[0, 1, 2], [0, 2, 3]], np.uint32), corners[:, :2],
        np.zeros(2, np.uint8), lambda part, coords: np.zeros((len(part), 3), np.float32), 1, see_through,
    )  # fmt: skip


@pytest.fixture
def plate():
    """A flat face of 100 x 100 mm at z = 0."""
    xy = np.stack(np.meshgrid(np.linspace(-49.5, 49.5, 100), np.linspace(-49.5, 49.5, 100)), -1).reshape(-1, 2)
    points = np.column_stack([xy, np.zeros(len(xy))]).astype(np.float32)
    return points, np.tile(np.float32([0, 0, 1]), (len(points), 1))


TO_FACE = np.linalg.inv(head_pose(distance_mm=100_000))  # so far away that solid angle is area


@pytest.mark.parametrize(("x0", "expected"), [(-60, 0.0), (0, 0.5), (25, 0.75), (60, 1.0)])
def test_a_sheet_hides_its_share(plate, x0, expected):
    assert visible_ratio(sheet(x0, 70, 2.0), *plate, TO_FACE) == pytest.approx(expected, abs=0.006)


def test_what_lies_behind_the_face_or_lets_light_through_hides_nothing(plate):
    assert visible_ratio(sheet(-60, 60, -2.0), *plate, TO_FACE) == 1
    assert visible_ratio(sheet(-60, 60, 2.0, see_through=(0.2,)), *plate, TO_FACE) == 1


def test_skin_that_faces_away_does_not_count(plate):
    points, normals = plate
    normals = np.where(points[:, :1] > 0, -normals, normals)
    assert visible_ratio(sheet(-60, -25, 2.0), points, normals, TO_FACE) == pytest.approx(0.5, abs=0.01)
    assert visible_ratio(sheet(-60, 60, 2.0), points, -plate[1], TO_FACE) == 0


def test_the_view_matters_for_what_stands_off(plate):
    """From 45 degrees a sheet 20 mm before the left half hides 20 mm less or more of the face."""
    side = np.linalg.inv(head_pose(yaw_deg=45, distance_mm=100_000))
    shares = [visible_ratio(sheet(-100, 0, 20.0), *plate, turned) for turned in (side, TO_FACE)]
    assert abs(shares[0] - shares[1]) == pytest.approx(0.2, abs=0.01)


def test_what_labelled_points_hide_is_not_visible(plate):
    points, normals = plate
    cloud = points * [1, 1, 0] + np.float32([0, 0, 15])
    left = cloud[:, 0] < 0
    hidden = hidden_by_points(cloud.astype(np.float32), left, points, TO_FACE)
    np.testing.assert_array_equal(hidden, points[:, 0] < 0)
    right = sheet(0, 60, 2.0)
    assert visible_ratio(right, points, normals, TO_FACE, hidden) == pytest.approx(0, abs=0.01)
    assert visible_ratio(sheet(-60, 0, 2.0), points, normals, TO_FACE, hidden) == pytest.approx(0.5, abs=0.01)


def test_what_a_cloud_does_not_show_is_not_known_to_be_hidden(plate):
    points, _ = plate
    cloud = np.float32([[-49, 0, 5], [np.nan, 0, 0]])
    hidden = hidden_by_points(cloud, np.ones(2, bool), points, TO_FACE)
    np.testing.assert_array_equal(hidden, np.hypot(points[:, 0] + 49, points[:, 1]) <= 8)
    assert not hidden_by_points(cloud, np.zeros(2, bool), points, TO_FACE).any()
