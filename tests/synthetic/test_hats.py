"""Hats: above the eyebrows, in front of the head, worn by the share that is asked for; landmarks stay in view."""

import numpy as np
import pytest

from face3d_data.readers.synthetic import Synthetic, _face_of
from face3d_data.synthetic.depth_only import depth_capture, model_depth_capture
from face3d_data.synthetic.drawn_hat import DrawnHat, draw_hat
from face3d_data.synthetic.hat import hat_brim, hat_dome
from face3d_data.synthetic.populations import POPULATIONS
from face3d_data.synthetic.scene import CaptureRanges, capture_tags

SIZE = {"width": 320, "height": 240, "noise": False}
HATTED = CaptureRanges(hats=1.0, max_yaw_deg=45)
BARE = CaptureRanges(max_yaw_deg=45)
ROUND = 80 * np.stack([f(*np.mgrid[-1.5:1.5:60j, -3.1:3.1:90j]) for f in (
    lambda up, turn: np.cos(up) * np.sin(turn),
    lambda up, turn: np.sin(up),
    lambda up, turn: np.cos(up) * np.cos(turn),
)], axis=-1).reshape(-1, 3)  # fmt: skip
"""A head that is a ball."""
BROW_Y = 10.0


def made(population, person, capture, ranges):
    if population == "own":
        return depth_capture(4, person, capture, ranges=ranges, **SIZE)
    return model_depth_capture(_face_of(POPULATIONS[population].file), 4, person, capture, ranges=ranges, **SIZE)


@pytest.mark.parametrize("population", ["own", "anny", "ict"])
def test_a_hat_is_in_front_of_the_head_and_above_the_eyes(population):
    for person, capture in ((0, 0), (1, 0), (2, 2)):
        bare, worn = (made(population, person, capture, ranges) for ranges in (BARE, HATTED))
        assert worn["hat"] in ("beanie", "cap")
        assert "hat" not in bare
        for name in ("landmarks", "landmarks_3d", "intrinsics"):
            assert np.array_equal(bare[name], worn[name])
        changed = bare["depth"] != worn["depth"]
        assert changed.sum() > 800
        wall = np.where(bare["depth"] == 0, np.inf, bare["depth"])
        assert (worn["depth"] < wall)[changed].all()
        if capture == 0:  # upright
            assert np.nonzero(changed)[0].max() < worn["landmarks"][:2, 1].min()


@pytest.mark.parametrize("population", ["own", "ict"])
def test_landmarks_stay_in_view(population):
    for person in range(6):
        bare, worn = (made(population, person, 3, ranges) for ranges in (BARE, HATTED))
        columns, rows = np.rint(worn["landmarks"]).astype(int).T
        assert np.array_equal(bare["depth"][rows, columns], worn["depth"][rows, columns])


def test_the_crown_holds_the_head_and_nothing_is_below_the_eyebrows():
    for capture in range(30):
        hat = draw_hat(0, 0, capture, 1.0)
        dome = hat_dome(hat, ROUND, BROW_Y)
        assert dome[..., 1].min() > BROW_Y
        middle = np.array([0.0, BROW_Y + hat.over_brows_mm, 0.0])
        above = dome[:-1][dome[:-1, :, 1] > middle[1] + 5]
        assert np.linalg.norm(above, axis=1).min() > 80
        if hat.kind == "cap":
            brim = hat_brim(hat, dome, BROW_Y, hat.brim_down_deg)
            assert brim[..., 1].min() >= BROW_Y - 1e-9
            assert brim[..., 2].max() - dome[..., 2].max() == pytest.approx(hat.brim_mm, abs=8)


def test_the_share_is_kept_and_a_draw_repeats():
    kinds = [draw_hat(7, person, capture, 0.3).kind for person in range(100) for capture in range(10)]
    assert np.mean([kind != "none" for kind in kinds]) == pytest.approx(0.3, abs=0.05)
    assert abs(kinds.count("cap") - kinds.count("beanie")) < 60
    assert draw_hat(7, 1, 2, 1.0) == draw_hat(7, 1, 2, 0.999999)
    assert draw_hat(7, 1, 2, 0.0) == DrawnHat("none")


def test_a_hat_moves_no_other_draw():
    plain, worn = (capture_tags(3, 0, 5, ranges) for ranges in (BARE, HATTED))
    assert {name: value for name, value in worn.items() if name != "hat"} == plain


def test_the_reader_tags_hats_and_keeps_the_cache_of_captures_without():
    plain = Synthetic(people=2, captures=2, images=False)
    assert "hats" not in plain.parameters()
    assert "hat" not in plain.declared_tags()
    reader = Synthetic(people=2, captures=2, images=False, hats=0.5, width=160, height=120)
    assert reader.parameters()["hats"] == 0.5
    assert {source.tags["hat"] for source in reader.scan()} <= {"none", "beanie", "cap"}
    for source in reader.scan():
        same = reader.load(source, "depth").tobytes()
        if source.tags["hat"] == "none":
            bare = plain.model_copy(update={"width": 160, "height": 120})
            assert bare.load(source, "depth").tobytes() == same


def test_hats_are_for_captures_without_colour():
    with pytest.raises(ValueError, match="hats is for captures without colour alone: set images: false"):
        Synthetic(people=1, hats=0.5)
