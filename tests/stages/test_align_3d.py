"""Stage `align_3d`: any rigid motion in, the same face frame out."""

import numpy as np
import pytest
from face_scans import face_sample, head_pose
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from face3d_data.errors import Reject
from face3d_data.geometry.align import rotate, transform
from face3d_data.geometry.mean_face import mean_face
from face3d_data.sample import Sample
from face3d_data.stages.align_3d import Align3d
from face3d_data.stages.mask import Mask
from face3d_data.stages.to_cloud import ToCloud


@pytest.fixture(scope="module")
def scan():
    return ToCloud().apply(face_sample(head_pose(8.0, -5.0), noise_mm=0.5))


def moved(sample: Sample, motion: np.ndarray) -> Sample:
    names = ("points", "landmarks_3d")
    return Sample.of({name: transform(sample.arrays[name], motion) for name in names} | {"pose": motion})


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_rigid_motion_of_the_scan_does_not_change_the_result(scan, seed):
    rng = np.random.default_rng(seed)
    motion = np.eye(4)
    motion[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    motion[:3, 3] = rng.normal(size=3) * 300
    here, there = Align3d().apply(scan), Align3d().apply(moved(scan, motion))
    np.testing.assert_allclose(there.arrays["points"], here.arrays["points"], atol=0.05)
    np.testing.assert_allclose(there.arrays["landmarks_3d"], here.arrays["landmarks_3d"], atol=0.05)
    np.testing.assert_allclose(there.arrays["pose"], here.arrays["pose"], atol=0.05)


@pytest.mark.parametrize("yaw_deg", [-25.0, 0.0, 25.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_detector_like_landmark_errors_and_yaw_are_overcome(yaw_deg, seed):
    pose = head_pose(yaw_deg, 10.0)
    sample = face_sample(pose, noise_mm=1.0)
    eye_px = np.linalg.norm(np.diff(sample.arrays["landmarks"][:2], axis=0))
    wrong = np.random.default_rng(seed).normal(0, 0.06 * eye_px / 1.25, (5, 2))
    sample = sample.with_arrays(landmarks=(sample.arrays["landmarks"] + wrong).astype(np.float32))
    aligned = Align3d().apply(ToCloud().apply(sample))
    off = transform(mean_face().points, aligned.arrays["pose"] @ pose) - mean_face().points
    assert np.linalg.norm(off, axis=1).mean() < 1.5
    assert aligned.tags["rmse_mm"] < 1.5
    assert aligned.tags["inlier_share"] > 0.98


def test_pose_maps_the_camera_frame_to_the_points_and_normals_turn_along(scan):
    normals = np.tile(np.float32([0, 0, -1]), (len(scan.arrays["points"]), 1))
    aligned = Align3d().apply(scan.with_arrays(normals=normals))
    pose = aligned.arrays["pose"]
    np.testing.assert_allclose(aligned.arrays["points"], transform(scan.arrays["points"], pose), atol=1e-3)
    np.testing.assert_allclose(aligned.arrays["normals"], rotate(normals, pose), atol=1e-6)
    assert aligned.arrays["normals"][0, 2] > 0.9
    again = Align3d(refine_icp=False).apply(aligned)
    np.testing.assert_allclose(
        again.arrays["points"], transform(scan.arrays["points"], again.arrays["pose"]), atol=1e-2
    )


def test_two_runs_give_the_same_bytes(scan):
    first, second = (Align3d().apply(scan).arrays for _ in range(2))
    for name in ("points", "landmarks_3d", "pose"):
        assert first[name].tobytes() == second[name].tobytes()


def test_missing_landmarks_are_done_without(scan):
    landmarks = scan.arrays["landmarks_3d"].copy()
    landmarks[2] = np.nan
    aligned = Align3d().apply(scan.with_arrays(landmarks_3d=landmarks))
    assert aligned.tags["rmse_mm"] < 1.5
    landmarks = landmarks.copy()
    landmarks[:3] = np.nan
    with pytest.raises(Reject, match="too_few_landmarks"):
        Align3d().apply(scan.with_arrays(landmarks_3d=landmarks))


def test_what_is_no_face_is_a_poor_fit(scan):
    rng = np.random.default_rng(0)
    cloud = (rng.uniform(-60, 60, (4000, 3)) + np.array([0, 0, 600])).astype(np.float32)
    with pytest.raises(Reject, match="poor_fit"):
        Align3d().apply(scan.with_arrays(points=cloud))
    with pytest.raises(Reject, match="rmse"):
        Align3d(max_rmse_mm=1e-3).apply(scan)


def test_the_mean_face_is_part_of_the_fingerprint():
    assert [label for label, _ in Align3d().content_files()] == ["geometry/mean_face.npz"]


@pytest.mark.parametrize("factor", [0.1, 0.25, 4.0])
def test_a_wrong_unit_is_no_face_however_well_it_fits(scan, factor):
    arrays = {name: scan.arrays[name] * np.float32(factor) for name in ("points", "landmarks_3d")}
    with pytest.raises(Reject, match=r"not_face_sized: .* check the depth's unit"):
        Align3d(max_rmse_mm=1e9, min_inlier_share=0.0).apply(Sample.of(arrays))


def test_points_that_are_not_finite_are_rejected(scan):
    points = np.array(scan.arrays["points"])
    points[::7] = np.nan
    with pytest.raises(Reject, match="non_finite_points"):
        Align3d().apply(scan.with_arrays(points=points))


def test_a_cloud_with_no_point_on_the_face_never_fits(scan):
    far = Sample.of({"points": scan.arrays["points"] + np.float32(5000), "landmarks_3d": scan.arrays["landmarks_3d"]})
    with pytest.raises(Reject, match="poor_fit: rmse inf mm"):
        Align3d(min_inlier_share=0.0, refine_icp=False).apply(far)


def test_a_mask_does_not_move_a_face_that_is_fitted_by_its_upper_part(scan):
    upper = Align3d(region="upper")
    [bare] = upper.run(scan, None)
    [masked] = Mask(styles={"duckbill": 1}).run(scan, np.random.default_rng(1))

    def turn_deg(stage):
        [home] = stage.run(masked, None)
        motion = home.arrays["pose"] @ np.linalg.inv(bare.arrays["pose"])
        return np.degrees(Rotation.from_matrix(motion[:3, :3]).magnitude())

    assert turn_deg(upper) < 2
    assert turn_deg(Align3d(max_rmse_mm=99, min_inlier_share=0)) > 5


def test_the_region_enters_the_fingerprint_only_where_it_is_not_the_whole_face():
    assert "region" not in Align3d().parameters()
    assert Align3d(region="upper").parameters()["region"] == "upper"
    with pytest.raises(ValueError, match="region is for ICP"):
        Align3d(region="upper", refine_icp=False)
