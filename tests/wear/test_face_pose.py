"""Where a head is: from landmarks in space, refined by points; from five pixels alone."""

import numpy as np
import pytest
from face_scans import head_pose

from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import project
from face3d_data.geometry.mean_face import mean_face
from face3d_data.wear.face_pose import guess_intrinsics, head_motion, landmarks_at_pixels, motion_from_pixels, turn_deg

CAMERA = np.array([600.0, 600.0, 319.5, 239.5])


def degrees_apart(a, b):
    return np.degrees(np.arccos(np.clip((np.trace(a[:3, :3] @ b[:3, :3].T) - 1) / 2, -1, 1)))


def test_landmarks_alone_give_the_motion_and_points_refine_it():
    pose = head_pose(20, -10)
    rng = np.random.default_rng(0)
    wrong = transform(mean_face().landmarks, pose) + rng.normal(0, 3, (5, 3)).astype(np.float32)
    points = transform(mean_face().points, pose)
    rough = head_motion(wrong, np.zeros((0, 3), np.float32))
    fine = head_motion(wrong, points)
    assert degrees_apart(fine @ pose, np.eye(4)) < 0.3 < degrees_apart(rough @ pose, np.eye(4))


def test_fewer_than_three_landmarks_give_none():
    landmarks = mean_face().landmarks.copy()
    landmarks[:3] = np.nan
    with pytest.raises(ValueError, match="2 landmarks are known, and a pose needs three"):
        head_motion(landmarks, mean_face().points)


@pytest.mark.parametrize("yaw", [-35, -10, 0, 20, 40])
@pytest.mark.parametrize("pitch", [-15, 0, 15])
def test_pixels_of_the_mean_face_give_its_pose_nearly(yaw, pitch):
    pose = head_pose(yaw, pitch, 700)
    pose[:3, 3] += [60, -40, 0]
    pixels = project(transform(mean_face().landmarks.astype(np.float64), pose), CAMERA)
    found = motion_from_pixels(pixels, CAMERA)
    assert degrees_apart(found @ pose, np.eye(4)) < (3 if pitch == 0 else 9)  # the prior draws pitch to zero
    assert abs(turn_deg(found)[0] - yaw) < 3
    assert pitch == 0 or np.sign(turn_deg(found)[1]) == np.sign(pitch)
    middle = transform(mean_face().landmarks, np.linalg.inv(found)).mean(0)
    np.testing.assert_allclose(middle, transform(mean_face().landmarks, pose).mean(0), rtol=0.03, atol=2)
    np.testing.assert_allclose(landmarks_at_pixels(pixels, CAMERA, found), mean_face().landmarks, atol=8)


def test_a_rolled_face_is_found_upright_in_its_own_frame():
    pose = np.eye(4)
    turn = np.deg2rad(35)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    pixels = project(transform(mean_face().landmarks.astype(np.float64), pose @ head_pose()), CAMERA)
    assert degrees_apart(motion_from_pixels(pixels, CAMERA) @ pose @ head_pose(), np.eye(4)) < 4


@pytest.mark.parametrize(("shape", "eyes_px"), [((480, 640), 60), ((112, 112), 35), ((4000, 3000), 1500)])
def test_a_guessed_camera_keeps_the_face_at_arms_length(shape, eyes_px):
    face = mean_face().landmarks
    pixels = face[:, :2] * [1, -1] * eyes_px / 63.4 + np.array(shape[::-1]) / 2
    camera = guess_intrinsics(pixels, shape)
    distance = camera[0] * 63.4 / eyes_px
    assert distance >= 449
    assert camera[0] >= 1.2 * max(shape)


def test_turns_have_their_signs():
    assert turn_deg(np.linalg.inv(head_pose())) == pytest.approx((0, 0), abs=1e-6)
    assert turn_deg(np.linalg.inv(head_pose(yaw_deg=30)))[0] == pytest.approx(30)
    yaw, pitch = turn_deg(np.linalg.inv(head_pose(pitch_deg=20)))
    assert yaw == pytest.approx(0, abs=1e-6)
    assert pitch == pytest.approx(20)
