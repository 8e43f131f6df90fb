"""Exports, loaded as other programs load them (plain NumPy, pandas, h5py, Open3D), and read back by our own readers."""

import glob
import os

import cv2
import h5py
import numpy as np
import pandas as pd
import pytest

from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.readers.cloud_folder import CloudFolder
from face3d_data.readers.hdf5 import Hdf5
from face3d_data.readers.image_folder import ImageFolder
from face3d_data.readers.rgbd_npy import RgbdNpy
from face3d_data.readers.verification_sets import VerificationSets
from face3d_data.shards.export.dataset import ALONE, export_dataset
from face3d_data.shards.export.triplets import TripletPlan
from face3d_data.shards.read import Dataset
from face3d_data.testing import write_tiny_rgbd

FIELDS = ["points", "color", "depth", "intrinsics"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Six people with three captures each, out of a pipeline."""
    folder = tmp_path_factory.mktemp("made")
    write_tiny_rgbd(folder / "in", people=6, captures=3)
    steps = [
        {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
        {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 50}},
        {"id": "people", "table": "split", "from": "clouds",
         "with": {"by": "identity", "ratios": {"train": 0.5, "test": 0.5}}},
        {"id": "even", "stage": "subsample", "from": "people", "with": {"n_points": 64}},
    ]  # fmt: skip
    entry = {"from": "even", "fields": FIELDS, "pairs": {"folds": 1, "per_fold": 3}}
    raw = {"name": "p", "seed": 1, "sources": {"tiny": {"reader": "rgbd_folder", "root": "in"}}, "steps": steps}
    pipeline = make_pipeline({**raw, "datasets": {"tiny": entry}}, folder)
    return Dataset(run(pipeline, folder / "work", engine="serial").datasets["tiny"])


@pytest.fixture(scope="module")
def exported(dataset, tmp_path_factory):
    """The folder of each export."""
    base = tmp_path_factory.mktemp("out")
    masked = "masked-webface"  # of plain and masked faces alone: tests/shards/test_export_loaders.py
    for name in (*(name for name in ALONE if name != masked), "ply"):
        export_dataset(dataset.path, base / name, [name])
    plan = TripletPlan(n=40, epochs=2, identities=3, batch=20)
    export_dataset(dataset.path, base / "csv_ply", ["csv+ply", "triplets"], triplets=plan)
    return base


@pytest.fixture(scope="module")
def by_id(dataset):
    """Every sample by its id, with its row."""
    pairs = [zip(dataset.table(split).itertuples(), dataset.reader(split), strict=True) for split in dataset.splits]
    return {row.id: (row, sample) for some in pairs for row, sample in some}


@pytest.mark.slow
def test_trainers_of_clouds_by_csv(exported, by_id):
    root = str(exported / "csv_ply")
    frame = pd.read_csv(f"{root}/train.csv", dtype={"id": object, "name": object, "class": int})
    assert frame.columns[:3].tolist() == ["id", "name", "class"]
    classes = {label: frame[frame["class"] == label]["id"].tolist() for label in frame["class"].unique()}
    assert len(classes) == 3
    for _, row in frame.iterrows():
        cloud = open3d().io.read_point_cloud(os.path.join(root, str(row["name"]), str(row["id"]) + ".ply"))
        assert np.array_equal(np.asarray(cloud.points), by_id[row["id"]][1]["points"])


@pytest.mark.slow
def test_trainers_of_triplets(exported, by_id):
    for epoch in range(2):
        path = exported / "csv_ply" / f"epoch_{epoch}_training_triplets_40_identities_3_batch_20.npy"
        triplets = np.load(path)
        assert triplets.shape == (40, 7)
        for anchor, positive, negative, pos_class, neg_class, pos_name, neg_name in triplets:
            files = [f"{exported}/csv_ply/{name}/{row}.ply" for name, row in
                     ((pos_name, anchor), (pos_name, positive), (neg_name, negative))]  # fmt: skip
            assert all(map(os.path.exists, files))
            assert int(pos_class) == by_id[anchor][1]["label"] != int(neg_class)


@pytest.mark.slow
def test_evaluators_by_lfw_s_pairs(exported):
    with open(exported / "lfw" / "pairs.txt") as stream:
        pairs = [line.strip().split() for line in stream.readlines()[1:]]
    root, found = str(exported / "lfw"), []
    for pair in pairs:
        other = pair if len(pair) == 3 else [*pair[:1], *pair[2:]]
        first = os.path.join(root, pair[0], f"{pair[0]}_{int(pair[1]):04d}.png")
        second = os.path.join(root, other[1] if len(pair) == 4 else pair[0],
                              f"{other[1] if len(pair) == 4 else pair[0]}_{int(pair[-1]):04d}.png")  # fmt: skip
        assert os.path.exists(first), first
        assert os.path.exists(second), second
        found.append(len(pair) == 3)
    assert found == [True] * 3 + [False] * 3


@pytest.mark.slow
def test_trainers_of_rgbd(exported, by_id):
    root = str(exported / "rgbd")
    rows = {name: pd.read_csv(f"{root}/{name}.csv") for name in ("train", "eval", "test", "dirty")}
    assert [len(rows[name]) for name in ("train", "eval", "test", "dirty")] == [9, 0, 9, 0]
    for _, row in pd.concat([rows["train"], rows["test"]]).iterrows():
        color = cv2.cvtColor(cv2.imread(f"{root}/{row['name']}/{row['id']}.png"), cv2.COLOR_BGR2RGB)
        depth = np.load(f"{root}/{row['name']}/{row['id']}.npy")
        sample = by_id[row["id"]][1]
        assert np.array_equal(color, sample["color"])
        assert np.array_equal(depth, sample["depth"])
        assert depth.shape == color.shape[:2]


def lines_of(path):
    with open(path) as stream:
        return stream.readlines()


@pytest.mark.slow
def test_trainers_of_modelnet(exported, dataset):
    root = str(exported / "modelnet")
    for split in ("train", "test"):
        clouds, labels = [], []
        for name in sorted(glob.glob(os.path.join(root, f"ply_data_{split}*.h5"))):
            with h5py.File(name, "r") as file:
                clouds.append(file["data"][:].astype("float32"))
                labels.append(file["label"][:].astype("int64"))
        listed = [os.path.join(root, os.path.basename(line.rstrip())) for line in lines_of(f"{root}/{split}_files.txt")]
        assert all(map(os.path.exists, listed))
        data, label = np.concatenate(clouds, axis=0), np.concatenate(labels, axis=0)
        reader = dataset.reader(split)
        assert np.array_equal(data, [sample["points"] for sample in reader])
        assert np.array_equal(np.squeeze(label), reader.labels)
    assert len(lines_of(f"{root}/shape_names.txt")) == 6


@pytest.mark.slow
def test_trainers_of_face_hdf5(exported, dataset):
    with h5py.File(exported / "face-h5" / "train.h5", "r") as file:
        data, pid, label = np.array(file["data"]), np.array(file["pid"]), np.array(file["class"])
    reader = dataset.reader("train")
    assert (data.dtype, pid.dtype, label.dtype) == (np.float32, np.int64, np.int64)
    assert np.array_equal(data, [sample["points"] for sample in reader])
    assert np.array_equal(label, reader.labels)
    assert np.array_equal(pid, label)


def read_back(reader, name):
    """Return (person, capture) to an array of everything that a reader finds, having found nothing bad."""
    found = list(reader.scan())
    assert [source.problem for source in found if source.problem] == []
    for source in found:
        reader.inspect(source)
    return {(source.person, source.capture): reader.load(source, name) for source in found}


def by_name(by_id, field):
    return {(row.name, row.id): sample[field] for row, sample in by_id.values()}


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, array in found.items():
        assert array.dtype == expected[key].dtype
        assert array.tobytes() == expected[key].tobytes(), key


@pytest.mark.slow
def test_clouds_read_back(exported, by_id):
    reader = CloudFolder(root=exported / "ply", pattern="{identity}/{capture}.ply", up="-y")
    same(read_back(reader, "points"), by_name(by_id, "points"))


@pytest.mark.slow
def test_rgbd_reads_back(exported, by_id):
    camera = exported / "rgbd" / "intrinsics.json"
    options = {"intrinsics": camera} if camera.exists() else {}
    reader = RgbdNpy(root=exported / "rgbd", depth_scale=0.001, **options)
    for field in ("color", "depth", *(["intrinsics"] if options else [])):
        same(read_back(reader, field), by_name(by_id, field))


@pytest.mark.slow
def test_lfw_reads_back(exported, by_id):
    listed = pd.read_csv(exported / "lfw" / "images.csv")
    stems = {row.id: row.image.removesuffix(".png").rpartition("/")[2] for row in listed.itertuples()}
    expected = {(row.name, stems[row.id]): sample["color"] for row, sample in by_id.values()}
    same(read_back(ImageFolder(root=exported / "lfw"), "color"), expected)
    pairs = exported / "lfw" / "pairs.txt"
    same(read_back(VerificationSets(root=exported / "lfw", pairs=pairs), "color"), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["modelnet", "face-h5"])
def test_hdf5_reads_back(exported, by_id, name):
    rows = pd.concat([pd.read_csv(path) for path in sorted((exported / name).glob("*.csv"))])
    expected = {}
    for place in rows.to_dict("records"):
        person = place["name"] if name == "modelnet" else f"{place['pid']:05d}"
        key = (person, f"{place['file'].removesuffix('.h5')}_{place['row']:06d}")
        expected[key] = by_id[place["id"]][1]["points"]
    same(read_back(Hdf5(root=exported / name, up="-y"), "points"), expected)


@pytest.mark.slow
def test_shards_read_back(dataset, by_id):
    reader = Hdf5(root=dataset.path, up="-y", fields=tuple(FIELDS))
    for field in FIELDS:
        expected = {(row.name, row.sample_id.rpartition("/")[2]): sample[field] for row, sample in by_id.values()}
        same(read_back(reader, field), expected)
