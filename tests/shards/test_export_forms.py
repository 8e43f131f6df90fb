"""Forms of an export: what each one writes, what it says that it cannot hold, and what it refuses."""

import json
import tracemalloc

import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from made import build, manifest, spec_of

from face3d_data import Dataset
from face3d_data.cli.export import FORMATS as OFFERED
from face3d_data.cli.export import command
from face3d_data.errors import UserError
from face3d_data.shards.export.dataset import FORMATS, export_dataset
from face3d_data.shards.export.triplets import TripletPlan
from face3d_data.tables.pairs_file import read_pairs

FIELDS = ["points", "normals", "color", "depth", "intrinsics", "landmarks"]


def with_cameras(frame, several=False):
    for row, place in enumerate(frame["place"]):
        place.arrays["intrinsics"] = np.array([500, 501, 2.5 + (row if several else 0), 2], "f8")
    return frame


def with_mirrors(frame):
    """Every third capture of a person is the mirror image of the first."""
    mirrored = frame["id"].str.endswith("c2")
    first = frame["identity"] + "/c0"
    frame.loc[mirrored, "id"] = first + "~mirror~0000000a"
    frame.loc[mirrored, "origin_id"] = first
    frame.loc[mirrored, "identity"] = frame["identity"] + "~mirror"
    frame.loc[mirrored, "variant"] = "mirror"
    return frame


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    spec = spec_of(fields=FIELDS, shard_size=4, pairs={"folds": 2, "per_fold": 2}, gallery=True)
    frame = with_cameras(manifest(n_people=12))
    return Dataset(build(tmp_path_factory.mktemp("work") / "datasets", frame, spec))


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    frame = with_mirrors(with_cameras(manifest(), several=True))
    return Dataset(build(tmp_path_factory.mktemp("work") / "datasets", frame, spec_of(fields=FIELDS)))


def export(dataset, out, *formats, **options):
    said = []
    n = export_dataset(dataset.path, out, formats, say=said.append, **options)
    return n, said


def samples(dataset):
    for split in dataset.splits:
        yield from zip(dataset.table(split).itertuples(), dataset.reader(split), strict=True)


def names_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_command_offers_every_format():
    assert tuple(FORMATS) == OFFERED


@pytest.mark.slow
def test_csv_and_ply_is_ply(dataset, tmp_path):
    assert export(dataset, tmp_path / "a", "csv+ply", "ply")[0] == 36
    export(dataset, tmp_path / "b", "ply")
    assert names_in(tmp_path / "a") == names_in(tmp_path / "b")


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True])
def test_rgbd(dataset, mirrored, tmp_path, several):
    used = mirrored if several else dataset
    _, said = export(used, tmp_path / "out", "rgbd")
    tops = [name for name in names_in(tmp_path / "out") if "/" not in name]
    lists = [] if several else ["gallery.csv", "intrinsics.json", "pairs.csv", "pairs.txt", "probe.csv"]
    assert tops == sorted(["train.csv", "eval.csv", "test.csv", "dirty.csv", *lists])
    for row, sample in samples(used):
        stem = tmp_path / "out" / row.name / row.id
        depth = np.load(stem.with_name(f"{row.id}.npy"))
        assert depth.dtype == np.float32
        assert np.array_equal(depth, sample["depth"])
        own = stem.with_name(f"{row.id}_intrinsics.json")
        camera = json.loads((own if several else tmp_path / "out" / "intrinsics.json").read_text())
        assert [camera[key] for key in ("fx", "fy", "cx", "cy")] == sample["intrinsics"].tolist()
        assert (camera["width"], camera["height"]) == (5, 4)
        assert own.exists() == several
    more = ["the camera differs from row to row: it is in <id>_intrinsics.json next to each image"] if several else []
    assert said == ["left out: points, normals, landmarks (it holds color, depth, intrinsics, distortion)", *more]


def test_rgbd_s_lists_are_all_there_and_dirty_rows_begin_like_the_others(tmp_path):
    frame = with_cameras(manifest(splits=("train", "test")))
    frame["place"].iloc[0].arrays.pop("color")
    used = Dataset(build(tmp_path / "d", frame, spec_of(fields=["color", "depth"])))
    export(used, tmp_path / "out", "rgbd")
    columns = (tmp_path / "out" / "train.csv").read_text().splitlines()[0]
    assert (tmp_path / "out" / "eval.csv").read_text() == f"{columns}\n"
    assert columns.startswith("id,name,class,")
    dirty = pd.read_csv(tmp_path / "out" / "dirty.csv")
    assert dirty.columns[:4].tolist() == ["id", "name", "class", "sample_id"]
    assert dirty.iloc[0, :5].tolist()[:4] == ["d__p0__c0", "d__p0", 0, "d/p0/c0"]
    assert dirty["reason"].tolist() == ["missing_color"]
    other = build(tmp_path / "e", frame.assign(split="all2"), spec_of(fields=["color", "depth"]))
    with pytest.raises(UserError, match="no place for split 'all2': export others with --split, or name it so in"):
        export_dataset(other, tmp_path / "x", ["rgbd"])
    assert not (tmp_path / "x").exists()


