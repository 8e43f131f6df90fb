"""Exports in the formats in which datasets are published: read back, offline, by the libraries that open them."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from made import build, manifest, spec_of

from face3d_data import Dataset
from face3d_data.cli.main import _answer
from face3d_data.errors import UserError
from face3d_data.registration.template import own_template
from face3d_data.shards.export import parquet_files, webdataset_files
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.shards.export.sharing import sharing_terms

FIELDS = ["points", "color", "depth", "landmarks"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    spec = spec_of(fields=FIELDS, tags=["mask"], pairs={"folds": 2, "per_fold": 2})
    return Dataset(build(tmp_path_factory.mktemp("work") / "datasets", manifest(n_people=12), spec))


@pytest.fixture(scope="module")
def published(dataset, tmp_path_factory):
    pytest.importorskip("pyarrow")
    out = tmp_path_factory.mktemp("out") / "huggingface"
    export_dataset(dataset.path, out, ["huggingface"])
    return out


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")


def restricted(folder, **options):
    return build(folder / "datasets", manifest(), spec_of(), **options)


@pytest.mark.slow
def test_load_dataset_opens_the_folder_with_splits_pictures_and_arrays(dataset, published, tmp_path, offline):
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(published), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == dataset.splits
    for split in dataset.splits:
        table, reader, rows = dataset.table(split), dataset.reader(split), loaded[split]
        assert rows["id"] == table["id"].tolist()
        assert rows["mask"] == table["mask"].tolist()
        assert [rows.features["class"].int2str(number) for number in rows["class"]] == table["name"].tolist()
        numbers = rows.with_format("numpy")
        for place, sample in enumerate(reader):
            assert np.array_equal(np.asarray(rows[place]["color"]), sample["color"])
            for name in ("points", "depth", "landmarks"):
                assert np.array_equal(numbers[place][name], sample[name])
                assert numbers[place][name].dtype == np.float32
    assert isinstance(loaded["train"].features["points"], datasets.Array2D)
    assert isinstance(loaded["train"].features["color"], datasets.Image)


@pytest.mark.slow
def test_croissant_is_valid_and_reads_the_rows(dataset, published, tmp_path, offline):
    pytest.importorskip("mlcroissant")
    # In a process of its own: where `datasets` is imported, too, mlcroissant cannot take its arrays from pandas.
    code = (
        "import json, mlcroissant; read = mlcroissant.Dataset('croissant.json'); rows = list(read.records('test'));"
        "print(json.dumps([[row['test/id'].decode(), row['test/points']] for row in rows]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=published, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert [one for one, _ in found] == dataset.table("test")["id"].tolist()
    points = np.array([points for _, points in found], "f4")
    assert np.array_equal(points, [sample["points"] for sample in dataset.reader("test")])
    assert json.loads((published / "croissant.json").read_text())["conformsTo"].endswith("/1.1")
    command = [Path(sys.executable).with_name("mlcroissant"), "validate", "--jsonld", "croissant.json"]
    done = subprocess.run(command, cwd=published, capture_output=True, text=True, check=False)
    assert (done.returncode, "error" in done.stderr.lower()) == (0, False), done.stderr


def test_the_card_names_splits_columns_and_terms(dataset, published):
    head, text = (published / "README.md").read_text().split("---\n")[1:]
    said = yaml.safe_load(head)
    assert [one["split"] for one in said["configs"][0]["data_files"]] == dataset.splits
    assert said["license"] == "other"
    assert "| `points` | float32 16 × 3, mm |" in text
    assert "- `src`: no terms are known to the program that wrote this card" in text
    assert (published / "pairs.csv").read_bytes() == (dataset.path / "pairs.csv").read_bytes()


@pytest.mark.slow
def test_webdataset_reads_the_tar_files(dataset, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    export_dataset(dataset.path, tmp_path / "out", ["webdataset"])
    read = webdataset.WebDataset(str(tmp_path / "out" / "test-000000.tar"), shardshuffle=False).decode("rgb8")
    rows = dataset.table("test").to_dict("records")
    for row, sample, found in zip(rows, dataset.reader("test"), read, strict=True):
        assert (found["__key__"], found["cls"], found["json"]["mask"]) == (row["id"], row["class"], row["mask"])
        assert np.array_equal(found["png"], sample["color"])
        for name in ("points", "depth", "landmarks"):
            assert np.array_equal(found[f"{name}.npy"], sample[name])


def test_tar_files_are_cut_and_the_same_dataset_gives_the_same_bytes(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset_files, "SHARD_BYTES", 5 * 400)
    for name in ("a", "b"):
        export_dataset(dataset.path, tmp_path / name, ["webdataset"], ["train"])
    files = sorted(path.name for path in (tmp_path / "a").glob("*.tar"))
    assert files == [f"train-{number:06d}.tar" for number in range(len(files))]
    assert len(files) > 1
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    keys = []
    for name in files:
        with tarfile.open(tmp_path / "a" / name) as file:
            keys += [member.split(".")[0] for member in file.getnames()]
    assert list(dict.fromkeys(keys)) == dataset.table("train")["id"].tolist()
    with tarfile.open(tmp_path / "a" / files[0]) as file:
        points = np.load(io.BytesIO(file.extractfile(f"{keys[0]}.points.npy").read()))
    assert np.array_equal(points, dataset.reader("train")[0]["points"])


def test_parquet_files_are_cut_and_any_program_reads_lists(dataset, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(parquet_files, "FILE_BYTES", 5 * 400)
    export_dataset(dataset.path, tmp_path / "out", ["parquet"], ["train"])
    files = sorted((tmp_path / "out").glob("*.parquet"))
    assert [path.name for path in files] == [f"train-{i:05d}-of-{len(files):05d}.parquet" for i in range(len(files))]
    assert len(files) > 1
    rows = [row for path in files for row in parquet.ParquetFile(path).read().to_pylist()]
    assert [row["id"] for row in rows] == dataset.table("train")["id"].tolist()
    assert rows[0]["color"]["path"] == f"{rows[0]['id']}.png"
    assert np.array_equal(np.array(rows[0]["points"], "f4"), dataset.reader("train")[0]["points"])


@pytest.mark.parametrize("form", ["webdataset", "parquet", "huggingface"])
def test_a_database_that_may_not_be_passed_on_is_refused(tmp_path, form, capsys):
    pytest.importorskip("pyarrow")
    made = restricted(tmp_path, readers={"src": "bosphorus"})
    assert _answer(["export", str(made), str(tmp_path / "out"), "--format", form]) == 2
    said = capsys.readouterr().err
    assert f"format {form} is for passing on, which the terms of its sources do not allow: src (Bogazici" in said
    assert said.endswith("give --i-may-share\n")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert _answer(["export", str(made), str(tmp_path / "out"), "--format", form, "--i-may-share"]) == 0
    assert _answer(["export", str(made), str(tmp_path / "npy"), "--format", "npy"]) == 0


def test_terms_are_found_by_reader_and_by_name(tmp_path):
    frame = manifest()
    frame["dataset"] = "texas3dfrd"
    by_name = Dataset(build(tmp_path / "a", frame, spec_of()))
    assert sharing_terms(by_name).restricted.keys() == {"src"}
    synthetic = Dataset(restricted(tmp_path, readers={"src": "synthetic"}))
    assert (sharing_terms(synthetic).restricted, sharing_terms(synthetic).unknown) == ({}, ())
    assert sharing_terms(Dataset(build(tmp_path / "c", manifest(), spec_of()))).unknown == ("src",)


def test_readers_do_not_change_what_a_dataset_is(tmp_path):
    one, other = (Dataset(build(tmp_path / name, manifest(), spec_of(), readers=readers))
                  for name, readers in (("a", {}), ("b", {"src": "bosphorus"})))  # fmt: skip
    assert one.info["digest"] == other.info["digest"]


def test_a_split_that_hugging_face_cannot_name_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    made = build(tmp_path / "datasets", manifest(splits=("train", "te-st")), spec_of())
    with pytest.raises(UserError, match=r"letters, digits and _ in the name of a split, not 'te-st'"):
        export_dataset(made, tmp_path / "out", ["huggingface"])
    assert not (tmp_path / "out").exists()


def test_clouds_on_the_unit_sphere_keep_their_size_and_place(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    made = Dataset(build(tmp_path / "datasets", manifest(), spec_of(normalize=True)))
    export_dataset(made.path, tmp_path / "out", ["parquet"], ["test"])
    (file,) = (tmp_path / "out").glob("*.parquet")
    with_frames = made.reader("test", ["points", "centroid", "scale"])
    for row, sample in zip(parquet.ParquetFile(file).read().to_pylist(), with_frames, strict=True):
        for name in ("points", "centroid", "scale"):
            assert np.array_equal(np.array(row[name], "f4"), sample[name])


@pytest.mark.slow
def test_registered_faces_come_as_meshes(tmp_path, offline):
    datasets, template = pytest.importorskip("datasets"), own_template()
    faces = [template.vertices * scale for scale in (1.0, 1.1)]
    said = []
    export_dataset(registered(tmp_path, faces), tmp_path / "out", ["huggingface"], say=said.append)
    assert said == ["split all: load_dataset opens it as train, as it reserves the name"]
    rows = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["train"]
    assert len(rows) == len(faces)
    assert isinstance(rows.features["mesh"], datasets.Mesh)
    for row in rows:
        assert np.allclose(row["mesh"].vertices, np.array(row["vertices"], "f4"))
        assert np.array_equal(row["mesh"].faces, template.triangles)


def test_vertices_of_another_topology_come_without_meshes(tmp_path):
    parquet, said = pytest.importorskip("pyarrow.parquet"), []
    made = registered(tmp_path, [own_template().vertices[::-1]])
    export_dataset(made, tmp_path / "out", ["parquet"], say=said.append)
    (file,) = (tmp_path / "out").glob("*.parquet")
    assert "mesh" not in parquet.ParquetFile(file).schema_arrow.names
    assert len(said) == 1
    assert said[0].startswith("no meshes: ")
    assert "another order" in said[0]


def registered(folder, faces):
    frame = manifest(n_people=len(faces), n_captures=1, splits=("all",))
    for place, face in zip(frame["place"], faces, strict=True):
        place.arrays["vertices"] = np.ascontiguousarray(face, "f4")
    return build(folder / "datasets", frame, spec_of(fields=["vertices"]))
