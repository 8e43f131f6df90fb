"""What a capture promises: the same bytes always, exact landmarks, a plausible camera."""

import numpy as np
import pytest

from face3d_data.geometry.align import fit_rigid
from face3d_data.sample import check_array
from face3d_data.synthetic.capture import render_capture
from face3d_data.synthetic.scene import camera_for, capture_tags, rotation

ARRAYS = ("color", "depth", "intrinsics", "landmarks", "landmarks_3d", "box")
SMALL = {"width": 320, "height": 240}


def small(person, capture, seed=5, **options):
    return render_capture(seed, person, capture, **SMALL, **options)


CAPTURES = {(person, capture): small(person, capture) for person in (0, 1) for capture in (0, 1, 2)}


@pytest.mark.slow
def test_the_same_bytes_in_any_order():
    for person, capture in reversed(list(CAPTURES)):
        again = small(person, capture)
        for name in ARRAYS:
            assert again[name].tobytes() == CAPTURES[person, capture][name].tobytes(), (name, person, capture)


def test_arrays_are_as_declared():
    for made in CAPTURES.values():
        for name in ARRAYS:
            check_array(name, made[name])
        assert made["color"].shape == (240, 320, 3)


def test_pixel_landmarks_are_the_projected_landmarks():
    for made in CAPTURES.values():
        fx, fy, cx, cy = made["intrinsics"]
        x, y, z = made["landmarks_3d"].T
        assert np.abs(np.stack([fx * x / z + cx, fy * y / z + cy], axis=1) - made["landmarks"]).max() < 0.01


@pytest.mark.parametrize(("person", "capture"), CAPTURES)
def test_true_depth_at_the_nose_and_the_eyes_is_the_landmarks(person, capture):
    made = small(person, capture, noise=False)
    for index in (0, 1, 2):
        u, v = np.rint(made["landmarks"][index]).astype(int)
        assert made["depth"][v, u] == pytest.approx(made["landmarks_3d"][index, 2], abs=2.5)


@pytest.mark.slow
def test_sensed_depth_stays_near_the_true_depth():
    for (person, capture), made in CAPTURES.items():
        true = small(person, capture, noise=False)["depth"]
        x1, y1, x2, y2 = made["box"].astype(int)
        both = (made["depth"] > 0) & (true > 0)
        both[:y1], both[y2:], both[:, :x1], both[:, x2:] = False, False, False, False
        off = (made["depth"] - true)[both]
        assert both.sum() > 500
        assert abs(np.median(off)) < 0.6
        assert 0.3 < np.percentile(np.abs(off), 50) < 4.0


def test_landmarks_stand_in_the_declared_order_inside_the_box():
    for made in CAPTURES.values():
        left_eye, right_eye, nose, left_mouth, right_mouth = made["landmarks"]
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < max(left_mouth[1], right_mouth[1])
        assert (made["landmarks"] > made["box"][:2]).all()
        assert (made["landmarks"] < made["box"][2:]).all()


def test_capture_zero_is_near_frontal_and_neutral_and_the_rest_within_limits():
    for person in range(40):
        first = capture_tags(9, person, 0)
        assert first["expression"] == "neutral"
        assert max(abs(first[f"{axis}_deg"]) for axis in ("yaw", "pitch", "roll")) <= 3
        for capture in (1, 2, 3):
            tags = capture_tags(9, person, capture)
            assert max(abs(tags[f"{axis}_deg"]) for axis in ("yaw", "pitch", "roll")) <= 20
            assert 500 <= tags["distance_mm"] <= 800


def test_tags_without_rendering_are_those_of_the_rendered_capture():
    for (person, capture), made in CAPTURES.items():
        tags = capture_tags(5, person, capture)
        assert {name: made[name] for name in tags} == tags


def test_landmarks_turn_by_the_tagged_pose():
    tags = capture_tags(5, 0, 1)
    flip = np.diag([1.0, -1.0, -1.0])
    rigid = [0, 1, 2]  # the mouth's corners move with the expression
    first, second = (CAPTURES[0, capture]["landmarks_3d"][rigid] @ flip for capture in (0, 1))
    start = capture_tags(5, 0, 0)
    turned = fit_rigid(first, second)[:3, :3]
    expected = rotation(*(tags[f"{axis}_deg"] for axis in ("yaw", "pitch", "roll")))
    expected = expected @ rotation(*(start[f"{axis}_deg"] for axis in ("yaw", "pitch", "roll"))).T
    assert np.rad2deg(np.arccos(np.clip((np.trace(turned.T @ expected) - 1) / 2, -1, 1))) < 1.5


def test_every_fourth_person_has_a_wall_behind():
    assert (CAPTURES[0, 0]["depth"][:, 310] > 850).mean() > 0.9
    assert not CAPTURES[1, 0]["depth"][:20].any()


def test_people_differ_more_than_captures_do_in_the_eyes_distance():
    def eyes(made):
        return np.linalg.norm(made["landmarks_3d"][0] - made["landmarks_3d"][1])

    same = [eyes(CAPTURES[0, capture]) for capture in (0, 1, 2)]
    assert np.ptp(same) < 0.2
    assert abs(eyes(CAPTURES[1, 0]) - same[0]) > 0.3


def test_the_field_of_view_does_not_hang_on_the_size():
    assert camera_for(640, 480).fx / 640 == camera_for(160, 120).fx / 160
    assert camera_for(640, 480).cx == 319.5


def test_the_generator_gives_what_its_version_gave():
    """If this fails, the generator changed: raise `Synthetic.version` and set the figures below anew."""
    made = CAPTURES[0, 1]
    golden = GOLDEN_LANDMARKS
    assert np.abs(made["landmarks"] - golden).max() < 0.05, made["landmarks"].round(3).tolist()
    face = made["depth"][(made["depth"] > 0) & (made["depth"] < 850)]
    figures = (float(np.median(face)), *made["color"].reshape(-1, 3).mean(axis=0))
    assert np.allclose(figures, GOLDEN_FIGURES, atol=1.0), np.round(figures, 2).tolist()


GOLDEN_LANDMARKS = np.array([[166.92, 104.61], [190.69, 101.26], [175.95, 113.25], [170.64, 129.72], [190.6, 127.54]])
GOLDEN_FIGURES = (757.0, 189.5, 195.5, 163.7)