def test_rgbd_of_a_dataset_that_is_not_split_has_all_rows_in_its_first_list(tmp_path):
    used = Dataset(build(tmp_path / "d", manifest().assign(split=""), spec_of(fields=["color", "depth"])))
    _, said = export(used, tmp_path / "out", "rgbd")
    assert said == ["the dataset is not split: all rows are in train.csv, none in the other lists"]
    lists = {name: pd.read_csv(tmp_path / "out" / f"{name}.csv") for name in ("train", "eval", "test")}
    assert [len(table) for table in lists.values()] == [18, 0, 0]
    assert sorted(lists["train"]["id"]) == sorted(used.table("all")["id"])
    assert not (tmp_path / "out" / "all.csv").exists()


def test_lfw_folders_and_pairs(dataset, tmp_path):
    _, said = export(dataset, tmp_path / "out", "lfw")
    assert said == [
        "left out: points, normals, depth, intrinsics, landmarks (it holds color)",
        "pairs: LFW's evaluators cut every list into 10 folds, and there are only 4 pairs of a kind",
    ]
    listed = pd.read_csv(tmp_path / "out" / "images.csv")
    assert sorted(listed["image"]) == [name for name in names_in(tmp_path / "out") if name.endswith(".png")]
    assert listed[listed["name"] == "d__p3"].sort_values("id")["image"].tolist() == [
        f"d__p3/d__p3_{n:04d}.png" for n in (1, 2, 3)
    ]
    lines = (tmp_path / "out" / "pairs.txt").read_text().splitlines()
    own = (dataset.path / "pairs.txt").read_text().splitlines()
    assert lines[0] == own[0] == "2\t2"
    row_id = {tuple(image.removesuffix(".png").rsplit("/")[1].rsplit("_", 1)): row for image, row in
              zip(listed["image"], listed["id"], strict=True)}  # fmt: skip
    for line, other in zip(lines[1:], own[1:], strict=True):
        fields = line.split("\t")
        where = [1, 2] if len(fields) == 3 else [1, 3]
        assert all(fields[i] == str(int(fields[i])) for i in where)
        named = [row_id[fields[0 if len(fields) == 3 else i - 1], f"{int(fields[i]):04d}"] for i in where]
        assert named == [other.split("\t")[i] for i in where]


def test_lfw_s_pairs_are_those_that_read_pairs_reads(dataset, tmp_path):
    export(dataset, tmp_path / "out", "lfw")
    listed = pd.read_csv(tmp_path / "out" / "images.csv")
    stems = [image.removesuffix(".png").rpartition("/")[2] for image in listed["image"]]
    table = listed.assign(id=stems, sample_id=listed["name"] + "/" + stems, identity=listed["name"], origin_id=stems)
    found = read_pairs(tmp_path / "out" / "pairs.txt", table)
    assert found.same.sum() == (~found.same).sum() == 4
    assert found.fold.tolist() == [0] * 4 + [1] * 4


def test_lfw_says_why_it_has_no_pairs(dataset, mirrored, tmp_path):
    _, said = export(dataset, tmp_path / "a", "lfw", splits=["train"])
    assert said[-1] == "no pairs.txt: the pairs are of a split that is not written"
    _, said = export(mirrored, tmp_path / "b", "lfw")
    assert said[1:] == [
        "6 rows are variants of other rows, which only the CSVs record",
        "6 rows are mirrored faces, counted as other people here; only the CSVs name the people that they mirror",
        "no pairs.txt: the dataset has no pairs ('pairs: true' in its entry makes some)",
    ]


