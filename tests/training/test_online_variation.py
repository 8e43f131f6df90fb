"""What is drawn anew each time: keyed by seed, epoch, copy and sample, and by nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_sets import image_set, points_set

from face3d_data.errors import UserError
from face3d_training.config import TrainConfig
from face3d_training.data import FaceRows
from face3d_training.variation import Variation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sets")
    points_set(made, n_points=256)
    image_set(made)
    image_set(made, depth=True)
    return made


def rows_of(path, inputs="points", seed=0, **options):
    config = TrainConfig(seed=seed, **options)
    return FaceRows(path, "train", config.data, inputs, config.data.where, Variation.of(config), config.seed)


def batch_of(rows, draws=None):
    return rows.__getitems__([(i, 0, 0) for i in range(len(rows))] if draws is None else draws)


def same(first, second):
    return all(np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first)


@pytest.fixture(scope="module")
def turned(folder):
    augment = {"yaw_deg": 10, "jitter_mm": 0.5, "translation_mm": 3, "dropout": 0.3}
    return rows_of(folder / "points", augment=augment, data={"choose_points": "random", "n_points": 100})


draws = st.lists(st.tuples(st.integers(0, 63), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=8)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(draws=draws, order=st.randoms(use_true_random=False))
def test_a_sample_does_not_depend_on_its_batch(turned, draws, order):
    batch = batch_of(turned, draws)
    places = list(range(len(draws)))
    order.shuffle(places)
    again = batch_of(turned, [draws[i] for i in places])
    assert same({name: array[places] for name, array in batch.items()}, again)
    alone = batch_of(turned, draws[:1])
    assert same({name: array[:1] for name, array in batch.items()}, alone)


@pytest.mark.slow
def test_seed_epoch_copy_and_sample_each_draw_anew(folder, turned):
    first, epoch, copy, other = batch_of(turned, [(0, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0)])["inputs"]
    options = {"augment": {"yaw_deg": 10}, "data": {"n_points": 100}}
    by_seed = [batch_of(rows_of(folder / "points", seed=seed, **options))["inputs"][0] for seed in (0, 1)]
    assert not np.array_equal(first, epoch)
    assert not np.array_equal(first, copy)
    assert not np.array_equal(first, other)
    assert not np.array_equal(*by_seed)
    assert not np.array_equal(epoch, copy)


@pytest.mark.slow
def test_a_query_moves_no_draw(folder, turned):
    some = rows_of(
        folder / "points",
        augment={"yaw_deg": 10, "jitter_mm": 0.5, "translation_mm": 3, "dropout": 0.3},
        data={"choose_points": "random", "n_points": 100, "where": "identity == 'tiny/p03'"},
    )
    place = turned.table["sample_id"].tolist().index(some.table["sample_id"][2])
    np.testing.assert_array_equal(batch_of(some, [(2, 4, 0)])["inputs"], batch_of(turned, [(place, 4, 0)])["inputs"])


@pytest.mark.slow
def test_without_a_variation_the_first_points_are_taken(folder):
    config = TrainConfig(data={"choose_points": "random", "n_points": 100})
    rows = FaceRows(folder / "points", "train", config.data, "points")
    whole = FaceRows(folder / "points", "train", TrainConfig().data, "points")
    np.testing.assert_array_equal(batch_of(rows)["inputs"], batch_of(whole)["inputs"][:, :100])


@pytest.mark.slow
def test_training_knows_no_views(folder):
    data = {"n_points": 100}
    for augment in ({}, {"yaw_deg": 5}):
        once, viewed = (
            batch_of(rows_of(folder / "points", augment=augment, data={**data, "views": views}), [(3, 0, 0), (4, 1, 1)])
            for views in (1, 2)
        )
        assert same(once, viewed)


@pytest.mark.slow
def test_views_go_by_sample(folder):
    config = TrainConfig(data={"n_points": 100, "views": 2, "fields": ["points", "normals"]})
    rows = FaceRows(folder / "points", "train", config.data, "points")
    whole = batch_of(rows_of(folder / "points", data={"fields": ["points", "normals"]}), [(3, 0, 0), (4, 0, 0)])
    got = batch_of(rows, [(3, 0, 1), (4, 0, 0), (4, 0, 2)])["inputs"]
    np.testing.assert_array_equal(got[0], whole["inputs"][0, 1:200:2])
    np.testing.assert_array_equal(got[1], whole["inputs"][1, :200:2])
    np.testing.assert_array_equal(got[2], got[1])


@pytest.mark.slow
def test_random_points_are_others_each_time_and_none_twice(folder):
    rows = rows_of(
        folder / "points", data={"choose_points": "random", "n_points": 100, "fields": ["points", "normals"]}
    )
    whole = batch_of(rows_of(folder / "points", data={"fields": ["points", "normals"]}), [(7, 0, 0)])["inputs"][0]
    known = {row.tobytes() for row in whole}
    chosen = [
        {row.tobytes() for row in cloud} for cloud in batch_of(rows, [(7, epoch, 0) for epoch in range(20)])["inputs"]
    ]
    assert all(len(rows) == 100 and rows <= known for rows in chosen)
    assert len(set().union(*chosen)) == 256


@pytest.mark.slow
def test_augmentation_moves_points_by_what_was_asked_for(folder):
    plain = batch_of(rows_of(folder / "points"))["inputs"]
    moved = batch_of(rows_of(folder / "points", augment={"translation_mm": 4}))["inputs"] - plain
    np.testing.assert_allclose(moved, np.broadcast_to(moved[:, :1], moved.shape), atol=1e-5)
    assert 0.03 < np.abs(moved).max() <= 0.0401
    turned = batch_of(rows_of(folder / "points", augment={"yaw_deg": 20}, data={"fields": ["points", "normals"]}))
    points, normals = turned["inputs"][..., :3], turned["inputs"][..., 3:]
    np.testing.assert_allclose(np.linalg.norm(points, axis=2), np.linalg.norm(plain, axis=2), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1, atol=1e-5)
    assert not np.allclose(points, plain, atol=0.01)


@pytest.mark.slow
def test_lost_points_are_filled_up_with_those_that_are_left(folder):
    plain = batch_of(rows_of(folder / "points"))["inputs"]
    rows = rows_of(folder / "points", augment={"dropout": 0.6})
    got = batch_of(rows)["inputs"]
    assert got.shape == plain.shape
    distinct = []
    for before, after in zip(plain, got, strict=True):
        left = np.unique(after, axis=0)
        distinct.append(len(left))
        assert {row.tobytes() for row in left} <= {row.tobytes() for row in before}
    assert min(distinct) < 200
    assert max(distinct) > 200


@pytest.mark.slow
def test_all_points_lost_is_told(folder):
    with pytest.raises(UserError, match=r"augment: nothing is left of tiny/p0\d"):
        batch_of(rows_of(folder / "points", augment={"holes": 30, "hole_radius_mm": 200}))


@pytest.mark.slow
def test_photographs_are_flipped_and_recoloured(folder):
    data = {"fields": ["color"]}
    plain = batch_of(rows_of(folder / "rgb", "image", data=data))["inputs"]
    flipped = batch_of(rows_of(folder / "rgb", "image", data=data, augment={"flip_p": 1.0}))["inputs"]
    np.testing.assert_array_equal(flipped, plain[..., ::-1])
    brighter = batch_of(rows_of(folder / "rgb", "image", data=data, augment={"brightness": 0.4}))["inputs"]
    ratio = brighter.mean(axis=(1, 2, 3)) / plain.mean(axis=(1, 2, 3))
    assert ratio.std() > 0.05
    assert (np.abs(ratio - 1) < 0.41).all()


@pytest.mark.slow
def test_an_image_of_a_capture_with_depth_is_a_photograph_where_depth_is_not_looked_at(folder):
    data = {"fields": ["color"]}
    plain = batch_of(rows_of(folder / "rgbd", "image", data=data))["inputs"]
    flipped = batch_of(rows_of(folder / "rgbd", "image", data=data, augment={"flip_p": 1.0}))["inputs"]
    np.testing.assert_array_equal(flipped, plain[..., ::-1])


@pytest.mark.slow
def test_erasing_takes_colour_and_depth(folder):
    data = {"fields": ["color", "depth"]}
    augment = {"erase_p": 1.0, "erase_area": 0.3, "erase_depth": True}
    plain = batch_of(rows_of(folder / "rgbd", "image", data=data))["inputs"]
    erased = batch_of(rows_of(folder / "rgbd", "image", data=data, augment=augment))["inputs"]
    lost = (plain[:, 3] != 0) & (erased[:, 3] == 0)
    assert lost.any(axis=(1, 2)).mean() > 0.9
    assert (plain[:, :3] != erased[:, :3]).any(axis=(1, 2, 3)).all()


@pytest.fixture(scope="module")
def wearing(folder):
    return rows_of(folder / "points", masks={"share": 1.0}, data={"n_points": 200})


@pytest.mark.slow
def test_a_mask_covers_the_lower_face_of_plain_samples_alone(folder, wearing):
    places = [*np.flatnonzero(~wearing.masked)[:6], *np.flatnonzero(wearing.masked)[:3]]
    draws = [(int(i), 0, 0) for i in places]
    batch = batch_of(wearing, draws)
    plain = batch_of(rows_of(folder / "points", data={"n_points": 256}), draws)
    worn = batch["masked"][:6] & ~batch["mask_refused"][:6]
    assert worn.all()
    assert ((batch["visible_ratio"][:6] > 0.2) & (batch["visible_ratio"][:6] < 0.8)).all()
    np.testing.assert_array_equal(batch["inputs"][6:], plain["inputs"][6:, :200])
    np.testing.assert_array_equal(batch["visible_ratio"][6:], plain["visible_ratio"][6:])
    assert batch["masked"][6:].all()
    assert not plain["masked"][:6].any()
    for before, after in zip(plain["inputs"][:6], batch["inputs"][:6], strict=True):
        new = np.array([row for row in after if row.tobytes() not in {kept.tobytes() for kept in before}])
        assert len(new) > 30
        assert np.median(new[:, 1]) < np.median(before[:, 1])
        assert len(np.unique(after, axis=0)) == 200


@pytest.mark.slow
def test_masks_are_drawn_anew_and_as_often_as_asked_for(folder):
    rows = rows_of(folder / "points", masks={"share": 0.4, "styles": ["surgical"]}, data={"n_points": 256})
    place = int(np.flatnonzero(~rows.masked)[0])
    drawn = batch_of(rows, [(place, epoch, 0) for epoch in range(40)])
    assert 6 <= drawn["masked"].sum() <= 26
    assert not drawn["mask_refused"].any()
    clouds = drawn["inputs"][drawn["masked"]]
    assert len(np.unique(clouds.reshape(len(clouds), -1), axis=0)) == len(clouds)
    again = batch_of(rows, [(place, epoch, 0) for epoch in range(40)])
    assert same(drawn, again)


@pytest.mark.slow
def test_augmentation_moves_no_mask_and_masks_no_augmentation(folder):
    masks, augment = {"share": 0.5}, {"translation_mm": 5}
    both, masked, moved, plain = (
        batch_of(rows_of(folder / "points", **options), [(i, 2, 0) for i in range(12)])
        for options in ({"masks": masks, "augment": augment}, {"masks": masks}, {"augment": augment}, {})
    )
    np.testing.assert_array_equal(both["masked"], masked["masked"])
    assert masked["masked"].any()
    shift = (moved["inputs"] - plain["inputs"])[:, :1]
    bare = ~masked["masked"]
    np.testing.assert_array_equal(both["inputs"][bare], moved["inputs"][bare])
    centre = both["inputs"].mean(axis=1, keepdims=True) - masked["inputs"].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centre, shift, atol=0.02)


@pytest.mark.slow
def test_faces_that_cannot_wear_a_mask_stay_plain_and_are_counted(tmp_path):
    rows = rows_of(points_set(tmp_path, n_points=64), masks={"share": 1.0}, data={"plain_ratio": "whole"})
    batch = batch_of(rows)
    np.testing.assert_array_equal(batch["mask_refused"], ~rows.masked)
    np.testing.assert_array_equal(batch["masked"], rows.masked)
    assert (batch["visible_ratio"][~rows.masked] == 1).all()


@pytest.mark.slow
def test_masks_on_photographs_and_on_depth(folder):
    for name, fields in (("rgb", ["color"]), ("rgbd", ["color", "depth"])):
        options = {"data": {"fields": fields}}
        plain = batch_of(rows_of(folder / name, "image", **options), [(0, 0, 0), (1, 0, 0)])
        worn = batch_of(rows_of(folder / name, "image", masks={"share": 1.0}, **options), [(0, 0, 0), (1, 0, 0)])
        assert worn["masked"].all(), name
        assert (worn["visible_ratio"] < 0.9).all()
        changed = (plain["inputs"] != worn["inputs"])[:, :3].any(axis=1)
        assert changed[:, 16:].sum() > 20 * changed[:, :10].sum()
        if name == "rgbd":
            assert (plain["inputs"][:, 3] != worn["inputs"][:, 3]).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "inputs", "options", "message"),
    [
        ("points", "points", {"augment": {"blur_px": 2}}, "augment.blur_px: does nothing to an input of points"),
        (
            "rgbd",
            "image",
            {"augment": {"flip_p": 0.5}, "data": {"fields": ["color", "depth"]}},
            "augment.flip_p: does no",
        ),
        ("points", "points", {"augment": {"mirror_p": 0.5}}, "augment.mirror_p: makes another person"),
        ("points", "points", {"augment": {"yaw": 5}}, "unknown option 'yaw'"),
        ("points", "points", {"augment": {"yaw_deg": -5}}, "augmentation .rotation.: .*yaw_deg"),
        (
            "points",
            "points",
            {"masks": {"share": 0.5, "styles": ["surgicl"]}},
            "masks.styles: 'surgicl' is not one of .*surgical",
        ),
    ],
)
def test_what_has_nothing_to_work_on_is_told(folder, name, inputs, options, message):
    with pytest.raises(UserError, match=message) as raised:
        rows_of(folder / name, inputs, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_masks_need_to_know_where_the_face_is(tmp_path):
    clouds, images = points_set(tmp_path, fields=["points"]), image_set(tmp_path, depth=True, fields=["color", "depth"])
    masks = {"share": 0.5}
    with pytest.raises(UserError, match=r"masks.share: .* must hold landmarks_3d too"):
        rows_of(clouds, masks=masks)
    with pytest.raises(UserError, match=r"masks.share: .* must hold intrinsics, landmarks too"):
        rows_of(images, "image", masks=masks, data={"fields": ["color", "depth"]})
