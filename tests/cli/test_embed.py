"""`face3d embed`, as typed: files read back by plain h5py, and one line for each mistake."""

import csv
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from made_checkpoint import make_run
from tiny_sets import image_set, points_set

from face3d_data.cli.main import _answer
from face3d_training.checkpoint import load_model
from face3d_training.embedding import embed_rows
from face3d_training.trained_rows import rows_for


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    points = points_set(folder / "work" / "datasets", n_points=64)
    image_set(folder / "work" / "datasets")
    make_run(folder / "run", points)
    (folder / "taken.h5").write_text("mine")
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def expected(folder):
    """Rows of the split `test` and the embedding of each, by the network itself."""
    trained = load_model(folder / "run", "cpu")
    rows, _ = rows_for(trained, folder / "work" / "datasets" / "points", "test")
    with open(folder / "work" / "datasets" / "points" / "test.csv") as stream:
        return list(csv.DictReader(stream)), embed_rows(trained.net, rows)


def call(capsys, *arguments):
    code = _answer(["embed", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.slow
def test_images_come_back_with_label_and_path(here, tmp_path, expected, capsys):
    code, out, err = call(capsys, "points", "run", "--layout", "images", "--out", tmp_path / "e.h5", "--device", "cpu")
    assert (code, out, err) == (
        0,
        f"embeddings of 32 samples, 16 of them masked, no back-end, in {tmp_path / 'e.h5'}\n",
        "",
    )
    table, vectors = expected
    found = {}
    with h5py.File(tmp_path / "e.h5") as file:
        for person in file:
            for image in file[person]:
                group = file[person][image]
                path = group.attrs["file_path"].decode("UTF-8")
                assert image == path.rpartition("/")[2]
                found[image.removesuffix(".ply")] = (person, file[person].attrs["label"], path, group["embedding"][:])
    assert len(found) == len(table)
    for row, vector in zip(table, vectors, strict=True):
        person, label, path, stored = found[row["id"]]
        assert (person, label, path) == (row["name"], int(row["class"]), f"{row['name']}/{row['id']}.ply")
        assert np.array_equal(stored, vector)


@pytest.mark.slow
def test_file_paths_are_those_that_export_writes(here, tmp_path, capsys):
    assert call(capsys, "points", "run", "--layout", "images", "--out", tmp_path / "e.h5")[0] == 0
    assert _answer(["export", "points", str(tmp_path / "exported"), "--split", "test"]) == 0
    with h5py.File(tmp_path / "e.h5") as file:
        paths = [image.attrs["file_path"].decode() for person in file.values() for image in person.values()]
    assert len(paths) == 32
    assert all((tmp_path / "exported" / path).is_file() for path in paths)


@pytest.mark.slow
def test_a_gallery_is_the_mean_of_each_person_of_chosen_rows(here, tmp_path, expected, capsys):
    query = ("--where", "mask == 'none'")
    code, out, _ = call(capsys, "points", "run", "--out", tmp_path / "g.h5", *query)
    assert (code, out) == (
        0,
        f"embeddings of 4 people, means over 16 samples, no back-end, in {tmp_path / 'g.h5'}\n",
    )
    table, vectors = expected
    with h5py.File(tmp_path / "g.h5") as file:
        assert file.attrs["split"] == "test"
        for name in file:
            mine = [
                vector
                for row, vector in zip(table, vectors, strict=True)
                if (row["name"], row["mask"]) == (name, "none")
            ]
            mean = np.mean(mine, axis=0, dtype=np.float64)
            assert np.allclose(file[name]["embedding"][:], mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.slow
def test_another_program_s_checkpoint_is_taken_and_what_fits_nowhere_is_told(here, tmp_path, capsys):
    from face3d_training.registry import make_spec

    net = make_spec("model", "resnet18", {"embedding_size": 8}).build()
    weights = {f"model.{name}": value for name, value in net.state_dict().items()}
    weights["model.extra"] = torch.zeros(3)
    state = {"model_state_dict": weights, "model_architecture": "resnet18", "embedding_dimension": 8}
    torch.save(state, tmp_path / "foreign.pt")
    code, out, _ = call(capsys, "rgb", tmp_path / "foreign.pt", "--out", tmp_path / "f.h5", "--data.image-size", "32")
    assert code == 0
    assert "note: " in out
    assert "extra" in out
    with h5py.File(tmp_path / "f.h5") as file:
        assert len(file) == 4
        assert all(np.linalg.norm(file[name]["embedding"][:]) == pytest.approx(1) for name in file)


MISTAKES = [
    (("points", "run"), "Missing option '--out'"),
    (("pionts", "run", "--out", "e.h5"), "no dataset 'pionts' in work/datasets (there: points, rgb)"),
    (("points", "run", "--out", "e.npy"), "--out e.npy: is written as HDF5: give it the ending .h5 or .hdf5"),
    (("points", "gone", "--out", "e.h5"), "gone: no such checkpoint"),
    (("points", "run", "--out", "taken.h5"), "taken.h5: already exists: use another name, or remove it first"),
    (("points", "run", "--out", "taken.h5/e.h5"), "--out taken.h5/e.h5: "),
    (("points", "run", "--out", "e.h5", "--layout", "people"), "'people' is not one of 'gallery', 'images'"),
    (("points", "run", "--out", "e.h5", "--split", "tset"), "has no split 'tset': choose one of train, eval, test"),
    (("points", "run", "--out", "e.h5", "--where", "mask = 1"), "--where: query 'mask = 1'"),
    (("points", "run", "--out", "e.h5", "--where", "mask == 'kn95'"), "matches"),
    (("rgb", "run", "--out", "e.h5"), "dataset rgb holds"),
    (("points", "run", "--out", "e.h5", "--device", "tpu"), "'tpu' is not a device"),
    (("points", "run", "--out", "e.h5", "--data.fields", "points,normals"), "takes 3 channels and"),
    (
        ("points", "run", "--out", "e.h5", "--data.image-size", "32"),
        "data.image_size_px: changes nothing for a network that takes points: leave it out",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line_and_code_two(here, capsys, arguments, message):
    code, out, err = call(capsys, *arguments)
    assert message in err
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err
    assert not (here / "e.h5").exists()
    assert (here / "taken.h5").read_text() == "mine"