@pytest.mark.slow
def test_modelnet_files(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_data.shards.export.h5.PER_FILE", 5)
    monkeypatch.setattr("face3d_data.shards.export.h5.ModelNetFiles.per_file", 5)
    monkeypatch.setattr("face3d_data.shards.export.dataset.BLOCK", 3)
    out = tmp_path / "out"
    _, said = export(dataset, out, "modelnet")
    assert said == ["left out: color, depth, intrinsics, landmarks (it holds points, normals)"]
    assert (out / "train_files.txt").read_text() == "".join(f"ply_data_train{n}.h5\n" for n in range(3))
    assert (out / "shape_names.txt").read_text().split() == sorted({row.name for row, _ in samples(dataset)})
    csv = pd.concat([pd.read_csv(out / f"{split}.csv") for split in dataset.splits])
    for (row, sample), (_, place) in zip(samples(dataset), csv.iterrows(), strict=True):
        assert place["id"] == row.id
        with h5py.File(out / place["file"]) as file:
            assert np.array_equal(file["data"][place["row"]], sample["points"])
            assert np.array_equal(file["normal"][place["row"]], sample["normals"])
            assert file["label"][place["row"]].tolist() == [sample["label"]]
            assert (file["data"].dtype, file["label"].shape[1:]) == (np.float32, (1,))
    with h5py.File(out / "ply_data_test2.h5") as file:
        assert set(file) == {"data", "label", "normal", "root"}
        assert len(file["data"]) == 2
    _, said = export(dataset, tmp_path / "some", "modelnet", splits=["test"])
    assert said[1] == "no train_files.txt, which other programs expect: that split is missing"


def test_faces_with_pid_know_whom_a_mirror_image_shows(mirrored, tmp_path):
    _, said = export(mirrored, tmp_path / "out", "face-h5")
    assert said[0] == "left out: normals, color, depth, intrinsics, landmarks (it holds points)"
    seen = set()
    for split in mirrored.splits:
        table = mirrored.table(split)
        with h5py.File(tmp_path / "out" / f"{split}.h5") as file:
            assert {name: (array.dtype.str, array.shape) for name, array in file.items()} == {
                "data": ("<f4", (len(table), 16, 3)),
                "pid": ("<i8", (len(table),)),
                "root": ("|S256", (len(table),)),
                "class": ("<i8", (len(table),)),
            }
            assert file["class"][:].tolist() == table["class"].tolist()
            assert np.array_equal(file["data"][:], [sample["points"] for sample in mirrored.reader(split)])
            seen |= set(zip(file["pid"][:].tolist(), table["identity"].str.partition("~")[0], strict=True))
    assert sorted(seen) == [(n, f"d/p{n}") for n in range(6)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["modelnet", "face-h5"])
def test_sizes_of_normalised_clouds_are_kept(tmp_path, name):
    spec = spec_of(normalize=True, dtype="float16")
    used = Dataset(build(tmp_path / "d", manifest(), spec))
    export(used, tmp_path / "out", name)
    file = tmp_path / "out" / ("train.h5" if name == "face-h5" else "ply_data_train0.h5")
    first = used.reader("train")[0]
    with h5py.File(file) as stored:
        assert stored["data"].dtype == np.float32
        assert np.array_equal(stored["data"][0], first["points"])
        assert stored["scale"][0] == first["scale"]
        assert np.array_equal(stored["centroid"][0], first["centroid"])
    _, said = export(used, tmp_path / "ply", "ply")
    assert said == ["points lie on the unit sphere; left out: centroid and scale, their size (npy holds them)"]
    assert export(used, tmp_path / "npy", "npy")[1] == []
    row = used.table("train").iloc[0]
    assert np.load(tmp_path / "npy" / row["name"] / f"{row['id']}.scale.npy") == first["scale"]


@pytest.mark.slow
def test_triplets_beside_clouds(dataset, tmp_path):
    plan = TripletPlan(n=50, epochs=2, identities=3, batch=10, seed=4)
    _, said = export(dataset, tmp_path / "out", "csv+ply", "triplets", triplets=plan)
    assert said[0] == "left out: color, depth, intrinsics, landmarks (npy holds every array)"
    files = sorted(path.name for path in (tmp_path / "out").glob("*.npy"))
    assert files == [f"epoch_{e}_training_triplets_50_identities_3_batch_10.npy" for e in (0, 1)]
    train = dataset.table("train").set_index("id")
    for name in files:
        found = np.load(tmp_path / "out" / name)
        assert (found.dtype.kind, found.shape) == ("U", (50, 7))
        for anchor, positive, negative, *rest in found.tolist():
            assert train.loc[anchor, "name"] == train.loc[positive, "name"] != train.loc[negative, "name"]
            assert train.loc[anchor, "origin_id"] != train.loc[positive, "origin_id"]
            assert rest == [str(train.loc[row, key]) for key in ("class", "name") for row in (positive, negative)]
    _, said = export(dataset, tmp_path / "alone", "triplets", triplets=TripletPlan(n=20, batch=10))
    assert said == ["4 people per batch, 32 asked for: split 'train' shows no more"]
    assert not list((tmp_path / "alone").rglob("*.ply"))


def test_triplets_that_cannot_be_drawn(dataset, tmp_path):
    with pytest.raises(UserError, match="there is no 'train': choose a split"):
        export(dataset, tmp_path / "out", "triplets", splits=["eval", "test"])
    one = build(tmp_path / "d", manifest(n_people=3), spec_of())
    with pytest.raises(UserError, match="split 'train' shows 1 person: triplets need two"):
        export_dataset(one, tmp_path / "out", ["triplets"])
    assert not (tmp_path / "out").exists()


def test_formats_that_need_a_folder_or_an_array_of_their_own(dataset, tmp_path):
    with pytest.raises(UserError, match="format 'lfw' needs its own folder: export it separately"):
        export(dataset, tmp_path / "out", "ply", "lfw")
    points = Dataset(build(tmp_path / "d", manifest(), spec_of()))
    for name, lacking in (
        ("lfw", "color"),
        ("rgbd", "color"),
        ("face3d-pytorch", "color"),
        ("masked-webface", "color"),
    ):
        with pytest.raises(UserError, match=rf"has no {lacking} to write as {name} \(its arrays: points\)"):
            export(points, tmp_path / "out", name)
    assert list(tmp_path.iterdir()) == [tmp_path / "d"]


@pytest.mark.parametrize("name", ["rgbd", "face3d-pytorch", "lfw", "modelnet", "face-h5", "triplets", "npy"])
def test_a_failure_leaves_nothing(dataset, tmp_path, name):
    def broken(n):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        export_dataset(dataset.path, tmp_path / "out", [name], tell=broken)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["modelnet", "face-h5"])
