"""Stage `to_cloud`: depth or a scanner's grid to points."""

import numpy as np
import pytest
from face_scans import INTRINSICS, face_sample, head_pose
from scans import face_scan

from face3d_data.errors import Reject
from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import project
from face3d_data.geometry.mean_face import mean_face
from face3d_data.sample import POSITIONS, Sample
from face3d_data.stages.align_3d import Align3d
from face3d_data.stages.crop import CropFace
from face3d_data.stages.to_cloud import ToCloud


@pytest.mark.parametrize("yaw_deg", [-25.0, 0.0, 20.0])
def test_points_lie_on_the_face_and_landmarks_are_found(yaw_deg):
    pose = head_pose(yaw_deg)
    cloud = ToCloud().apply(face_sample(pose, noise_mm=0.5))
    truth = transform(mean_face().landmarks, pose)
    assert np.linalg.norm(cloud.arrays["landmarks_3d"] - truth, axis=1).max() < 5.0
    home = transform(cloud.arrays["points"], np.linalg.inv(pose))
    distance, _ = mean_face().tree.nearest(home)
    assert np.median(distance) < 2.0
    np.testing.assert_array_equal(cloud.arrays["pose"], np.eye(4))


def test_only_the_sphere_round_the_nose_is_kept():
    cloud = ToCloud(crop_radius_mm=50).apply(face_sample(wall_mm=1500.0))
    nose = cloud.arrays["landmarks_3d"][2]
    assert np.linalg.norm(cloud.arrays["points"] - nose, axis=1).max() <= 50 + 1e-3
    assert len(cloud.arrays["points"]) < len(ToCloud().apply(face_sample(wall_mm=1500.0)).arrays["points"])


def test_colors_are_those_of_the_points_pixels():
    sample = face_sample()
    assert "point_colors" not in ToCloud().apply(sample).arrays
    cloud = ToCloud(keep_colors=True).apply(sample)
    pixels = project(cloud.arrays["points"], INTRINSICS).round().astype(int)
    np.testing.assert_array_equal(cloud.arrays["point_colors"][:, :2], pixels[:, ::-1])


def test_a_grid_gives_its_finite_points():
    grid = np.full((60, 50, 3), np.nan, np.float32)
    rows, columns = np.mgrid[:60, :50]
    grid[5:55, 5:45] = np.stack([columns * 2.0 - 50, rows * 2.0 - 60, 0 * rows + 700.0], -1)[5:55, 5:45]
    color = np.stack([rows, columns, rows], axis=-1).astype(np.uint8)
    landmarks = np.array([[-30, -30, 700], [30, -30, 700], [0, 0, 700], [-20, 40, 700], [20, 40, 700]], np.float32)
    sample = Sample.of({"grid": grid, "grid_color": color, "landmarks_3d": landmarks})
    cloud = ToCloud(keep_colors=True).apply(sample)
    expected = grid[5:55, 5:45].reshape(-1, 3)
    expected = expected[np.linalg.norm(expected - [0, 0, 700], axis=1) <= 90]
    np.testing.assert_array_equal(cloud.arrays["points"], expected)
    np.testing.assert_array_equal(cloud.arrays["point_colors"][:, 1], expected[:, 0] / 2 + 25)
    np.testing.assert_array_equal(cloud.arrays["landmarks_3d"], landmarks)


def test_a_grid_without_landmarks_cannot_be_used():
    with pytest.raises(Reject, match="missing_landmarks_3d"):
        ToCloud().apply(Sample.of({"grid": np.zeros((4, 4, 3), np.float32)}))


def test_a_face_without_depth_is_rejected():
    sample = face_sample()
    blind = sample.with_arrays(depth=np.zeros_like(sample.arrays["depth"]))
    with pytest.raises(Reject, match="no_depth_at_landmark"):
        ToCloud().apply(blind)


def test_a_nose_of_nan_in_a_grid_is_rejected():
    landmarks = np.zeros((5, 3), np.float32)
    landmarks[2] = np.nan
    with pytest.raises(Reject, match="no_depth_at_landmark"):
        ToCloud().apply(Sample.of({"grid": np.ones((9, 9, 3), np.float32), "landmarks_3d": landmarks}))


def test_too_few_points_are_rejected():
    with pytest.raises(Reject, match="too_few_points") as caught:
        ToCloud(min_points=10**6).apply(face_sample())
    assert caught.value.reason in ToCloud.reasons


def test_per_point_arrays_of_older_points_do_not_survive():
    stale = face_sample().with_arrays(points=np.zeros((3, 3), np.float32), normals=np.zeros((3, 3), np.float32))
    assert "normals" not in ToCloud().apply(stale).arrays


@pytest.mark.parametrize("factor", [0.001, 0.25, 4.0])
def test_a_wrong_unit_is_told_by_the_eyes(factor):
    sample = face_sample()
    wrong = sample.with_arrays(depth=sample.arrays["depth"] * np.float32(factor))
    with pytest.raises(Reject, match=r"implausible_size: eyes .* mm apart: check the depth's unit"):
        ToCloud(min_points=1, crop_radius_mm=5000).apply(wrong)


