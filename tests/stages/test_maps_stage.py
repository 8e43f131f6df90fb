"""Stage `maps`: a metric image of an aligned face."""

import numpy as np
import pytest
from face_scans import face_sample, head_pose
from pydantic import ValidationError

from face3d_data.errors import Reject
from face3d_data.geometry.mean_face import mean_face
from face3d_data.sample import Sample
from face3d_data.stages.align_3d import Align3d
from face3d_data.stages.augment import Augment
from face3d_data.stages.maps import Maps
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.testing.contract import check_stage


@pytest.fixture(scope="module")
def face():
    return Align3d().apply(ToCloud().apply(face_sample(head_pose(10.0), noise_mm=0.3)))


def cell_of(stage, x, y):
    return int((stage.above_mm - y) // stage.cell_mm), int((x + stage.size * stage.cell_mm / 2) // stage.cell_mm)


def test_the_nose_tip_lies_where_the_options_say_and_stands_out(face):
    for options in ({}, {"cell_mm": 1.5, "size": 96, "above_mm": 70.0}):
        stage = Maps(**options)
        made = stage.apply(face)
        image = made.arrays["map"]
        assert image.shape == (4, stage.size, stage.size)
        nose = face.arrays["landmarks_3d"][2]
        row, column = cell_of(stage, *nose[:2])
        assert image[-1, row, column] == 1
        assert image[0, row, column] == pytest.approx(nose[2], abs=1.5)
        near = np.where(image[-1] > 0, image[0], -np.inf)
        top = np.unravel_index(near.argmax(), near.shape)
        assert np.hypot(top[0] - row, top[1] - column) * stage.cell_mm < 8
        assert 0.4 < made.tags["map_seen"] == pytest.approx(image[-1].mean(), abs=1e-4)
        assert made.tags["map_fill"] == "none"
        eye = mean_face().landmarks[0]
        assert image[0][cell_of(stage, *eye[:2])] == pytest.approx(eye[2], abs=4)


def test_normals_point_at_the_viewer_and_agree_with_the_slopes(face):
    slopes, normals = (Maps(channels=kind).apply(face).arrays["map"] for kind in ("slopes", "normals"))
    seen = slopes[-1] > 0
    assert normals.shape[0] == 5
    assert (normals[3][seen] > 0).all()
    assert (-normals[1] / np.where(seen, normals[3], 1))[seen] == pytest.approx(slopes[1][seen], abs=1e-3)
    assert np.array_equal(normals[0], slopes[0])


def test_holes_are_zero_unless_they_are_filled_and_validity_tells_them(face):
    bare, filled = (Maps(fill=fill).apply(face) for fill in ("none", "nearest"))
    hole = bare.arrays["map"][-1] == 0
    assert hole.any()
    assert not bare.arrays["map"][:, hole].any()
    assert np.array_equal(filled.arrays["map"][-1], bare.arrays["map"][-1])
    assert np.array_equal(filled.arrays["map"][:, ~hole], bare.arrays["map"][:, ~hole])
    assert filled.arrays["map"][0][hole].all()
    assert filled.tags["map_fill"] == "nearest"


def test_occlusion_is_the_share_of_labelled_points(face):
    points = face.arrays["points"]
    assert "map_occlusion" not in Maps().apply(face.without("occlusion")).arrays
    labels = np.where(points[:, 1] < -15, 1, 0).astype(np.uint8)
    made = Maps().apply(face.with_arrays(occlusion=labels)).arrays
    share, seen = made["map_occlusion"], made["map"][-1] > 0
    low, high = cell_of(Maps(), 0, -22)[0], cell_of(Maps(), 0, -8)[0]
    assert share[low:][seen[low:]] == pytest.approx(1, abs=1e-5)
    assert share[:high][seen[:high]] == pytest.approx(0, abs=1e-5)
    assert not share[~seen].any()


def test_parts_have_the_share_that_is_seen_and_not_occluded(face):
    bare = Maps().apply(face.without("occlusion")).arrays
    upper, nose, lower, whole = bare["map_parts"]
    assert min(upper, nose, lower, whole) > 0.8
    labels = (face.arrays["points"][:, 1] < 9).astype(np.uint8)
    worn = Maps().apply(face.with_arrays(occlusion=labels)).arrays["map_parts"]
    assert worn[0] == pytest.approx(upper, abs=0.02)
    assert worn[2] < 0.05
    assert 0.4 < worn[1] < 0.75
    assert whole * 0.3 < worn[3] < whole * 0.6
    small = Maps(cell_mm=1.0, size=32, above_mm=200).array_attributes()["map_parts"]
    assert small == {"parts": "upper,nose,lower,whole"}


def test_the_mirrored_face_has_the_mirrored_map(face):
    turn = Augment(mirror_p=1)
    labelled = face.with_arrays(occlusion=(face.arrays["points"][:, 0] > 20).astype(np.uint8))
    there = turn.apply(Maps().apply(labelled)).arrays
    here = Maps().apply(turn.apply(labelled)).arrays
    for name in ("map", "map_occlusion"):
        assert there[name] == pytest.approx(here[name], abs=2e-3)


@pytest.mark.parametrize("options", [{"yaw_deg": 9}, {"jitter_mm": 1}, {"holes": 100, "hole_radius_mm": 25}])
def test_what_moves_points_takes_the_map_away(face, options):
    made = Augment(**options).apply(Maps().apply(face)).arrays
    assert "map" not in made
    assert "points" in made


def test_aligning_again_takes_the_map_away(face):
    assert "map" not in Align3d().apply(Maps().apply(face)).arrays


def cloud(points):
    return Sample.of({"points": np.asarray(points, np.float32), "pose": np.eye(4)})


SPREAD = np.random.default_rng(0).uniform(-60, 60, (4000, 3))


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (np.zeros((0, 3)), "too_little_seen"),
        (SPREAD[:10], "too_little_seen"),
        (SPREAD * [1, 0, 0], "too_little_seen"),
        (SPREAD + 500, "too_little_seen"),
        (SPREAD * [1, 1, 0] + [0, 0, 1e6], "too_little_seen"),
        (SPREAD * [1, 1, 0] + [0, 0, 40], "not_in_face_frame: median height 40 mm"),
        (mean_face().points * [-1, 1, -1], "not_in_face_frame: median height 32 mm"),
        (np.vstack([SPREAD, [[np.nan, 0, 0]]]), "non_finite_points: 1 of 4001"),
    ],
)
def test_what_shows_no_face_is_rejected(points, reason):
    with pytest.raises(Reject, match=reason):
        Maps().apply(cloud(points))


