"""Exports are read by the loaders that they are for: each test parses what is there as that loader's code does.

What a loader does was read in its repository: azhadzuraimi/3D-face-masked-recognition (7a6263d, data/TestBosphorus.py),
tamerthamoqa/facenet-pytorch-glint360k (38fc241, datasets/LFWDataset.py), gokulsg/Face3D-Pytorch (636b919,
dataset/RGBD_Dataset.py) and mindspore-ai/models (eab643f, research/cv/MaskedFaceRecognition/dataset).
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from made import build, manifest, spec_of

from face3d_data import Dataset
from face3d_data.errors import UserError
from face3d_data.readers.masked_webface import MaskedWebface
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.shards.export.ten_folds import in_ten_folds

RATIOS = {"mask:a": 0.5, "mask:b": 0.75}


def export(dataset, out, form, **options):
    said = []
    export_dataset(dataset.path, out, [form], say=said.append, **options)
    return said


def made(folder, folds, per_fold, n_people=60):
    frame = manifest(n_people=n_people, n_captures=3, splits=("train", "test"))
    spec = spec_of(fields=["points", "color", "depth"], pairs={"folds": folds, "per_fold": per_fold})
    return Dataset(build(folder, frame, spec))


@pytest.fixture(scope="module")
def in_five(tmp_path_factory):
    return made(tmp_path_factory.mktemp("five"), 5, 5)


def tenths(same):
    """The parts that an evaluator of ten folds cuts a list into, in the order of its lines."""
    assert len(same) % 10 == 0
    return np.array(same).reshape(10, -1)


def paths_of(lines, root, image):
    """Read lines as both loaders do: three fields are one person, four are two; every path has to exist."""
    same = []
    for line in lines:
        pair = line.strip().split()
        if len(pair) == 3:
            files = image(pair[0], pair[1]), image(pair[0], pair[2])
        else:
            assert len(pair) == 4
            files = image(pair[0], pair[1]), image(pair[2], pair[3])
        assert all(os.path.exists(os.path.join(root, file)) for file in files)
        same.append(len(pair) == 3)
    return same


@pytest.mark.slow
def test_pairs_of_clouds_have_no_header_and_ten_folds(in_five, tmp_path):
    out = tmp_path / "out"
    said = export(in_five, out, "csv+ply")
    lines = (out / "pairs_without_header.txt").read_text().splitlines()
    same = paths_of(lines, out, lambda name, image: f"{name}/{image}.ply")
    assert tenths(same).sum(axis=1).tolist() == [2] * 10
    assert tenths(same).shape == (10, 4)
    assert (
        "pairs_without_header.txt: the dataset's 5 folds are cut into 10 of 2 + 2, as LFW's evaluators want, "
        "10 pairs left out; a person can be in two"
    ) in said
    assert (out / "pairs.txt").read_text() == (in_five.path / "pairs.txt").read_text()


@pytest.mark.slow
def test_lfw_s_pairs_are_ten_folds_after_a_header(in_five, tmp_path):
    out = tmp_path / "out"
    export(in_five, out, "lfw", splits=["train", "test"])
    first, *lines = (out / "pairs.txt").read_text().splitlines()
    assert first == "10\t2"
    same = paths_of(lines, out, lambda name, number: f"{name}/{name}_{int(number):04d}.png")
    assert tenths(same).sum(axis=1).tolist() == [2] * 10


def pairs(folds, genuine, impostor):
    rows = [(fold, same) for fold in range(folds) for same, n in ((1, genuine), (0, impostor)) for _ in range(n)]
    return pd.DataFrame(rows, columns=["fold", "same"]).assign(place=range(len(rows))).astype(str)


@pytest.mark.parametrize("folds", [1, 2, 3, 5, 7, 10, 20])
def test_any_list_becomes_ten_balanced_folds(folds):
    found = in_ten_folds(pairs(folds, 20, 20))
    same = found.table["same"].astype(int).to_numpy().reshape(10, -1)
    assert found.per_fold == 2 * folds
    assert found.header == f"10\t{2 * folds}"
    assert (same == ([1] * found.per_fold + [0] * found.per_fold)).all()
    assert found.table["place"].is_unique
    assert bool(found.notes) == (folds != 10)


def test_a_list_that_is_too_short_stays_and_that_is_said():
    found = in_ten_folds(pairs(3, 3, 3))
    assert (found.header, len(found.table)) == ("3\t3", 18)
    assert found.notes == (
        "pairs: LFW's evaluators cut every list into 10 folds, and there are only 9 pairs of a kind",
    )


@pytest.mark.slow
def test_three_columns_name_files_that_are_there(in_five, tmp_path, monkeypatch):
    out = tmp_path / "out"
    said = export(in_five, out, "face3d-pytorch")
    monkeypatch.chdir(tmp_path.parent)  # its paths are whole ones
    for split in ("train", "test"):
        names = ["rgb_image_path", "dep_image_path", "cls_name"]
        table = pd.read_csv(out / f"{split}.csv", header=0, names=names)
        assert table.index.tolist() == list(range(len(in_five.table(split))))
        classes, _ = pd.factorize(table["cls_name"], sort=True)
        for row, (place, sample) in enumerate(zip(table.itertuples(), in_five.reader(split), strict=True)):
            color = cv2.imread(place.rgb_image_path)[..., ::-1]
            depth = np.expand_dims(np.load(place.dep_image_path), axis=-1)
            image = np.concatenate((color, depth), axis=-1)
            assert image.shape == (4, 5, 4)
            assert np.array_equal(image[..., :3], sample["color"])
            assert np.array_equal(image[..., 3], sample["depth"])
            assert in_five.table(split)["name"].iloc[row] == place.cls_name
        assert classes.max() + 1 == in_five.table(split)["name"].nunique()
    assert said[1].startswith("the CSVs name files below")
    assert "split by captures" in said[2]


def training_items(root, styles, rng):
    """What `make_dataset` of MGDataset.py lists below a root, with a style drawn for each image."""
    items = []
    for label, target in enumerate(sorted(entry.name for entry in os.scandir(root) if entry.is_dir())):
        for folder, _, files in sorted(os.walk(os.path.join(root, target))):
            for name in sorted(files):
                scale = float(os.path.splitext(name)[0].split("_")[1])
                items.append((os.path.join(folder, name), label, scale))
                other = folder.replace("faces_webface_112x112_raw_image", styles[rng.integers(len(styles))])
                path = os.path.join(other, name.split("_")[0] + ".jpg")
                if os.path.isfile(path):
                    items.append((path, label, scale))
    return items


@pytest.mark.slow
def test_the_latent_part_network_s_loader_reads_both_trees(tmp_path):
    frame = manifest(n_people=6, n_captures=2, variants=("plain", *RATIOS), splits=("train", "test"))
    frame["visible_ratio"] = frame["variant"].map({"plain": "", **{k: str(v) for k, v in RATIOS.items()}})
    # A person of the training tree without masks, and one of the test without plain faces.
    frame = frame[~((frame["identity"] == "d/p0") & (frame["variant"] != "plain"))]
    frame = frame[~((frame["identity"] == "d/p1") & (frame["variant"] == "plain"))]
    used = Dataset(build(tmp_path / "d", frame, spec_of(fields=["color"], tags=["mask", "visible_ratio"])))
    out = tmp_path / "out"
    said = export(used, out, "masked-webface")
    items = training_items(str(out / "faces_webface_112x112_raw_image"), ["n95", "3m"], np.random.default_rng(0))
    assert {scale for _, _, scale in items} == {0.625}
    by_label = {}
    for path, label, _ in items:
        by_label.setdefault(label, []).append(path)
    assert sorted(by_label) == [0, 1]
    for paths in by_label.values():
        # Plain images, and one of two styles each; sorted as by the loader, by whole numbers.
        numbers = [int(os.path.basename(path).split(".")[0]) for path in paths]
        assert len(numbers) == 4
        assert all(cv2.imread(path) is not None for path in paths)
    assert not (out / "faces_webface_112x112_raw_image" / "d__p0").exists()
    roles = {}
    for role in ("query", "gallery"):
        root = out / "test" / role
        roles[role] = sorted(path.name for path in root.iterdir())
        numbers = [int(os.path.basename(path).split(".")[0]) for path in root.glob("*/*")]
        assert len(numbers) == (8 if role == "query" else 4)
    assert roles["query"] == roles["gallery"] == ["d__p3", "d__p5"]
    assert said == [
        "split train: 2 rows left out: of captures without both a plain and a masked image whose visible_ratio is "
        "known",
        "split test: 1 person left out: in query or gallery alone",
    ]
    listed = pd.read_csv(out / "images.csv", keep_default_na=False)
    assert sorted(filter(None, listed["image"])) == sorted(
        path.relative_to(out).as_posix() for path in out.rglob("*") if path.suffix in (".png", ".jpg")
    )


@pytest.mark.slow
def test_the_latent_part_network_s_tree_reads_back(tmp_path):
    frame = manifest(n_people=4, n_captures=2, variants=("plain", *RATIOS), splits=("train", "test"))
    frame["visible_ratio"] = frame["variant"].map({"plain": "", **{k: str(v) for k, v in RATIOS.items()}})
    used = Dataset(build(tmp_path / "d", frame, spec_of(fields=["color"], tags=["mask", "visible_ratio"])))
    out = tmp_path / "out"
    export(used, out, "masked-webface")
    reader = MaskedWebface(root=out)
    found = list(reader.scan())
    good = {(source.person, source.capture): source for source in found if source.problem is None}
    assert [source.problem[0] for source in found if source.problem] == ["other_format"]  # the test tree
    table = used.table("train")
    written = {row.id: (row.name, row.variant) for row in table.itertuples()}
    assert sorted(source.person for source in good.values()) == sorted(name for name, _ in written.values())
    assert {source.tags["visible_ratio"] for source in good.values()} == {0.625}
    images = pd.read_csv(out / "images.csv", keep_default_na=False)
    by_file = {row.image: row.id for row in images.itertuples() if row.id in written}
    pixels = dict(zip(table["id"], used.reader("train"), strict=True))
    for source in good.values():
        row = by_file[source.files["image"].relative_to(out).as_posix()]
        assert (source.tags.get("mask") is None) == (written[row][1] == "plain")
        if written[row][1] == "plain":
            assert np.array_equal(reader.load(source, "color"), pixels[row]["color"])
    assert len(good) == len(written) == 12


def test_without_masks_there_is_nothing_for_the_latent_part_network(in_five, tmp_path):
    with pytest.raises(UserError, match="no row wears a mask: put the stage mask into the pipeline"):
        export(in_five, tmp_path / "out", "masked-webface")
    assert not Path(tmp_path / "out").exists()
