"""Rows of a split as a network gets them: exact values, who is masked, and what is refused."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_sets import image_rows, image_set, point_rows, points_set, publish

from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset, ShardReader
from face3d_training.config import DataConfig
from face3d_training.data import FaceRows
from face3d_training.images import centred_depth, resized_depth
from face3d_training.split_table import ratio_labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sets")
    points_set(made)
    image_set(made)
    image_set(made, depth=True)
    return made


def rows_of(path, inputs="points", split="train", where=None, **config):
    return FaceRows(path, split, DataConfig(**config), inputs, where)


def batch_of(rows, places=None):
    return rows.__getitems__([(i, 0, 0) for i in (range(len(rows)) if places is None else places)])


def stored(path, field, split="train"):
    reader = ShardReader(path, split, [field])
    return reader.__getitems__(list(range(len(reader)))).arrays[field]


@pytest.mark.slow
def test_points_are_the_first_in_units_of_a_hundred_mm(folder):
    rows = rows_of(folder / "points", n_points=50)
    batch = batch_of(rows, [5, 3, 5])
    np.testing.assert_array_equal(
        batch["inputs"], stored(folder / "points", "points")[[5, 3, 5], :50] / np.float32(100)
    )
    assert batch["inputs"].dtype == np.float32
    assert batch["inputs"].flags.c_contiguous
    assert batch["index"].tolist() == [5, 3, 5]
    np.testing.assert_array_equal(batch["label"], rows.labels[[5, 3, 5]])
    assert rows.channels == 3


@pytest.mark.slow
def test_labels_count_the_people_of_the_table_alone(folder):
    rows = rows_of(folder / "points", split="test")
    assert rows.identities == [f"tiny/p{i}" for i in range(12, 16)]
    assert sorted(set(rows.labels.tolist())) == [0, 1, 2, 3]
    assert [rows.identities[label] for label in rows.labels] == rows.table["identity"].tolist()
    assert rows.labels.dtype == np.int64


@pytest.mark.slow
def test_a_query_keeps_its_rows_and_their_arrays(folder):
    rows = rows_of(folder / "points", where="mask == 'none' and identity != 'tiny/p00'")
    assert len(rows) == 28
    assert rows.table.index.tolist() == list(range(28))
    assert rows.identities[0] == "tiny/p01"
    place = Dataset(folder / "points").table("train")["sample_id"].tolist().index(rows.table["sample_id"][20])
    got = batch_of(rows, [20])["inputs"][0]
    np.testing.assert_array_equal(got, stored(folder / "points", "points")[place] / np.float32(100))


@pytest.mark.slow
def test_masks_and_visible_shares_are_told(folder):
    rows = rows_of(folder / "points")
    assert rows.masked.tolist() == (rows.table["mask"] == "surgical").tolist()
    assert (rows.visible_ratio[~rows.masked] == 1).all()
    wearing = rows.table.loc[rows.masked, "visible_ratio"].to_numpy(np.float32)
    np.testing.assert_array_equal(rows.visible_ratio[rows.masked], wearing)
    batch = batch_of(rows)
    np.testing.assert_array_equal(batch["masked"], rows.masked)
    of_masked = dict(zip(rows.table.loc[rows.masked, "origin_id"], wearing, strict=True))
    np.testing.assert_array_equal(batch["visible_ratio"], [of_masked[one] for one in rows.table["origin_id"]])
    whole = batch_of(rows_of(folder / "points", plain_ratio="whole"))
    np.testing.assert_array_equal(whole["visible_ratio"], rows.visible_ratio)
    batch["masked"][:], batch["visible_ratio"][:], batch["label"][:] = False, 0, 9
    assert rows.masked.any()
    assert rows.visible_ratio.all()
    assert rows.labels.max() < 9


def test_a_plain_face_is_labelled_with_the_mean_of_its_masked_variants():
    rows = [("a/1", "none", None), ("a/1", "surgical", 0.5), ("a/1", "n95", 0.7), ("a/2", "none", None)]
    rows += [("b/1", "none", 0.8), ("b/1", "n95", 0.4), ("c/1", "none", ""), ("c/1", "n95", None)]
    columns = dict(zip(("origin_id", "mask", "visible_ratio"), zip(*rows, strict=True), strict=True))
    table = pd.DataFrame({**columns, "variant": "plain"})
    nan = np.nan
    found = ratio_labels(table, "as_masked")
    np.testing.assert_allclose(found, [0.6, 0.5, 0.7, nan, 0.8, 0.4, nan, nan], atol=1e-6)
    np.testing.assert_allclose(ratio_labels(table, "whole"), [1, 0.5, 0.7, 1, 0.8, 0.4, 1, nan], atol=1e-6)
    assert ratio_labels(table[:0], "as_masked").shape == (0,)


def test_without_tags_the_variant_tells_masks_and_nothing_tells_shares(tmp_path):
    made = [(*row[:4], {}) for row in point_rows(16, masked=True)]
    path = publish(tmp_path, "untold", made, gallery=None, probe=None)
    rows = rows_of(path)
    assert rows.masked.tolist() == rows.table["variant"].str.startswith("mask:").tolist()
    assert rows.masked.any()
    assert np.isnan(rows.visible_ratio).all()


@pytest.mark.slow
def test_points_stored_on_the_unit_sphere_come_back_in_mm(folder, tmp_path):
    normalized, plain = points_set(tmp_path, normalize=True), folder / "points"
    order = rows_of(normalized).table["sample_id"].tolist()
    assert order == rows_of(plain).table["sample_id"].tolist()
    np.testing.assert_allclose(batch_of(rows_of(normalized))["inputs"], batch_of(rows_of(plain))["inputs"], atol=1e-6)
    of_either = [batch_of(rows_of(path, normalize="unit_sphere"))["inputs"] for path in (normalized, plain)]
    np.testing.assert_allclose(*of_either, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(of_either[0], axis=2).max(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(of_either[0].mean(axis=1), 0, atol=1e-6)


@pytest.mark.slow
def test_half_precision_shards_are_read_as_float32(folder, tmp_path):
    got = batch_of(rows_of(points_set(tmp_path, dtype="float16"), fields=("points", "normals")))["inputs"]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[..., :3], batch_of(rows_of(folder / "points"))["inputs"], atol=1e-3)


def test_channels_stand_in_the_order_of_the_fields(tmp_path):
    made = []
    for number, row in enumerate(point_rows(16, masked=False)):
        colors = np.random.default_rng(number).integers(0, 256, (16, 3)).astype(np.uint8)
        made.append((*row[:3], {**row[3], "point_colors": colors}, row[4]))
    path = publish(tmp_path, "coloured", made)
    rows = rows_of(path, fields=("points", "point_colors", "normals"))
    got = batch_of(rows)["inputs"]
    assert rows.channels == got.shape[2] == 9
    np.testing.assert_array_equal(got[..., 3:6], stored(path, "point_colors") / np.float32(255))
    np.testing.assert_array_equal(got[..., 6:], stored(path, "normals"))


@pytest.mark.slow
def test_colour_runs_from_0_to_1_and_is_normalized_by_channel(folder):
    color = stored(folder / "rgb", "color").transpose(0, 3, 1, 2) / np.float32(255)
    np.testing.assert_array_equal(batch_of(rows_of(folder / "rgb", "image", fields=("color",)))["inputs"], color)
    options = {"fields": ("color",), "channel_mean": (0.5, 0.25, 0.0), "channel_std": (0.5, 2.0, 4.0)}
    got = batch_of(rows_of(folder / "rgb", "image", **options))["inputs"]
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in ((0.5, 0.25, 0), (0.5, 2, 4)))
    np.testing.assert_array_equal(got, (color - mean) / std)
    halved = {**options, "channel_mean": ()}
    np.testing.assert_array_equal(batch_of(rows_of(folder / "rgb", "image", **halved))["inputs"], color / std)


def naive_depth(depth, scale_mm):
    height, width = depth.shape
    rows, columns = range(height // 4, height - height // 4), range(width // 4, width - width // 4)
    middle = sorted(float(depth[i, j]) for i in rows for j in columns if depth[i, j] > 0)
    half = len(middle) // 2
    face = middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
    out = np.zeros(depth.shape)
    for i in range(height):
        for j in range(width):
            if depth[i, j] > 0:
                out[i, j] = min(max((float(depth[i, j]) - face) / scale_mm, -3), 3)
    return out


@pytest.mark.slow
def test_depth_is_told_from_the_face(folder):
    rows = rows_of(folder / "rgbd", "image", fields=("color", "depth"), depth_scale_mm=50.0)
    got, depth = batch_of(rows)["inputs"], stored(folder / "rgbd", "depth")
    assert got.shape == (32, 4, 32, 32)
    assert rows.channels == 4
    np.testing.assert_allclose(got[:, 3], [naive_depth(image, 50.0) for image in depth], atol=1e-5)
    assert (got[:, 3][depth == 0] == 0).all()
    assert batch_of(rows_of(folder / "rgbd", "image", fields=("depth",)))["inputs"].shape == (32, 1, 32, 32)
    swapped = batch_of(rows_of(folder / "rgbd", "image", fields=("depth", "color"), depth_scale_mm=50.0))["inputs"]
    np.testing.assert_array_equal(swapped[:, 0], got[:, 3])
    np.testing.assert_array_equal(swapped[:, 1:], got[:, :3])


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (np.zeros((8, 8)), np.zeros((8, 8))),
        (np.pad([[500.0]], ((0, 7), (0, 7))), np.zeros((8, 8))),
        (np.full((8, 8), 600.0) + np.eye(8) * 100, np.eye(8)),
        (np.full((8, 8), 600.0) + np.eye(8) * 9000, np.eye(8) * 3),
    ],
    ids=["no reading", "none in the middle", "a diagonal behind", "a wall"],
)
def test_depth_of_little_reading(depth, expected):
    np.testing.assert_allclose(centred_depth(depth.astype(np.float32), 100.0), expected, atol=1e-6)


@pytest.mark.slow
def test_images_are_resized_and_holes_stay_holes(folder):
    rows = rows_of(folder / "rgbd", "image", fields=("color", "depth"), image_size_px=16)
    got, depth = batch_of(rows)["inputs"], stored(folder / "rgbd", "depth")
    means = stored(folder / "rgbd", "color").reshape(-1, 16, 2, 16, 2, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(got[:, :3], means, atol=0.51 / 255)
    nearest = depth[:, 1::2, 1::2]
    np.testing.assert_array_equal([resized_depth(image, (16, 16)) for image in depth], nearest)
    assert ((got[:, 3] == 0) >= (nearest == 0)).all()
    larger = batch_of(rows_of(folder / "rgbd", "image", fields=("color",), image_size_px=64))["inputs"]
    assert larger.shape == (32, 3, 64, 64)
    assert larger.min() >= 0
    assert larger.max() <= 1


@pytest.mark.slow
def test_tensors_share_the_arrays_memory(folder):
    batch = batch_of(rows_of(folder / "points"), range(4))
    tensors = FaceRows.collate(batch)
    batch["inputs"][0, 0, 0] = 77
    assert tensors["inputs"][0, 0, 0] == 77
    kinds = {name: tensor.dtype for name, tensor in tensors.items()}
    assert kinds == {
        **{"inputs": torch.float32, "label": torch.int64, "index": torch.int64},
        **{"masked": torch.bool, "visible_ratio": torch.float32},
    }


@pytest.mark.slow
def test_rows_can_be_pickled_after_use(folder):
    rows = rows_of(folder / "points")
    before = batch_of(rows)
    again = batch_of(pickle.loads(pickle.dumps(rows)))
    assert all(np.array_equal(before[name], again[name]) for name in before)


def test_numbers_that_are_not_finite_are_told_by_sample(tmp_path):
    made = point_rows(16, masked=False)
    made[3][3]["points"][7, 1] = np.nan
    rows = rows_of(publish(tmp_path, "torn", made), n_points=4)
    place = rows.table["sample_id"].tolist().index("tiny/p00/c3")
    batch_of(rows, [i for i in range(len(rows)) if i != place])
    with pytest.raises(
        UserError, match=r"^dataset torn: points of tiny/p00/c3 are not finite \(1 of 32 .*data.where.*clean.*$"
    ):
        batch_of(rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "inputs", "options", "message"),
    [
        ("rgb", "points", {}, "holds color, landmarks, but the model takes points: .*resnet18"),
        (
            "points",
            "image",
            {"fields": ("color",)},
            "landmarks_3d, normals, points, but .*images.*pointnet_basic",
        ),
        ("rgbd", "image", {}, "data.fields: 'points' is not an input of the model: choose among color, depth"),
        ("rgb", "image", {"fields": ("color", "depth")}, "dataset rgb has no 'depth'"),
        ("points", "points", {"fields": ("points", "point_colors")}, "dataset points has no 'point_colors'"),
        ("points", "points", {"fields": ("normals", "points")}, "needs 'points' first"),
        ("points", "points", {"fields": ("points", "normals", "normals")}, "name each array once"),
        ("points", "points", {"n_points": 65}, "data.n_points: 65, but dataset points has 64 points"),
        ("rgb", "image", {"fields": ("color",), "channel_mean": (0.5,)}, "data.channel_mean: 1 numbers for the 3 chan"),
        ("rgb", "image", {"fields": ("color",), "channel_std": (1, 1, 0)}, "data.channel_std: 0 cannot be a divisor"),
        ("points", "points", {"channel_std": (1, 1)}, "data.channel_std: 2 numbers for the 3 channels of points"),
        ("points", "points", {"split": "dev"}, "has no split 'dev': choose one of train, eval, test"),
        ("points", "points", {"where": "mask == 'kn95'"}, "no row of split 'train' of dataset points matches"),
        ("points", "points", {"where": "nose > 3"}, "data.where: query 'nose > 3'"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(folder, name, inputs, options, message):
    with pytest.raises(UserError, match=message) as raised:
        rows_of(folder / name, inputs, **options)
    assert "\n" not in str(raised.value)


def test_images_of_two_sizes_need_one(tmp_path):
    made = [(*row[:3], {**row[3], "depth": row[3]["depth"][::2, ::2]}, row[4]) for row in image_rows(32, True, False)]
    path = publish(tmp_path, "sizes", made)
    with pytest.raises(UserError, match=r"color 32 x 32, depth 16 x 16.*data.image_size_px"):
        rows_of(path, "image", fields=("color", "depth"))
    assert batch_of(rows_of(path, "image", fields=("color", "depth"), image_size_px=24))["inputs"].shape[1:] == (
        4,
        24,
        24,
    )


def test_an_empty_split_is_refused(tmp_path):
    path = publish(tmp_path, "small", point_rows(16, masked=False))
    for split, remedy in {
        "eval": "choose one of train, test$",
        "train": "choose one of test$",
        "test": "so is the",
    }.items():
        file = Path(path) / f"{split}.csv"
        file.write_text(file.read_text().splitlines()[0] + "\n")
        with pytest.raises(UserError, match=f"split '{split}' is empty: {remedy}"):
            rows_of(path, split=split)


@pytest.mark.parametrize("made", [points_set, image_set])
def test_maps_asked_of_a_dataset_without_any_name_the_step_that_makes_them(tmp_path, made):
    with pytest.raises(UserError, match=r"has no field map.*\{stage: maps\} behind align_3d"):
        rows_of(made(tmp_path), "image", fields=("map",))
