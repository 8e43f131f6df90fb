"""The worst mistakes, and faces as pictures."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_sets import image_set, points_set

from face3d_data.shards.read import Dataset
from face3d_training.evaluation.metrics.figure import ScoredPairs
from face3d_training.evaluation.report.face_picture import GROUND, draw_face, picture_fields, relief_of_points
from face3d_training.evaluation.report.mistakes import FacePictures, worst_mistakes

NAMES = ["a", "a", "b", "b", "c"]


def scored(*pairs):
    first, second, scores = (np.array(part) for part in zip(*pairs, strict=True))
    same = np.array([NAMES[i] == NAMES[j] for i, j in zip(first, second, strict=True)])
    return ScoredPairs(first, second, same, scores.astype(float))


def test_the_worst_come_first_and_two_people_once():
    pairs = scored((0, 2, 0.9), (1, 3, 0.8), (0, 4, 0.3), (0, 1, 0.1), (2, 3, 0.7))
    found = worst_mistakes(pairs, NAMES, 0.5)
    accepts = [(one.first, one.second, one.score, one.wrong) for one in found["accept"]]
    assert accepts == [(0, 2, 0.9, True), (0, 4, 0.3, False)]
    rejects = [(one.first, one.second, one.score, one.wrong) for one in found["reject"]]
    assert rejects == [(0, 1, 0.1, True), (2, 3, 0.7, False)]


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.floats(-2, 0)), min_size=1, max_size=30))
def test_every_list_is_sorted_and_of_its_kind(pairs):
    found = worst_mistakes(scored(*pairs), NAMES, None, most=3)
    for kind, sign in (("accept", -1), ("reject", 1)):
        scores = [sign * one.score for one in found[kind]]
        assert scores == sorted(scores)
        assert len(scores) <= 3
        assert all((NAMES[one.first] == NAMES[one.second]) == (kind == "reject") for one in found[kind])
        assert all(one.wrong is None for one in found[kind])
    strangers = [-score for i, j, score in pairs if NAMES[i] != NAMES[j]]
    assert [-one.score for one in found["accept"][:1]] == sorted(strangers)[:1]


def nose(side=40, height_mm=40.0):
    """A flat face, 100 mm wide, with a bump in its middle, in the face's frame."""
    x, y = np.meshgrid(np.linspace(-50, 50, side), np.linspace(-50, 50, side))
    z = height_mm * np.exp(-(x**2 + y**2) / 200)
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)


def test_a_cloud_is_shown_lit_from_above_in_either_frame():
    picture = relief_of_points(nose(), 64)
    assert picture.shape == (64, 64, 3)
    grey = picture.astype(float).mean(axis=2)
    assert grey[24:28, 32].mean() > grey[36:40, 32].mean() + 20  # the slope under the nose is dark
    camera = nose() * (1, -1, -1) + (0, 0, 600)
    assert np.abs(relief_of_points(camera, 64).astype(int) - picture).max() <= 1


def test_where_no_point_is_the_ground_shows():
    points = nose()
    picture = relief_of_points(points[points[:, 0] < 0], 64)
    assert (picture == GROUND).all(axis=2).any()
    hole = points[np.linalg.norm(points[:, :2] - (0, 25), axis=1) > 20]
    assert (relief_of_points(hole, 64)[14:18, 30:34] == GROUND).all()
    assert (relief_of_points(points, 64)[14:18, 30:34] != GROUND).any()


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((2, 3)), np.zeros((5, 3)), np.full((9, 3), np.nan)])
def test_hardly_any_points_make_a_picture_all_the_same(points):
    assert relief_of_points(points, 32).shape == (32, 32, 3)


def test_an_image_keeps_its_colours_and_proportions():
    color = np.zeros((20, 40, 3), np.uint8)
    color[...] = (200, 50, 10)
    picture = draw_face({"color": color}, 80)
    assert (picture[40, 40] == (200, 50, 10)).all()
    assert (picture[5, 40] == GROUND).all()
    depth = np.where(np.indices((20, 20))[0] > 10, 500.0, 0.0)
    assert (draw_face({"depth": depth}, 20)[2, 2] == GROUND).all()
    assert (draw_face({"depth": depth}, 20)[15, 10] != GROUND).all()


def test_the_best_array_there_is_is_drawn():
    assert picture_fields(("depth", "points", "color")) == ("color",)
    assert picture_fields(("depth", "points")) == ("points",)
    assert picture_fields(("landmarks",)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("make", [points_set, image_set])
def test_a_picture_is_that_of_the_row_asked_for(tmp_path, make):
    dataset = make(tmp_path)
    table = Dataset(dataset).table("test")
    part = table.iloc[[5, 2]].reset_index(drop=True)
    faces = FacePictures(dataset, "test", part, 48)
    for row, place in enumerate((5, 2)):
        sample = Dataset(dataset).reader("test")[place]
        assert np.array_equal(faces.picture(row), draw_face(sample, 48))


@pytest.mark.slow
def test_clouds_on_the_unit_sphere_are_turned_the_same_way(tmp_path):
    plain, normal = (points_set(tmp_path / name, normalize=name == "normal") for name in ("plain", "normal"))
    first, second = (FacePictures(one, "test", Dataset(one).table("test"), 48).picture(3) for one in (plain, normal))
    assert np.abs(first.astype(int) - second).mean() < 2


def test_a_map_is_lit_and_its_holes_show_the_ground():
    channels = np.zeros((4, 20, 20), np.float32)
    channels[0], channels[-1, 5:] = np.linspace(-5, 5, 20), 1
    picture = draw_face({"map": channels}, 20)
    assert (picture[:5] == GROUND).all()
    assert (picture[6:] != GROUND).any(axis=2).all()
    assert picture_fields(("map", "depth")) == ("map",)
