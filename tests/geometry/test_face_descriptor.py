"""The mid-face map: what moves, thins or shakes a face hardly changes it; what is another face does."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from face3d_data.geometry.face_descriptor import UPPER, UPPER_MM, mean_heights, motion_of, pose_on_mean_face, relief_map
from face3d_data.geometry.mean_face import mean_face


def moved(points, pose):
    return points @ pose[:3, :3].T + pose[:3, 3]


def face(bump_mm=0.0, seed=0, n=3000):
    """Points of the mean face, drawn, with a bump on one cheek."""
    points = mean_face().points[np.random.default_rng(seed).permutation(len(mean_face().points))[:n]].astype(float)
    points[:, 2] += bump_mm * np.exp(-((points[:, 0] - 25) ** 2 + (points[:, 1] + 10) ** 2) / 200)
    return points


def test_the_mean_face_has_an_empty_relief_and_heights_where_its_points_are():
    points = face()
    relief = relief_map(points)
    assert np.isfinite(relief).all()
    assert np.abs(relief).max() < 0.6
    near = (np.abs(points[:, 0]) < 40) & (np.abs(points[:, 1]) < 35)
    assert np.abs(points[near, 2] - mean_heights(points[near, :2])[0]).mean() < 0.3


@pytest.mark.parametrize("lowest_mm", [-44.0, UPPER_MM])
def test_a_moved_face_is_brought_back(lowest_mm):
    points = face()
    turn = motion_of(np.array([*np.deg2rad([4, -5, 3]), 2.0, -1.5, 3.0]))
    back = pose_on_mean_face(moved(points, turn), lowest_mm)
    assert np.abs(moved(moved(points, turn), back) - points)[points[:, 1] > lowest_mm].mean() < 0.6


def test_other_points_and_noise_change_the_map_less_than_a_bump():
    noise = np.random.default_rng(1).normal(0, 0.5, (3000, 3))
    plain, again, bump = (relief_map(moved(p, pose_on_mean_face(p))) for p in (face(), face(0, 2) + noise, face(3)))
    same, other = (float(np.sqrt(np.mean((plain - one) ** 2))) for one in (again, bump))
    assert same < 0.25
    assert other > 2 * same


def test_what_is_far_from_the_mean_face_does_not_count():
    points = face()
    hand = points[points[:, 1] < -10] + [0, 0, 40]
    assert np.allclose(relief_map(np.concatenate([points, hand])), relief_map(points), equal_nan=True)


def test_holes_are_not_known():
    points = face()
    relief = relief_map(points[points[:, 1] > 0])
    assert np.isnan(relief[:24]).all()
    assert np.isfinite(relief[UPPER]).all()


def test_too_few_points_are_left_where_they_are():
    assert np.array_equal(pose_on_mean_face(face()[:20]), np.eye(4))


def test_motions_are_those_of_rotation_vectors():
    twist = np.array([0.2, -0.1, 0.05, 1, 2, 3])
    motion = motion_of(twist)
    assert np.allclose(motion[:3, :3], Rotation.from_rotvec(twist[:3]).as_matrix())
    assert np.allclose(motion[:3, 3], [1, 2, 3])
    assert np.array_equal(motion_of(np.zeros(6)), np.eye(4))
