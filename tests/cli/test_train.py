"""`face3d train`, as typed: what it prints, and one line and an exit code for everything that cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from tiny_sets import image_set, point_rows, points_set, publish

from face3d_data.cli.main import _answer

SMALL = (
    *("--model.widths", "8,16", "--model.embedding-size", "8", "--batch.identities", "4", "--batch.samples", "4"),
    *("--epochs", "2", "--threads", "1", "--device", "cpu"),
)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """One dataset of clouds and one of photos, and a trained run."""
    folder = tmp_path_factory.mktemp("sets")
    points_set(folder)
    image_set(folder)
    assert _answer(["train", str(folder / "points"), *SMALL, "--out", str(folder / "run")]) == 0
    return folder


def call(capsys, *arguments):
    code = _answer([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refused(capsys, code, *arguments):
    """Return the one line that a call ends with, and check that it is one."""
    found, _, err = call(capsys, *arguments)
    lines = err.strip().splitlines()
    assert found == code, err
    assert len(lines) == 1
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.slow
def test_a_training_says_what_it_does_and_where_it_is(sets, tmp_path, capsys):
    code, out, err = call(capsys, "train", sets / "points", *SMALL, "--out", tmp_path / "r", "--seed", 4)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("pointnet_basic: 460 parameters; 64 samples of 8 people; 2 steps of 16 samples an epoch")
    assert lines[1].startswith("epoch 1/2: loss ")
    assert "samples/s" in lines[1]
    assert lines[-2:] == [f"run {tmp_path / 'r'}", f"best {tmp_path / 'r' / 'checkpoints' / 'best.pt'}"]


@pytest.mark.slow
def test_people_with_one_capture_are_counted(sets, tmp_path, capsys):
    one = "identity != 'tiny/p00' or origin_id == 'tiny/p00/c1'"
    code, out, _ = call(
        capsys, "train", sets / "points", *SMALL, "--epochs", "1", "--data.where", one, "--out", tmp_path / "r"
    )
    assert code == 0
    assert "1 person has one capture only: their genuine pairs are of a recording with itself" in out.splitlines()


def test_configs_are_listed(capsys):
    code, out, _ = call(capsys, "train", "--list")
    assert code == 0
    assert any(line.startswith("points_pointnet: ") for line in out.splitlines())


MISTAKES = [
    (("--batch.identites", "3"), "No such option '--batch.identites'"),
    (("--model.wdths", "3"), "unknown option 'wdths'"),
    (("--model", "pointnet_basik"), "there is no network 'pointnet_basik'"),
    (("--model", "pointnet_basik"), "did you mean 'pointnet_basic'?"),
    (("--model.widths", "a,b"), "model pointnet_basic: 'widths.0' = 'a': give a whole number"),
    (("--model.widths",), "--model.widths needs a value: --model.widths=VALUE"),
    (("--loss", "tripplet"), "there is no loss 'tripplet'"),
    (("--loss.triplet.margin", "-1"), "loss triplet: 'margin' = -1"),
    (("--augment.yaw", "3"), "unknown option 'yaw'"),
    (("--optimizer.learning-rate", "0"), "'optimizer.learning_rate' = 0: Input should be greater than 0"),
    (("--config", "points_pointnett"), "config points_pointnett: there is no such file or packaged config ("),
    (("--resume", "--restart"), "--resume and --restart exclude each other"),
    (("--resume",), "has no checkpoints/last.pt to resume: leave out --resume"),
    (("--device", "cuda:7"), "device cuda:7: torch sees "),
    (("--precision", "16-mixed"), "precision 16-mixed needs CUDA, device is cpu: use bf16-mixed or 32-true"),
    (("--precision", "tf32"), "precision tf32 needs CUDA, device is cpu: use 32-true"),
    (("--data.where", "mask == 'velvet'"), "no row of split 'train' of dataset points matches"),
    (("--data.train-split", "trian"), "has no split 'trian'"),
    (("--data.n-points", "65"), "has 64 points per cloud: use at most 64"),
    (
        ("--data.fields", "points,normals"),
        "takes 3 channels and data.fields (points, normals) give 6",
    ),
    (("--data.where", "identity == 'tiny/p00'"), "8 samples of 1 identity: at least two people are needed"),
    (("--triplets", "absent.npy"), "absent.npy"),
    (("--weights", "absent.pt"), "absent.pt: no such checkpoint"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "message"), MISTAKES, ids=[" ".join(options) for options, _ in MISTAKES])
def test_a_mistake_gets_one_line_that_names_it(sets, tmp_path, capsys, options, message):
    run = tmp_path / "run"
    assert message in refused(capsys, 2, "train", sets / "points", *SMALL, "--out", run, *options)
    assert not run.exists(), "nothing is half-written"


@pytest.mark.slow
def test_batches_hold_no_more_people_than_there_are(sets, tmp_path, capsys):
    code, said, _ = call(capsys, "train", sets / "points", *SMALL, "--out", tmp_path / "r", "--batch.identities", "32")
    assert code == 0
    assert "note: batch.identities is 32, but the dataset has 8 people: batches contain all" in said
    assert "1 step of 32 samples an epoch" in said, "8 people with 4 samples each"


@pytest.mark.slow
def test_a_network_for_points_is_not_given_photos(sets, tmp_path, capsys):
    line = refused(capsys, 2, "train", sets / "rgb", *SMALL, "--out", tmp_path / "r")
    assert "points" in line
    assert "color" in line


@pytest.mark.slow
def test_points_that_are_not_finite_are_told_with_their_sample(sets, tmp_path, capsys):
    folder = points_set(tmp_path).resolve()
    with h5py.File(folder / "shards" / "train-00000.h5", "r+") as file:
        file["data"][5, 3] = np.nan
        sample = file["sample_id"][5].decode()
    assert "shards/train-00000.h5 has another sha256" in refused(capsys, 2, "train", folder, *SMALL, "--out", tmp_path)
    line = refused(capsys, 2, "train", folder, *SMALL, "--no-check", "--out", tmp_path / "r")
    assert sample in line
    assert "not finite" in line


@pytest.mark.slow
def test_a_run_in_use_is_resumed_or_removed_only_when_asked(sets, capsys):
    line = refused(capsys, 2, "train", sets / "points", *SMALL, "--out", sets / "run")
    assert "already contains a run: --resume continues it, --restart removes it; or use another --out" in line
    for option, value in (("model.widthz", "3"), ("augment.yaw-degg", "3"), ("loss.triplet.margn", "3")):
        line = refused(capsys, 2, "train", sets / "points", *SMALL, f"--{option}", value, "--out", sets / "run")
        assert option.rpartition(".")[2].replace("-", "_") in line.replace("-", "_")
        assert "already contains" not in line
    code, out, err = call(capsys, "train", sets / "points", *SMALL, "--out", sets / "run", "--resume")
    assert (code, err) == (0, "")
    assert "its 2 epochs are done (more: --epochs): nothing is left to do" in out


@pytest.mark.slow
def test_a_checkpoint_of_another_architecture_is_refused(sets, tmp_path, capsys):
    other = ("--model.widths", "8,32")
    line = refused(capsys, 2, "train", sets / "points", *SMALL, *other, "--out", sets / "run", "--resume")
    assert "was started with another model.widths ([8, 16] → [8, 32])" in line
    line = refused(
        capsys, 2, "train", sets / "points", *SMALL, *other, "--out", tmp_path / "r", "--weights", sets / "run"
    )
    assert "the weights are of another architecture (" in line
    assert "where (32, 8" in line
    assert not (tmp_path / "r").exists()


def set_of(folder, change):
    """Publish the tiny clouds after a change of each: change(person, capture, points)."""
    rows = [
        (person, capture, variant, {"points": change(person, capture, arrays["points"])}, tags)
        for person, capture, variant, arrays, tags in point_rows(64, False)
    ]
    return publish(folder, "changed", rows)


COLLAPSING = ("--model.norm", "group", "--optimizer.learning-rate", "1e-6")


@pytest.mark.slow
def test_a_collapse_stops_with_advice(tmp_path, capsys):
    first = point_rows(64, False)[0][3]["points"]
    folder = set_of(tmp_path, lambda person, capture, points: first + np.float32(1e-2 * (4 * person + capture)))
    line = refused(capsys, 1, "train", folder, *SMALL, *COLLAPSING, "--out", tmp_path / "r")
    assert "embeddings have collapsed: their rms distance to their mean was " in line
    assert "in epoch 2 " in line
    assert "--loss.triplet.mining semihard" in line
    assert (tmp_path / "r" / "checkpoints" / "last.pt").is_file()


@pytest.mark.slow
def test_embeddings_that_are_all_the_same_are_a_collapse_too(tmp_path, capsys):
    folder = set_of(tmp_path, lambda person, capture, points: np.zeros_like(points))
    line = refused(
        capsys, 1, "train", folder, *SMALL, *COLLAPSING, "--loss.triplet.mining", "all", "--out", tmp_path / "r"
    )
    assert "their rms distance to their mean was 0 in epoch 2 " in line


@pytest.mark.slow
def test_people_who_are_separated_from_the_start_are_a_success(tmp_path, capsys):
    first = point_rows(64, False)[0][3]["points"]
    folder = set_of(tmp_path, lambda person, capture, points: first * np.float32(0.5 + person))
    code, out, err = call(
        capsys, "train", folder, *SMALL, "--out", tmp_path / "r", "--loss.triplet.mining", "hard",
        "--model.norm", "group",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "every triplet of the training split satisfies the margin" in out
    assert (tmp_path / "r" / "checkpoints" / "best.pt").is_file()


def test_a_dataset_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, 2, "train", "absent")
    assert "no dataset 'absent' in work/datasets" in line
