"""Maps from captures to files: shards, dataset.json, contact sheet, export and the training loader."""

from __future__ import annotations

import json

import cv2
import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from face3d_data import Dataset
from face3d_data.cli.export import command as export
from face3d_data.errors import UserError
from face3d_data.pictures.contact_sheet import contact_sheet
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.export.map_files import heights_of_pixels, normals_of_pixels
from face3d_data.sheets.dataset_sheet import write_dataset_sheet
from face3d_data.testing import write_tiny_rgbd

pytestmark = pytest.mark.slow
MAPS = {"cell_mm": 4.0, "size": 32}


def pipeline_of(root, second=None):
    loose = {"max_rmse_mm": 50, "min_inlier_share": 0}
    steps = [
        {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
        {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 64}},
        {"id": "people", "table": "split", "from": "clouds"},
        {"id": "aligned", "stage": "align_3d", "from": "people", "with": loose},
        {"id": "mapped", "stage": "maps", "from": "aligned", "with": MAPS},
        {"id": "sampled", "stage": "subsample", "from": "mapped", "with": {"n_points": 64}},
    ]
    upstream = "sampled"
    if second:
        parts = ("some", "split == 'train'"), ("rest", "split != 'train'")
        steps += [{"id": name, "table": "select", "from": "aligned", "with": {"query": query}} for name, query in parts]
        steps[4]["from"] = "some"
        steps.append({"id": "other", "stage": "maps", "from": "rest", "with": {**MAPS, **second}})
        steps.append({"id": "again", "stage": "subsample", "from": "other", "with": {"n_points": 64}})
        steps.append({"id": "both", "table": "combine", "from": ["sampled", "again"]})
        upstream = "both"
    dataset = {"from": upstream, "fields": ["map", "points"], "dtype": "float16", "tags": ["map_seen", "map_fill"]}
    return make_pipeline(
        {
            "name": "maps",
            "seed": 3,
            "sources": {"tiny": {"reader": "rgbd_folder", "root": str(root)}},
            "steps": steps,
            "datasets": {"maps": dataset},
        },
        root.parent,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_tiny_rgbd(tmp_path_factory.mktemp("source") / "tiny", people=6, captures=3, width=96, height=72)


@pytest.fixture(scope="module")
def work(root, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    run(pipeline_of(root), work, engine=Workers("serial"))
    return work


@pytest.fixture(scope="module")
def dataset(work):
    return Dataset(work / "datasets" / "maps")


def test_shards_say_what_a_map_s_numbers_mean(dataset):
    said = {
        "cell_mm": 4.0,
        "sigma_mm": 1.4,
        "gap_mm": 4.0,
        "left_mm": -64.0,
        "top_mm": 66.0,
        "height_unit": "mm",
        "fill": "none",
    }
    said["channels"] = "height,slope_x,slope_y,valid"
    assert dataset.info["array_attributes"] == {"map": said}
    for path in dataset.path.glob("shards/*.h5"):
        with h5py.File(path) as file:
            assert file["map"].dtype == np.float16
            assert file["map"].shape[1:] == (4, 32, 32)
            assert dict(file["map"].attrs) == said
    assert not verify_dataset(dataset.path).problems
    table = dataset.table("train")
    assert (table["map_seen"] > 0.1).all()
    assert set(table["map_fill"]) == {"none"}


def test_a_shard_that_says_another_cell_is_found_out(root, tmp_path):
    folder = run(pipeline_of(root), tmp_path / "work", engine=Workers("serial")).datasets["maps"]
    shard = next(folder.glob("shards/train-*.h5"))
    with h5py.File(shard, "r+") as file:
        file["map"].attrs["cell_mm"] = 3.0
    assert any("cell_mm" in str(problem) for problem in verify_dataset(folder).problems)


def test_the_same_bytes_with_two_workers(root, dataset, tmp_path):
    other = run(pipeline_of(root), tmp_path / "work", engine=Workers("loky", jobs=2, chunk=5)).datasets["maps"]
    names = sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    assert names
    for name in names:
        assert (other / name).read_bytes() == (dataset.path / name).read_bytes()


def test_maps_of_two_kinds_are_not_put_into_one_dataset(root, tmp_path):
    with pytest.raises(
        UserError, match=r"'map' is made in two ways that come together in step 'both' \(channels is height,slope"
    ):
        run(pipeline_of(root, second={"channels": "normals"}), tmp_path / "work", engine=Workers("serial"))


def test_export_as_png_reads_back(dataset, tmp_path):
    done = CliRunner().invoke(export, [str(dataset.path), str(tmp_path / "out"), "--format", "map", "--format", "npy"])
    assert done.exit_code == 0, done.output
    said = json.loads((tmp_path / "out" / "maps.json").read_text())
    assert said["cell_mm"] == 4.0
    assert "0.01" in said["height_png"]
    for split in dataset.splits:
        for row, sample in zip(dataset.table(split).itertuples(), dataset.reader(split), strict=True):
            stem = tmp_path / "out" / row.name / row.id
            pixels = cv2.imread(f"{stem}.height.png", cv2.IMREAD_UNCHANGED)
            assert pixels.dtype == np.uint16
            image, seen = sample["map"].astype(np.float32), sample["map"][-1] > 0
            heights = heights_of_pixels(pixels)
            assert np.array_equal(np.isfinite(heights), seen)
            assert np.abs(heights - image[0])[seen].max() <= 0.00501
            found = normals_of_pixels(cv2.imread(f"{stem}.normals.png")[..., ::-1])
            want = np.stack([-image[1], -image[2], np.ones_like(image[1])], axis=-1)
            want /= np.linalg.norm(want, axis=-1, keepdims=True)
            assert np.abs(found - want)[seen].max() < 0.01
            assert np.isnan(found[~seen]).all()
            assert np.array_equal(np.load(f"{stem}.map.npy"), sample["map"])


def test_a_dataset_without_maps_says_so(root, tmp_path, dataset):
    plain = make_pipeline(
        {
            "name": "plain",
            "seed": 1,
            "sources": {"tiny": {"reader": "rgbd_folder", "root": str(root)}},
            "steps": [
                {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
                {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 64}},
                {"id": "even", "stage": "subsample", "from": "clouds", "with": {"n_points": 64}},
            ],
            "datasets": {"plain": {"from": "even", "fields": ["points"]}},
        },
        root.parent,
    )
    folder = run(plain, tmp_path / "work", engine=Workers("serial")).datasets["plain"]
    assert "array_attributes" not in Dataset(folder).info
    done = CliRunner().invoke(export, [str(folder), str(tmp_path / "out"), "--format", "map"])
    assert done.exit_code != 0
    assert "has no map to write as map" in str(done.exception or done.output) + done.output


def test_they_are_drawn(work, dataset, tmp_path):
    path = write_dataset_sheet(work, "maps", None, tmp_path, people=4)
    assert cv2.imread(str(path)) is not None
    sample = next(iter(dataset.reader("train")))
    sheet = contact_sheet([("a face", {"map": sample["map"]})])
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 100


def test_the_training_loader_gives_them(dataset):
    torch = pytest.importorskip("torch")
    from face3d_training.config import DataConfig
    from face3d_training.data import FaceRows

    rows = FaceRows(dataset.path, "train", DataConfig(fields=("map",), map_scale_mm=20.0), "image")
    assert rows.channels == 4
    batch = rows.__getitems__([(0, 0, 0), (2, 0, 0)])
    assert batch["inputs"].shape == (2, 4, 32, 32)
    stored = dataset.reader("train", ["map"])[2]["map"].astype(np.float32)
    assert batch["inputs"][1][0] == pytest.approx(stored[0] / 20)
    assert np.array_equal(batch["inputs"][1][1:], stored[1:])
    assert rows.collate(batch)["inputs"].dtype == torch.float32
    with pytest.raises(UserError, match="never resized"):
        FaceRows(dataset.path, "train", DataConfig(fields=("map",), image_size_px=64), "image")


def test_baselines_are_judged_on_maps(dataset):
    pytest.importorskip("torch")
    from face3d_data.geometry.depth_map import GRID
    from face3d_training.evaluation.baselines.methods import depth_maps

    maps = depth_maps(dataset, "train", [0, 3])
    assert maps.shape == (2, len(GRID))
    stored = dataset.reader("train", ["map"])[3]["map"].astype(np.float32)
    cell = np.flatnonzero((GRID == [-60.0 + 2.5 * 24, 0.0]).all(axis=1))[0]  # x = 0, y = 0: the corner of four cells
    row, column = (66 // 4), 16
    assert maps[1, cell] == pytest.approx(stored[0, row, column], abs=4)
    points = dataset.reader("train", ["points"])[3]["points"].astype(np.float32)
    assert np.nanmax(maps[1]) == pytest.approx(points[:, 2].max(), abs=12)


def test_masks_are_drawn_over_maps_alone_and_movements_never_while_they_are_loaded(dataset):
    pytest.importorskip("torch")
    from face3d_data.augment.augmentation import Augmentation
    from face3d_training.config import MasksConfig
    from face3d_training.map_place import MapPlace
    from face3d_training.variation import Variation

    place = MapPlace.of(dataset.info, (4, 32, 32), "maps")
    shapes = {"map": (4, 32, 32), "points": (64, 3), "color": (72, 96, 3), "landmarks": (5, 2), "depth": (72, 96)}
    with pytest.raises(UserError, match=r"masks\.share: masks over maps would not be in color"):
        Variation(masks=MasksConfig(share=0.5)).on("image", ("map", "color"), shapes, place)
    assert Variation(masks=MasksConfig(share=0.5)).on("image", ("map",), shapes, place).names == ("map",)
    with pytest.raises(UserError, match=r"augment\.low_quality_mm: leaves no map"):
        Variation(Augmentation.of(low_quality_mm=4)).on("image", ("map", "depth"), shapes)
    assert Variation(Augmentation.of(brightness=0.2)).on("image", ("map", "color"), shapes).names == ("map", "color")