def test_the_same_bytes_twice_and_few_in_memory(tmp_path, name):
    frame = manifest(n_people=3, n_captures=60, n_points=2000)
    used = Dataset(build(tmp_path / "d", frame, spec_of()))
    export(used, tmp_path / "a", name)
    tracemalloc.start()
    export(used, tmp_path / "b", name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000, f"{peak} bytes for {180 * 2000 * 12} of clouds"
    for file in names_in(tmp_path / "a"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


@pytest.mark.slow
def test_command(dataset, tmp_path):
    work = str(dataset.path.parent.parent)
    out = str(tmp_path / "out")
    arguments = ["faces", out, "-w", work, "--format", "triplets", "--triplets", "30", "--epochs", "2"]
    done = CliRunner().invoke(command, [*arguments, "--identities", "2", "--batch", "5", "--seed", "3"])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"36 samples as triplets in {out}\n"
    assert len(list((tmp_path / "out").glob("epoch_*_training_triplets_30_identities_2_batch_5.npy"))) == 2
    done = CliRunner().invoke(command, ["faces", str(tmp_path / "b"), "-w", work, "--format", "face-h5"])
    assert done.stderr == "note: left out: normals, color, depth, intrinsics, landmarks (it holds points)\n"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["ply", "npy", "rgbd", "triplets"])
def test_lists_of_samples_that_are_not_written_are_left_out_and_named(dataset, tmp_path, form):
    _, said = export(dataset, tmp_path / "all", form)
    there = {"pairs.csv", "pairs.txt", "gallery.csv", "probe.csv"}
    there |= {"pairs_without_header.txt"} if form == "ply" else set()
    assert there <= {path.name for path in (tmp_path / "all").iterdir()}
    assert not any("splits that are not written" in line for line in said)
    _, said = export(dataset, tmp_path / "some", form, splits=["train"])
    assert not there & {path.name for path in (tmp_path / "some").iterdir()}
    assert "left out: gallery.csv, probe.csv, pairs.csv: of samples in splits that are not written" in said


def test_dirty_rows_name_people_as_the_dataset_does(tmp_path):
    frame = with_cameras(manifest())
    frame.loc[frame["identity"] == "d/p5", "identity"] = "d/p2"
    lost = ["d/p5/c9", "src", "faces", "reject", "no_face", "", "x.png"]
    dirty = pd.DataFrame([lost], columns=["sample_id", "source", "step", "status", "reason", "detail", "path"])
    made = Dataset(build(tmp_path / "datasets", frame, spec_of(fields=FIELDS), dirty=dirty))
    export(made, tmp_path / "out", "rgbd")
    row = pd.read_csv(tmp_path / "out" / "dirty.csv").iloc[0]
    assert (row["id"], row["name"], row["class"]) == ("d__p5__c9", "d__p2", 2)
