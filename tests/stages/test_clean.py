"""Stage `clean`: planted faults go, the face stays, and each step can be turned off."""

import numpy as np
import pytest
from face_scans import face_sample, head_pose
from pydantic import ValidationError

from face3d_data.errors import Reject
from face3d_data.geometry.align import transform
from face3d_data.sample import Sample
from face3d_data.stages.clean import Clean
from face3d_data.stages.to_cloud import ToCloud

OFF = {
    "min_distance_mm": None,
    "max_distance_mm": None,
    "flying_gap_mm": None,
    "outlier_std": None,
    "max_gap_mm": None,
}


@pytest.fixture(scope="module")
def face():
    return ToCloud().apply(face_sample(head_pose(10.0), noise_mm=0.6)).arrays["points"]


def sample_of(*pieces: np.ndarray) -> Sample:
    points = np.vstack(pieces).astype(np.float32)
    return Sample.of(
        {"points": points, "occlusion": np.repeat(np.arange(len(pieces)), [len(p) for p in pieces]).astype("u1")}
    )


def kept_of(cleaned: Sample, piece: int) -> int:
    return int((cleaned.arrays["occlusion"] == piece).sum())


def test_planted_flying_pixels_go_and_the_face_stays(face):
    rim = face[face[:, 0] > np.quantile(face[:, 0], 0.99)]
    stretch = 1 + np.random.default_rng(0).uniform(0.03, 0.3, (len(rim), 1))
    cleaned = Clean().apply(sample_of(face, rim * stretch + [1.0, 0, 0]))
    assert kept_of(cleaned, 0) > 0.97 * len(face)
    assert kept_of(cleaned, 1) < 0.1 * len(rim)


def test_scattered_points_and_loose_pieces_go(face):
    rng = np.random.default_rng(1)
    scattered = face[::200] + rng.normal(0, 1, (len(face[::200]), 3)) * 40
    piece = rng.uniform(-8, 8, (200, 3)) + face.mean(axis=0) + [0, 0, -120]
    cleaned = Clean().apply(sample_of(face, scattered, piece))
    assert kept_of(cleaned, 0) > 0.97 * len(face)
    assert kept_of(cleaned, 1) < 0.2 * len(scattered)
    assert kept_of(cleaned, 2) == 0


def test_range_is_the_distance_to_the_camera_in_any_frame(face):
    far, near, bad = face[:5] + np.array([0, 0, 9000]), face[:5] * 0.01, np.full((2, 3), np.nan)
    camera = sample_of(face, far, near, bad)
    only_range = Clean(**{**OFF, "min_distance_mm": 100, "max_distance_mm": 5000})
    motion = np.linalg.inv(head_pose(30.0, 20.0))
    turned = camera.with_arrays(points=transform(camera.arrays["points"], motion), pose=motion)
    for cleaned in (only_range.apply(camera), only_range.apply(turned)):
        assert cleaned.arrays["occlusion"].tolist() == [0] * len(face)


def test_with_everything_off_only_what_is_not_finite_goes(face):
    cleaned = Clean(**OFF).apply(sample_of(face * 100, np.full((3, 3), np.inf)))
    np.testing.assert_array_equal(cleaned.arrays["points"], face * np.float32(100))


@pytest.mark.parametrize(("option", "value"), [("flying_gap_mm", 6.0), ("outlier_std", 3.0), ("max_gap_mm", 8.0)])
def test_each_step_works_alone(face, option, value):
    curtain = np.stack(
        [np.full(60, 90.0), np.linspace(-60, 60, 60), np.random.default_rng(2).uniform(700, 1600, 60)], 1
    )
    cleaned = Clean(**{**OFF, option: value}).apply(sample_of(face, curtain))
    assert kept_of(cleaned, 1) < 40
    assert kept_of(cleaned, 0) > 0.97 * len(face)


def test_too_few_points_left_are_rejected(face):
    range_ = "0 from min_distance_mm to max_distance_mm"
    with pytest.raises(Reject, match=f"too_few_points: 0 of {len(face)} left, {range_}, 500 needed"):
        Clean(max_distance_mm=200).apply(sample_of(face))
    with pytest.raises(Reject, match="too_few_points"):
        Clean().apply(Sample.of({"points": np.zeros((0, 3), np.float32)}))


def test_an_impossible_range_is_refused():
    with pytest.raises(ValidationError, match="must be less than"):
        Clean(min_distance_mm=600, max_distance_mm=500)


def test_far_away_and_coarse_scans_are_not_all_gaps():
    """At 2.5 m the pixels of a VGA camera lie 4 mm apart: no further apart than a far face's surface is."""
    x, y = np.meshgrid(np.arange(-70.0, 70, 4), np.arange(-90.0, 90, 4))
    z = 2500 + (x**2 + y**2) / 100
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
    assert len(Clean(min_points=1).apply(Sample.of({"points": points})).arrays["points"]) > 0.9 * len(points)


@pytest.mark.parametrize("yaw_deg", [0.0, 40.0])
def test_of_a_face_in_steps_of_8_mm_no_more_is_lost_than_of_one_in_fine_steps(yaw_deg):
    """Layers of equal depth lie a step apart, which is more than the gaps of a face in fine steps."""
    sample = face_sample(head_pose(yaw_deg))
    fine = ToCloud().apply(sample)
    kept = len(Clean().apply(fine).arrays["points"]) / len(fine.arrays["points"])
    coarse = ToCloud().apply(sample.with_arrays(depth=np.round(sample.arrays["depth"] / 8) * np.float32(8)))
    motion = np.linalg.inv(head_pose(30.0, 20.0))
    turned = coarse.with_arrays(points=transform(coarse.arrays["points"], motion), pose=motion)
    for given in (coarse, turned):
        assert len(Clean().apply(given).arrays["points"]) >= kept * len(coarse.arrays["points"])


def test_coarse_depth_lets_no_loose_piece_through(face):
    coarse = face.copy()
    coarse[:, 2] = np.round(face[:, 2] / 8) * 8
    piece = coarse[:300] + np.float32([0, 0, -120])
    cleaned = Clean().apply(sample_of(coarse, piece))
    assert (kept_of(cleaned, 0) > 0.97 * len(face), kept_of(cleaned, 1)) == (True, 0)
