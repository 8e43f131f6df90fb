"""The back-end of a packaged network, as typed: it is judged, it projects embeddings, and it is listed."""

import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from made_checkpoint import make_run
from tiny_sets import points_set

from face3d_data.cli.main import _answer
from face3d_training.back_ends.back_end_file import read_back_end
from face3d_training.checkpoint import export_safetensors, find_checkpoint, read_checkpoint
from face3d_training.evaluation.metrics.results import ModelFacts
from face3d_training.evaluation.report.drawn import Drawn

PEOPLE = "embeddings of 4 people, means over 32 samples, 16 of them masked"
QUICK = ("--no-baseline", "--resamples", "20", "--device", "cpu", "--protocol", "plain_to_plain")


def call(capsys, *arguments):
    code = _answer([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A workspace, a network in a folder of its own, and back-ends that an evaluation learnt on it."""
    folder = tmp_path_factory.mktemp("made")
    points = points_set(folder / "work" / "datasets")
    run = make_run(folder / "run", points)
    export_safetensors(folder / "tiny.safetensors", read_checkpoint(find_checkpoint(run)), small=True)
    learn = [word for kind in ("lda", "plda") for word in ("--back-end", kind)]
    with pytest.MonkeyPatch.context() as patch:
        undrawn(patch)
        where = ("-w", str(folder / "work"), "--out", str(folder / "e"))
        assert _answer(["evaluate", "points", str(folder / "tiny.safetensors"), *QUICK, *learn, *where]) == 0
    return folder


def undrawn(patch):
    patch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))
    patch.setattr("face3d_training.evaluation.run.measure_cost", lambda *arguments: ModelFacts(7, 8))


@pytest.fixture
def packaged(made, tmp_path, monkeypatch):
    """What comes with the package is that network alone; the file beside it is not there yet."""
    undrawn(monkeypatch)
    monkeypatch.chdir(made)
    folder = tmp_path / "pretrained"
    folder.mkdir()
    shutil.copyfile(made / "tiny.safetensors", folder / "tiny.safetensors")
    monkeypatch.setattr("face3d_training.packaged.PRETRAINED", folder)
    return folder


@pytest.fixture
def with_lda(made, packaged):
    shutil.copyfile(made / "e" / "back_ends" / "tiny-lda.safetensors", packaged / "tiny.back_end.safetensors")
    return packaged


@pytest.fixture
def with_plda(made, packaged):
    shutil.copyfile(made / "e" / "back_ends" / "tiny-plda.safetensors", packaged / "tiny.back_end.safetensors")
    return packaged


def embeddings(path):
    with h5py.File(path) as file:
        found = {image: file[person][image]["embedding"][:] for person in file for image in file[person]}
        return found, dict(file.attrs)


@pytest.mark.slow
def test_the_packaged_network_is_judged_with_and_without_it(with_lda, made, tmp_path, capsys):
    code, out, _ = call(capsys, "evaluate", "points", "--model", "packaged", *QUICK, "--out", tmp_path / "e", "--json")
    assert code == 0
    found = json.loads(out)
    assert list(found["methods"]) == ["packaged tiny", "packaged tiny + lda"]
    assert [(one["better"], one["other"]) for one in found["differences"]] == [("packaged tiny + lda", "packaged tiny")]
    assert {check["method"]: check["state"] for check in found["about"]["leaks"]} == dict.fromkeys(
        found["methods"], "none"
    )
    first = json.loads((made / "e" / "metrics.json").read_text())["methods"]["tiny + lda"]
    assert found["methods"]["packaged tiny + lda"]["verification"] == first["verification"]


@pytest.mark.slow
def test_a_back_end_that_is_asked_for_too_is_judged_once(with_lda, made, tmp_path, capsys):
    files = [made / "e" / "back_ends" / f"tiny-{kind}.safetensors" for kind in ("lda", "plda")]
    asked = [word for file in files for word in ("--back-end", file)]
    arguments = ("points", "--model", "packaged", *QUICK, *asked, "--out", tmp_path / "e", "--json")
    found = json.loads(call(capsys, "evaluate", *arguments)[1])
    assert list(found["methods"]) == ["packaged tiny", "packaged tiny + lda", "packaged tiny + plda"]


@pytest.mark.slow
def test_people_that_it_learnt_from_are_not_judged(with_lda, tmp_path, capsys):
    arguments = ("points", "--model", "packaged", *QUICK, "--split", "train", "--out", tmp_path / "e")
    code, out, err = call(capsys, "evaluate", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    for method in ("packaged tiny", "packaged tiny + lda"):
        assert f"{method}: 8 people of the split were in the training data" in err


@pytest.mark.slow
def test_embeddings_are_projected_unless_plain_ones_are_asked_for(with_lda, tmp_path, capsys):
    said = {}
    for name, option in (("projected", ()), ("plain", ("--back-end", "none"))):
        arguments = ("points", "--model", "packaged", "--layout", "images", "--out", tmp_path / f"{name}.h5")
        code, out, err = call(capsys, "embed", *arguments, "--device", "cpu", *option)
        assert (code, err) == (0, "")
        said[name] = out
    assert (
        said["projected"]
        == f"embeddings of 32 samples, 16 of them masked, projected by back-end lda, in {tmp_path / 'projected.h5'}\n"
    )
    assert said["plain"] == f"embeddings of 32 samples, 16 of them masked, no back-end, in {tmp_path / 'plain.h5'}\n"
    (projected, about), (plain, plainly) = (embeddings(tmp_path / f"{name}.h5") for name in ("projected", "plain"))
    assert (about["back_end"], plainly["back_end"]) == ("lda", "none")
    assert len(about["back_end_digest"]) == 64
    back_end = read_back_end(with_lda / "tiny.back_end.safetensors")
    two = np.stack([plain[image] for image in plain]), np.stack([projected[image] for image in plain])
    assert np.linalg.norm(two[1], axis=1) == pytest.approx(1, abs=1e-6)
    assert two[1] @ two[1].T == pytest.approx(back_end.score(two[0], two[0]), abs=1e-5)


@pytest.mark.slow
def test_a_file_projects_the_embeddings_of_its_network(packaged, made, tmp_path, capsys):
    file = made / "e" / "back_ends" / "tiny-lda.safetensors"
    arguments = ("embed", "points", made / "tiny.safetensors", "--back-end", file, "--out", tmp_path / "e.h5")
    code, out, _ = call(capsys, *arguments)
    assert (code, out) == (0, f"{PEOPLE}, projected by back-end lda, in {tmp_path / 'e.h5'}\n")


@pytest.mark.slow
def test_where_it_scores_pairs_alone_plain_embeddings_are_written_and_a_line(with_plda, tmp_path, capsys):
    code, out, _ = call(capsys, "embed", "points", "--model", "packaged", "--out", tmp_path / "e.h5")
    assert code == 0
    assert out.splitlines() == [
        "note: back-end plda of packaged tiny gives scores of pairs and no embeddings: plain ones are written, and "
        "face3d evaluate scores with it",
        f"{PEOPLE}, no back-end, in {tmp_path / 'e.h5'}",
    ]


MISTAKES = [
    (("--back-end", "e/back_ends/tiny-plda.safetensors"), "plda gives scores of pairs and no embeddings: use face3d"),
    (
        ("--back-end", "lda"),
        "--back-end lda: give a file, or none: face3d evaluate --back-end lda learns and writes one",
    ),
    (("--back-end", "gone.safetensors"), "gone.safetensors: this file does not exist"),
    (("--back-end", "tiny.safetensors"), "tiny.safetensors: is not a back-end"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[arguments[-1] for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line_and_code_two(packaged, tmp_path, capsys, arguments, message):
    asked = ("embed", "points", "--model", "packaged", "--out", tmp_path / "e.h5", *arguments)
    code, out, err = call(capsys, *asked)
    assert message in err
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "e.h5").exists()


@pytest.mark.slow
def test_another_network_s_back_end_is_refused(with_lda, made, tmp_path, capsys):
    run = make_run(tmp_path / "run", made / "work" / "datasets" / "points", seed=1)
    export_safetensors(with_lda / "tiny.safetensors", read_checkpoint(find_checkpoint(run)), small=True)
    for command in (("embed", "points"), ("evaluate", "points", *QUICK)):
        code, _, err = call(capsys, *command, "--model", "packaged", "--out", tmp_path / "e.h5")
        assert (code, err.count("\n")) == (2, 1)
        assert "tiny.back_end.safetensors: lies beside tiny.safetensors, but was learnt on another network's" in err
    file = made / "e" / "back_ends" / "tiny-lda.safetensors"
    code, _, err = call(capsys, "embed", "points", run, "--back-end", file, "--out", tmp_path / "e.h5")
    assert (code, err.count("\n")) == (2, 1)
    assert "was learnt on another network's embeddings: give that network, or --back-end none" in err


@pytest.mark.slow
def test_models_lists_it(with_plda, capsys):
    assert ", with back-end plda" in " ".join(call(capsys, "models")[1].split())
    code, out, _ = call(capsys, "models", "--json")
    assert code == 0
    (record,) = (one for one in json.loads(out) if one["kind"] == "trained")
    assert (record["name"], record["model"], record["back_end"]) == ("tiny", "pointnet_basic", "plda")
    assert (record["fields"], record["trained_on"]) == (["points"], "points")
    assert Path(record["path"]) == with_plda / "tiny.safetensors"
    assert record["bytes"] == (with_plda / "tiny.safetensors").stat().st_size
