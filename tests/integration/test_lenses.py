"""A lens with distortion from the camera's file to a published dataset and back: nowhere is it taken for a pinhole."""

from pathlib import Path

import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.readers.rgbd_npy import RgbdNpy
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.shards.read import ShardReader
from face3d_data.testing import write_tiny_rgbd
from face3d_data.testing.write import write_intrinsics
from face3d_training.variation import Variation

COEFFS = [0.12, -0.05, 0.003, -0.002, 0.01]
FACES = {"id": "faces", "stage": "detect", "from": "c", "with": {"detector": "given"}}


@pytest.fixture
def captures(tmp_path):
    root = tmp_path / "captures"
    write_tiny_rgbd(root, people=3, captures=2, width=64, height=48)
    write_intrinsics(root / "intrinsics.json", 64, 48, model="brown_conrady", coeffs=COEFFS)
    return root


def made(captures, steps, fields):
    source = {"c": {"reader": "rgbd_folder", "root": str(captures)}}
    datasets = {"s": {"from": steps[-1]["id"] if steps else "c", "fields": fields}}
    pipeline = make_pipeline({"name": "t", "sources": source, "steps": steps, "datasets": datasets}, Path())
    return run(pipeline, captures.parent / "w", engine="serial")


def test_stages_that_take_a_pinhole_say_so_in_a_row(captures):
    mask = {"id": "worn", "stage": "mask", "from": "faces"}
    with pytest.raises(UserError, match="worn"):
        made(captures, [FACES, mask], ["color"])
    text = (captures.parent / "w" / "runs" / "t" / "worn.dirty.csv").read_text()
    assert text.count(",reject,distorted,") == 6
    assert "mask needs a pinhole camera: put undistort before it" in text


def test_intrinsics_are_not_published_without_the_lens(captures):
    with pytest.raises(UserError, match="its lens has distortion, which intrinsics alone leave out: add distortion"):
        made(captures, [], ["color", "depth", "intrinsics"])


@pytest.mark.slow
def test_the_lens_is_published_exported_and_read_back(captures):
    split = {"id": "people", "table": "split", "from": "c", "with": {"ratios": {"train": 0.6, "test": 0.4}}}
    result = made(captures, [split], ["color", "depth", "intrinsics", "distortion"])
    rows = ShardReader(result.datasets["s"], "train")
    lens = [*COEFFS, *[0.0] * 8]
    assert rows[0]["distortion"].tolist() == lens
    out = captures.parent / "out" / "rgbd"
    export_dataset(result.datasets["s"], out, ["rgbd"])
    reader = RgbdNpy(root=out, intrinsics=out / "intrinsics.json")
    arrays = reader.sample(next(reader.scan())).arrays
    assert arrays["distortion"].tolist() == lens
    assert arrays["intrinsics"].tolist() == rows[0]["intrinsics"].tolist()
    depths = [rows[i]["depth"] for i in range(len(rows))]
    found = [reader.load(source, "depth") for source in reader.scan()]
    assert all(any(np.array_equal(one, two) for two in found) for one in depths)


def test_undistorted_images_are_those_of_a_pinhole(captures):
    flat = {"id": "flat", "stage": "undistort", "from": "faces"}
    result = made(captures, [FACES, flat], ["color", "depth", "intrinsics"])
    assert len(result.entries("flat")) == 6
    assert all("distortion" not in entry.place.names for entry in result.entries("flat"))


def test_points_need_no_undistorted_images(captures):
    cloud = {"id": "cloud", "stage": "to_cloud", "from": "faces", "with": {"min_points": 20}}
    few = {"id": "few", "stage": "subsample", "from": "cloud", "with": {"n_points": 16}}
    assert len(made(captures, [FACES, cloud, few], ["points"]).entries("cloud")) == 6


def test_training_varies_no_image_of_such_a_lens():
    from face3d_data.augment.augmentation import Augmentation

    varied = Variation(Augmentation.of(brightness=0.2))
    there = ["color", "depth", "intrinsics", "distortion"]
    with pytest.raises(UserError, match="these have lens distortion: put the stage 'undistort'"):
        varied.on("image", ["color"], there)
    varied.on("image", ["color"], there[:3])
    Variation().on("image", ["color"], there)
