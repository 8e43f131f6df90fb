"""`--model packaged`, as typed: right after the installation, without a checkpoint."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from made_checkpoint import make_run
from tiny_sets import map_set, points_set

from face3d_data.cli.main import _answer
from face3d_training.evaluation.report.drawn import Drawn
from face3d_training.packaged import MODEL_CARD, PRETRAINED, packaged_names, packaged_networks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    points = points_set(folder / "work" / "datasets")
    map_set(folder / "work" / "datasets", cells=64)
    make_run(folder / "run", points)
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def call(capsys, *arguments):
    code = _answer([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["packaged", packaged_names()[0]])
def test_a_dataset_is_embedded(here, tmp_path, capsys, name):
    code, out, err = call(capsys, "embed", "maps", "--model", name, "--out", tmp_path / "e.h5", "--device", "cpu")
    assert (code, err) == (0, "")
    assert out == f"embeddings of 4 people, means over 16 samples, no back-end, in {tmp_path / 'e.h5'}\n"
    with h5py.File(tmp_path / "e.h5") as file:
        assert [np.linalg.norm(file[person]["embedding"][:]) for person in file] == pytest.approx([1] * 4)


@pytest.mark.slow
def test_it_is_judged_beside_a_run(here, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))
    quick = ("--no-baseline", "--resamples", "20", "--device", "cpu", "--json")
    code, out, _ = call(capsys, "evaluate", "maps", "--model", "packaged", *quick)
    assert code == 0
    name = f"packaged {packaged_names()[0]}"
    assert list(json.loads(out)["methods"]) == [name]
    assert (here / "work" / "evaluations" / f"maps-test-{name.replace(' ', '-')}" / "metrics.json").is_file()


def test_models_lists_it_with_its_card(capsys):
    code, out, _ = call(capsys, "models")
    assert code == 0
    assert "trained networks, for embed and evaluate:" in out
    assert "  --model packaged" in out
    assert str(PRETRAINED / MODEL_CARD) in out


@pytest.mark.parametrize("bytes_left", [0, 100_000])
@pytest.mark.parametrize("arguments", [("models",), ("models", "maps"), ("embed", "maps", "--out", "e.h5")])
def test_a_damaged_file_is_one_line_with_the_remedy(here, tmp_path, monkeypatch, capsys, bytes_left, arguments):
    monkeypatch.setattr("face3d_training.packaged.PRETRAINED", tmp_path)
    file = tmp_path / "maps.safetensors"
    file.write_bytes((PRETRAINED / "maps.safetensors").read_bytes()[:bytes_left])
    code, out, err = call(capsys, *arguments, *(("--model", "packaged") if arguments[0] == "embed" else ()))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(file) in err
    assert "comes with the package: install that again" in err or arguments[0] == "embed"


def test_one_that_was_changed_says_to_install_it_again(here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("face3d_training.packaged.PRETRAINED", tmp_path)
    content = bytearray((PRETRAINED / "maps.safetensors").read_bytes())
    content[-1000] ^= 1
    (tmp_path / "maps.safetensors").write_bytes(content)
    code, out, err = call(capsys, "embed", "maps", "--model", "packaged", "--out", "e.h5")
    assert (code, out) == (2, "")
    assert "its content is not what was written: it comes with the package: install that again" in err


@pytest.mark.parametrize("name", ["packaged", "maps"])
def test_models_shows_one_trained_network(name, capsys):
    record = packaged_networks()[0].record()
    code, out, _ = call(capsys, "models", name, "--json")
    assert (code, json.loads(out)) == (0, record)
    code, out, _ = call(capsys, "models", name)
    assert code == 0
    assert f"sha256: {record['sha256']}" in out.splitlines()
    assert "fields: map" in out.splitlines()


MISTAKES = [
    (("embed", "maps", "--out", "e.h5"), "embed: give one network: a CHECKPOINT, or --model packaged"),
    (("embed", "maps", "run", "--model", "packaged", "--out", "e.h5"), "embed: give one network"),
    (("embed", "maps", "--model", "mapps", "--out", "e.h5"), "--model mapps: no network of that name comes with the"),
    (("embed", "points", "--model", "packaged", "--out", "e.h5"), "dataset points: has no field map, which packaged "),
    (("evaluate", "points", "--model", "packaged", "--no-baseline"), "{stage: maps, with: {cell_mm: 2, size: 64,"),
    (
        ("evaluate", "maps", "run", "--model", "packaged", "--no-baseline"),
        "dataset maps holds map, but the model takes",
    ),
    (
        ("evaluate", "maps", "--model", "packaged", "--no-baseline", "--back-end", "lda"),
        "are not part of the package: name a dataset of others by --train-dataset, or make theirs by face3d run recog",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line_and_code_two(here, capsys, arguments, message):
    code, out, err = call(capsys, *arguments)
    assert message in err
    assert (code, out, err.count("\n")) == (2, "", 1)