def test_a_plane_and_two_faces_and_huge_cells_are_maps(face):
    flat = Maps().apply(cloud(SPREAD * [1, 1, 0])).arrays["map"]
    assert np.abs(flat[:3]).max() < 1e-5
    points = face.arrays["points"]
    two = face.with_arrays(points=np.vstack([points, points + np.float32([160, 0, -40])]))
    one, both = Maps().apply(face).arrays["map"], Maps().apply(two.without("occlusion")).arrays["map"]
    assert np.array_equal(one[:, :, :50], both[:, :, :50])
    assert Maps(cell_mm=20, size=8).apply(face).arrays["map"].shape == (4, 8, 8)


def test_points_have_to_be_in_the_face_frame_and_options_are_checked():
    assert Maps.frame == "face"
    for bad in ({"cell_mm": 0}, {"size": 4}, {"channels": "depth"}, {"fill": "zero"}, {"sigma_mm": -1}):
        with pytest.raises(ValidationError):
            Maps(**bad)


def test_its_attributes_say_where_cells_lie():
    said = Maps(cell_mm=1.5, size=80, channels="normals").array_attributes()["map"]
    assert said["cell_mm"] == 1.5
    assert (said["left_mm"], said["top_mm"]) == (-60.0, 66.0)
    assert said["channels"] == "height,normal_x,normal_y,normal_z,valid"
    assert said["height_unit"] == "mm"


@pytest.mark.parametrize("options", [{}, {"channels": "normals", "fill": "nearest"}])
def test_it_keeps_the_contract(face, options):
    check_stage(Maps(**options), face)
