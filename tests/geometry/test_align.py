"""Rigid fits: closed form against known motions, ICP against the mean face itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from face3d_data.geometry.align import UPPER_FACE_MM, every_nth, fit_rigid, measure_fit, refine, rotate, transform
from face3d_data.geometry.mean_face import MeanFace, mean_face, read_mean_face, save_mean_face


def motion(rng: np.random.Generator, angle_deg: float, shift_mm: float) -> np.ndarray:
    axis = rng.normal(size=3)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(np.radians(angle_deg) * axis / np.linalg.norm(axis)).as_matrix()
    pose[:3, 3] = rng.normal(size=3) * shift_mm
    return pose


@given(st.integers(0, 2**32 - 1), st.floats(0, 180), st.integers(3, 8))
def test_fit_rigid_finds_the_motion(seed, angle_deg, n):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(n, 3)) * 30
    truth = motion(rng, angle_deg, 100.0)
    np.testing.assert_allclose(fit_rigid(source, transform(source, truth)), truth, atol=1e-6)


def test_fit_rigid_never_mirrors_nor_scales():
    source = np.random.default_rng(0).normal(size=(6, 3))
    rotation = fit_rigid(source, 3.0 * source * [-1, 1, 1])[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_transform_and_rotate_keep_dtype_and_agree():
    rng = np.random.default_rng(1)
    pose, points = motion(rng, 40, 10), rng.normal(size=(5, 3)).astype(np.float32)
    assert transform(points, pose).dtype == rotate(points, pose).dtype == np.float32
    np.testing.assert_allclose(transform(points, pose) - rotate(points, pose), np.tile(pose[:3, 3], (5, 1)), atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_icp_returns_a_displaced_mean_face_home(seed):
    rng, face = np.random.default_rng(seed), mean_face()
    displaced = motion(rng, 5.0, 2.0)
    scan = transform(face.points[::2] + rng.normal(0, 0.3, face.points[::2].shape), displaced)
    home = refine(scan, face, np.eye(4))
    moved = transform(face.points, home @ displaced)
    assert np.linalg.norm(moved - face.points, axis=1).mean() < 0.5


def test_icp_is_the_same_to_the_last_bit_and_indifferent_to_far_points():
    face = mean_face()
    scan = transform(face.points, motion(np.random.default_rng(2), 4.0, 2.0))
    first = refine(scan, face, np.eye(4))
    assert first.tobytes() == refine(scan.copy(), face, np.eye(4)).tobytes()
    far = np.vstack([scan, scan + np.float32(500.0)])
    assert first.tobytes() == refine(far, face, np.eye(4)).tobytes()


def test_icp_of_the_upper_face_is_not_moved_by_a_mask():
    face = mean_face()
    masked = face.points.copy()
    low = masked[:, 1] < UPPER_FACE_MM
    masked[low, 2] += 18  # a duckbill: nearly two centimetres before the mouth
    scan = transform(masked, motion(np.random.default_rng(2), 4.0, 2.0))
    upper = ~low & (np.abs(face.points[:, 0]) < 50)

    def off_mm(lowest_mm):
        home = transform(scan, refine(scan, face, np.eye(4), lowest_mm=lowest_mm))
        return np.linalg.norm(home - face.points, axis=1)[upper].mean()

    assert off_mm(UPPER_FACE_MM) < 0.5
    assert off_mm(-np.inf) > 3


def test_icp_without_matches_keeps_the_start():
    start = motion(np.random.default_rng(3), 10.0, 5.0)
    nowhere = np.full((100, 3), 1e4, np.float32)
    np.testing.assert_array_equal(refine(nowhere, mean_face(), start), start)


def test_measure_fit_is_the_rms_of_inliers_and_their_share():
    x, y = np.meshgrid(np.arange(-60.0, 61, 2), np.arange(-60.0, 61, 2))
    flat = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3).astype(np.float32)
    plane = MeanFace(flat, np.tile(np.float32([0, 0, 1]), (len(flat), 1)), np.zeros((5, 3), np.float32))
    scan = np.array([[0, 0, 3.0], [1, 1, -4.0], [5, 5, 30.0], [200, 0, 0]], np.float32)
    fit = measure_fit(scan, plane, np.zeros(3))
    assert fit.rmse_mm == pytest.approx(np.sqrt(12.5), rel=1e-5)
    assert fit.inlier_share == pytest.approx(2 / 3)
    assert measure_fit(scan, plane, np.zeros(3), 0.5).inlier_share == pytest.approx(1 / 2)
    assert measure_fit(scan + np.float32(1e4), plane, np.zeros(3)).inlier_share == 0.0


def test_every_nth_takes_first_and_last():
    points = np.arange(300).reshape(100, 3)
    np.testing.assert_array_equal(every_nth(points, 100), points)
    some = every_nth(points, 7)
    assert len(some) == 7
    np.testing.assert_array_equal(some[[0, -1]], points[[0, -1]])


def test_the_shipped_mean_face_is_a_face_in_the_face_frame():
    face = mean_face()
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    np.testing.assert_array_equal(nose, 0)
    assert left_eye[0] < -20 < 20 < right_eye[0]
    assert min(left_eye[1], right_eye[1]) > 20 > -20 > max(left_mouth[1], right_mouth[1])
    assert face.points[:, 2].max() < 2.0
    distance, _ = face.tree.nearest(face.landmarks)
    assert distance.max() < 2.5
    np.testing.assert_allclose(np.linalg.norm(face.normals, axis=1), 1, atol=1e-5)
    assert face.normals[:, 2].min() > 0


def test_a_mean_face_is_written_the_same_way_twice(tmp_path):
    face = mean_face()
    save_mean_face(tmp_path / "a.npz", face)
    save_mean_face(tmp_path / "b.npz", face)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = read_mean_face(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.points, face.points)
    np.testing.assert_array_equal(again.landmarks, face.landmarks)
