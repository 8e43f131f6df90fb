"""Stage `normals`: towards the camera in whatever frame the points are."""

import numpy as np
import pytest
from face_scans import face_sample, head_pose

from face3d_data.errors import Reject
from face3d_data.geometry.align import rotate, transform
from face3d_data.sample import Sample
from face3d_data.stages.normals import Normals
from face3d_data.stages.to_cloud import ToCloud


@pytest.fixture(scope="module")
def scan():
    return ToCloud().apply(face_sample(head_pose(15.0)))


def test_normals_look_at_the_camera_and_curvature_only_if_asked(scan):
    with_normals = Normals().apply(scan)
    rays = with_normals.arrays["points"]
    assert (np.einsum("ij,ij->i", with_normals.arrays["normals"], rays) <= 0).all()
    assert "curvature" not in with_normals.arrays
    assert Normals(curvature=True).apply(scan).arrays["curvature"].shape == (len(rays),)


def test_a_moved_scan_has_moved_normals(scan):
    motion = np.linalg.inv(head_pose(40.0, 15.0))
    turned = scan.with_arrays(points=transform(scan.arrays["points"], motion), pose=motion)
    expected = rotate(Normals().apply(scan).arrays["normals"], motion)
    agreement = np.einsum("ij,ij->i", Normals().apply(turned).arrays["normals"], expected)
    assert np.quantile(agreement, 0.01) > 0.999


def test_too_few_and_non_finite_points_are_rejected():
    with pytest.raises(Reject, match="too_few_points"):
        Normals().apply(Sample.of({"points": np.zeros((2, 3), np.float32)}))
    points = np.ones((9, 3), np.float32)
    points[4, 0] = np.nan
    with pytest.raises(Reject, match="non_finite_points: 1 of 9"):
        Normals().apply(Sample.of({"points": points}))


def test_copies_of_points_are_no_neighbours(scan):
    few = scan.take(np.arange(0, len(scan.arrays["points"]), 40))
    copies = np.random.default_rng(0).integers(0, len(few.arrays["points"]), 3000)
    padded = few.take(np.concatenate([np.arange(len(few.arrays["points"])), copies]))
    normals = Normals().apply(padded).arrays["normals"]
    expected = Normals().apply(few).arrays["normals"]
    assert np.abs(np.einsum("ij,ij->i", normals[: len(expected)], expected)).min() > 0.9999
    np.testing.assert_array_equal(normals[len(expected) :], normals[: len(expected)][copies])
    with pytest.raises(Reject, match="too_few_points: 2 distinct"):
        Normals().apply(Sample.of({"points": np.repeat(np.eye(3, dtype="f4")[:2], 20, axis=0)}))


@pytest.mark.parametrize("nearest_mm", [-50.0, 0.0, 50.0, 300.0])
def test_a_grid_that_begins_anywhere_has_normals_towards_the_viewer(nearest_mm):
    x, y = np.meshgrid(np.arange(-60.0, 60, 2), np.arange(-60.0, 60, 2))
    bowl = np.stack([x, y, nearest_mm + (x**2 + y**2) / 120], axis=-1).reshape(-1, 3).astype(np.float32)
    assert (Normals().apply(Sample.of({"points": bowl})).arrays["normals"][:, 2] < 0).all()
    motion = np.linalg.inv(head_pose(20.0))
    moved = Sample.of({"points": transform(bowl, motion), "pose": motion})
    assert (rotate(Normals().apply(moved).arrays["normals"], np.linalg.inv(motion))[:, 2] < 0).all()
