"""`face3d embed`, as typed: files read back by plain h5py, and one line for each mistake."""

import csv
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from made_checkpoint import make_run
from tiny_sets import image_set, map_set, points_set

from face3d_data.cli.main import _answer
from face3d_data.shards.read import Dataset
from face3d_training import embed_parts
from face3d_training.checkpoint import load_model
from face3d_training.embedding import embed_rows
from face3d_training.map_place import said_of_maps
from face3d_training.trained_rows import rows_for

parquet = pytest.importorskip("pyarrow.parquet")


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
        assert (person, label) == (row["name"], int(row["class"]))
        assert path == f"{row['name']}/{row['id']}.ply"
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


@pytest.mark.slow
def test_flip_gives_the_mean_with_the_mirror_image(here, tmp_path, capsys):
    maps = map_set(tmp_path / "work" / "datasets")
    said = said_of_maps(Dataset(maps).info)
    keys = {"model": "map_resnet", "model.in_channels": 4, "model.image_size_px": 32, "model.embedding_size": 8}
    run = make_run(tmp_path / "run", maps, keys={**keys, "data.fields": ["map"]}, maps=json.dumps(said))
    assert call(capsys, maps, run, "--flip", "--out", tmp_path / "f.parquet", "--device", "cpu")[0] == 0
    trained = load_model(run, "cpu")
    stored = Dataset(maps).reader("test").__getitems__(range(16)).arrays["map"].astype("f4")
    turned = stored[:, :, :, ::-1].copy()
    turned[:, 1] = -turned[:, 1]
    scale = np.array([trained.config.data.map_scale_mm, 1, 1, 1], "f4")[:, None, None]
    with torch.inference_mode():
        both = sum(trained.net(torch.from_numpy(maps / scale)).numpy() for maps in (stored, turned))
    found = parquet.read_table(tmp_path / "f.parquet")
    assert found.schema.metadata[b"flip"] == b"mean with the mirror image"
    assert np.allclose(np.stack(found["embedding"].to_numpy()), both / np.linalg.norm(both, axis=1)[:, None], atol=1e-5)


@pytest.mark.slow
def test_parquet_holds_the_rows_of_the_csv(here, tmp_path, expected, capsys):
    code, out, _ = call(capsys, "points", "run", "--out", tmp_path / "e.parquet", "--device", "cpu")
    assert (code, out) == (
        0,
        f"embeddings of 32 samples, 16 of them masked, no back-end, in {tmp_path / 'e.parquet'}\n",
    )
    table, vectors = expected
    rows = parquet.read_table(tmp_path / "e.parquet").to_pylist()
    assert [row["id"] for row in rows] == [row["id"] for row in table]
    assert [row["identity"] for row in rows] == [row["identity"] for row in table]
    assert {row["split"] for row in rows} == {"test"}
    assert [row["mask"] for row in rows] == [row["mask"] for row in table]
    assert np.array_equal(np.array([row["embedding"] for row in rows], "f4"), vectors)


@pytest.mark.slow
def test_a_command_that_was_stopped_goes_on_and_gives_the_same_bytes(here, tmp_path, monkeypatch, capsys):
    wanted = ("points", "run", "--layout", "images", "--device", "cpu")
    assert call(capsys, *wanted, "--out", tmp_path / "whole.h5")[0] == 0
    monkeypatch.setattr(embed_parts, "PART_ROWS", 10)
    seen = []

    def stopped(net, rows, *given, only, **options):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(only.start)
        return embed_rows(net, rows, *given, only=only, **options)

    out = tmp_path / "e.h5"
    monkeypatch.setattr(embed_parts, "embed_rows", stopped)
    assert call(capsys, *wanted, "--out", out)[0] == 130
    assert (seen, out.exists()) == ([0, 10], False)
    seen.clear()
    parts = sorted((tmp_path / "e.h5.parts").glob("*.safetensors"))
    assert len(parts) == 2
    content = bytearray(parts[1].read_bytes())
    content[-3] ^= 1  # a number of the right shape, and another one
    parts[1].write_bytes(content)
    code, _, err = call(capsys, *wanted, "--where", "mask == 'none'", "--out", out)
    assert (code, out.exists()) == (2, False)
    assert "e.h5.parts: holds parts of other embeddings (where differ)" in err
    monkeypatch.setattr(embed_parts, "embed_rows", embed_rows)
    code, said, _ = call(capsys, *wanted, "--out", out)
    assert code == 0
    assert said.startswith(f"note: goes on from 2 parts in {out}.parts\n")
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.h5", "whole.h5"]


MISTAKES = [
    (("points", "run"), "Missing option '--out'"),
    (("pionts", "run", "--out", "e.h5"), "no dataset 'pionts' in work/datasets (there: points, rgb)"),
    (
        ("points", "run", "--out", "e.npy"),
        "--out e.npy: is written as HDF5 or Parquet: give it the ending .h5 or .hdf5 or .parquet",
    ),
    (("points", "gone", "--out", "e.h5"), "gone: no such checkpoint"),
    (("points", "run", "--out", "taken.h5"), "taken.h5: already exists: use another name, or remove it first"),
    (("points", "run", "--out", "taken.h5/e.h5"), "--out taken.h5/e.h5: "),
    (("points", "run", "--out", "e.h5", "--layout", "people"), "'people' is not one of 'gallery', 'images'"),
    (("points", "run", "--out", "e.h5", "--split", "tset"), "has no split 'tset': choose one of train, eval, test"),
    (("points", "run", "--out", "e.h5", "--where", "mask = 1"), "--where: query 'mask = 1'"),
    (("points", "run", "--out", "e.h5", "--where", "mask == 'kn95'"), "matches"),
    (("rgb", "run", "--out", "e.h5"), "dataset rgb holds"),
    (("points", "run", "--out", "e.h5", "--flip"), "--flip: mirrors images and maps; this network takes points"),
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