def test_a_grid_keeps_the_pose_of_a_crop_and_is_refused_once_it_has_points():
    landmarks = np.array([[-30, -30, 700], [30, -30, 700], [0, 0, 700], [-20, 40, 700], [20, 40, 700]], np.float32)
    columns, rows = np.meshgrid(np.arange(-60.0, 60, 2), np.arange(-60.0, 60, 2))
    grid = np.stack([columns, rows, np.full_like(rows, 700)], axis=-1).astype(np.float32)
    roll = np.eye(4)
    roll[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    cloud = ToCloud().apply(Sample.of({"grid": grid, "landmarks_3d": landmarks, "pose": roll}))
    np.testing.assert_array_equal(cloud.arrays["pose"], roll)
    with pytest.raises(Reject, match="points_already"):
        ToCloud().apply(cloud)


def test_landmarks_in_a_picture_that_lies_over_the_grid_are_lifted():
    scan = face_scan(1, 0, rows=90)
    moved = scan.grid - np.float32([0, 0, 700])  # a scanner's depth may lie on both sides of 0
    cloud = ToCloud(keep_colors=True).apply(
        Sample.of({"grid": moved, "grid_color": scan.color, "color": scan.color, "landmarks": scan.landmarks})
    )
    truth = scan.landmarks_3d - np.float32([0, 0, 700])
    assert np.linalg.norm(cloud.arrays["landmarks_3d"] - truth, axis=1).max() < 5.0
    assert len(cloud.arrays["point_colors"]) == len(cloud.arrays["points"])


def test_landmarks_in_a_picture_of_another_size_than_the_grid_are_refused():
    scan = face_scan(1, 0)
    color = np.zeros((100, 80, 3), np.uint8)
    with pytest.raises(Reject, match="not_registered: the photograph is 80x100"):
        ToCloud().apply(Sample.of({"grid": scan.grid, "color": color, "landmarks": scan.landmarks}))


def test_a_whole_scan_of_points_is_cut_to_the_face_with_all_that_belongs_to_points():
    scan = face_scan(0, 0)
    far = scan.points + np.float32([0, 400, 0])
    points = np.concatenate([scan.points, far])
    normals = np.tile(np.float32([0, 0, -1]), (len(points), 1))
    normals[:, 0] = np.arange(len(points))
    colors = np.concatenate([scan.point_colors] * 2)
    whole = Sample.of({"points": points, "normals": normals, "point_colors": colors, "landmarks_3d": scan.landmarks_3d})
    cloud = ToCloud(crop_radius_mm=80, keep_colors=True).apply(whole)
    near = np.flatnonzero(np.linalg.norm(points - scan.landmarks_3d[2], axis=1) <= 80)
    np.testing.assert_array_equal(cloud.arrays["points"], points[near])
    np.testing.assert_array_equal(cloud.arrays["normals"][:, 0], near)
    np.testing.assert_array_equal(cloud.arrays["point_colors"], colors[near])
    assert "point_colors" not in ToCloud().apply(whole).arrays


def test_points_keep_the_pose_that_brought_them_there():
    scan = face_scan(0, 0)
    roll = np.eye(4)
    roll[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    arrays = {"points": scan.points, "landmarks_3d": scan.landmarks_3d}
    np.testing.assert_array_equal(ToCloud().apply(Sample.of(arrays | {"pose": roll})).arrays["pose"], roll)
    np.testing.assert_array_equal(ToCloud().apply(Sample.of(arrays)).arrays["pose"], np.eye(4))


def with_many(sample):
    """Return the sample with the larger sets of landmarks, points of the mean face that are seen."""
    shown = mean_face().points[np.linalg.norm(mean_face().points, axis=1) < 45]
    some = shown[np.linspace(0, len(shown) - 1, 478).astype(int)]
    places = transform(some, head_pose(0.0))
    dense = project(places, INTRINSICS).astype(np.float32)
    return sample.with_arrays(landmarks_dense=dense, landmarks_68=dense[:68].copy()), places


def test_larger_sets_are_lifted_and_one_without_depth_is_nan():
    sample, truth = with_many(face_sample(head_pose(0.0)))
    far = sample.arrays["landmarks_68"].copy()
    far[3] = [-500.0, 40.0]
    cloud = ToCloud().apply(sample.with_arrays(landmarks_68=far))
    found = cloud.arrays["landmarks_dense_3d"]
    assert np.median(np.linalg.norm(found - truth, axis=1)) < 1.5
    assert np.flatnonzero(np.isnan(cloud.arrays["landmarks_68_3d"]).any(axis=1)).tolist() == [3]


def test_larger_sets_follow_into_the_face_frame_and_into_a_crop():
    cloud = ToCloud().apply(
        with_many(face_sample(head_pose(0.0)))[0].with_arrays(vertices=np.zeros((7, 3), np.float32))
    )
    assert "vertices" not in cloud.arrays, "they were in the frame of a pose that is gone"
    cloud = cloud.with_arrays(vertices=cloud.arrays["points"][:7].copy())
    aligned = Align3d().apply(cloud)
    for name in POSITIONS:
        np.testing.assert_allclose(
            aligned.arrays[name], transform(cloud.arrays[name], aligned.arrays["pose"]), atol=1e-3
        )
    boxed = cloud.with_arrays(box=np.array([10, 10, 100, 100], np.float32))
    cropped = CropFace(size_px=64).apply(boxed)
    fit = np.polyfit(cloud.arrays["landmarks"][:, 0], cropped.arrays["landmarks"][:, 0], 1)
    np.testing.assert_allclose(
        np.polyval(fit, cloud.arrays["landmarks_dense"][:, 0]), cropped.arrays["landmarks_dense"][:, 0], atol=1e-2
    )
