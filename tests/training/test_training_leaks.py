"""Training on a dataset that leaks is refused; where it is allowed, run, checkpoints and reports say so."""

from __future__ import annotations

import json
from functools import partial

import pytest
import tiny_sets

from face3d_data.cli.main import _answer
from face3d_data.errors import RunStopped
from face3d_data.shards.plan import plan_dataset
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import load_model, read_checkpoint
from face3d_training.config import load_config
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.report.drawn import Drawn
from face3d_training.evaluation.report.printed import printed
from face3d_training.evaluation.run import Request, run_evaluation
from face3d_training.leaks import leaks_of, refuse_leaking
from face3d_training.speed import measure_cost
from face3d_training.train import train

KEYS = [
    *(("model.widths", [8, 16]), ("model.embedding_size", 8), ("batch.identities", 4), ("batch.samples", 4)),
    *(("epochs", 1), ("threads", 1), ("device", "cpu"), ("stop.collapse_spread", 0.0)),
]
LINES = [
    "dataset points: 1 person in more than one split: tiny/p08",
    "dataset points: 1 capture in more than one split: tiny/p08/c0",
    "dataset points: 2 samples of the same files in more than one split: tiny/p08/c0, "
    "tiny/p08/c0~mask_surgical.0~00000041",
]


def leaking(frame, *arguments, **options):
    """Plan a dataset in which one masked face of a person of `eval` is in `train`, whatever comes of it."""
    moved = frame["id"].str.startswith("tiny/p08/c0~")
    return plan_dataset(
        frame.assign(split=frame["split"].where(~moved, "train")), *arguments, allow_leaks=True, **options
    )


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return tiny_sets.points_set(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny_sets, "plan_dataset", leaking)
        return tiny_sets.publish(tmp_path_factory.mktemp("leaky"), "points", tiny_sets.point_rows(64, True))


@pytest.fixture(scope="module")
def run(leaky, tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("run") / "r", []
    train(leaky, load_config(None, [*KEYS, ("allow_leaks", True)]), folder, say=said.append, stop_asked=lambda: False)
    return folder, said


def test_a_clean_dataset_has_no_lines(clean):
    assert leaks_of(Dataset(clean)) == []
    assert refuse_leaking(Dataset(clean), allowed=False) == []


def test_a_leaking_dataset_is_refused_before_anything_is_written(leaky, tmp_path, capsys):
    with pytest.raises(RunStopped, match="1 person in more than one split: tiny/p08") as stopped:
        train(leaky, load_config(None, KEYS), tmp_path / "r", say=print)
    assert "--allow-leaks" in str(stopped.value)
    assert not (tmp_path / "r").exists()
    options = [f"--{key.replace('_', '-')}={str(value).strip('[]').replace(' ', '')}" for key, value in KEYS]
    assert _answer(["train", str(leaky), *options, "--out", str(tmp_path / "r")]) == 1
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "1 capture in more than one split: tiny/p08/c0" in line


def test_bytes_that_leaked_when_it_was_published_count_too(clean, tmp_path):
    info = Dataset(clean).info
    dataset = Dataset(clean)
    dataset.info = {**info, "leaks": {"content": ["tiny/p00/c0", "tiny/p08/c1"]}}
    line = "dataset points: 2 samples with equal content in more than one split: tiny/p00/c0, tiny/p08/c1"
    assert leaks_of(dataset) == [line]


@pytest.mark.slow
def test_an_allowed_leak_is_told_by_run_and_checkpoints(run):
    folder, said = run
    assert [line for line in said if line.startswith("LEAK")] == [f"LEAK, allowed: {line}" for line in LINES]
    about = json.loads((folder / "run.json").read_text())
    assert (about["allow_leaks"], about["leaks"]) == (True, LINES)
    assert "allow_leaks: true" in (folder / "config.yaml").read_text()
    for name in ("best.pt", "last.pt", "best.safetensors"):
        assert read_checkpoint(folder / "checkpoints" / name)["dataset_leaks"] == LINES
        assert load_model(folder / "checkpoints" / name).info["dataset_leaks"] == LINES


@pytest.mark.slow
def test_a_run_that_goes_on_still_tells(run, leaky):
    folder, _ = run
    keys = [(key, 2 if key == "epochs" else value) for key, value in KEYS]
    with pytest.raises(RunStopped):
        train(leaky, load_config(None, keys), folder, resume=True, say=lambda line: None)
    train(leaky, load_config(None, [*keys, ("allow_leaks", True)]), folder, resume=True, say=lambda line: None)
    assert json.loads((folder / "run.json").read_text())["leaks"] == LINES


@pytest.mark.slow
def test_weights_bring_what_they_were_learnt_from(run, clean, tmp_path):
    folder, _ = run
    train(clean, load_config(None, [*KEYS, ("weights", str(folder))]), tmp_path / "r", say=lambda line: None)
    assert read_checkpoint(tmp_path / "r" / "checkpoints" / "last.pt")["dataset_leaks"] == LINES
    assert json.loads((tmp_path / "r" / "run.json").read_text())["leaks"] == LINES


@pytest.fixture
def quickly(monkeypatch):
    """Time networks by three passes each, and draw nothing."""
    monkeypatch.setattr("face3d_training.evaluation.run.measure_cost", partial(measure_cost, seconds=0))
    monkeypatch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))


@pytest.mark.slow
@pytest.mark.usefixtures("quickly")
def test_every_report_made_from_it_repeats_it(run, clean, leaky, tmp_path):
    folder, _ = run
    given = {
        "baselines": False,
        "settings": EvaluationSettings(resamples=10),
        "device": "cpu",
        "protocol": "plain_to_plain",
    }
    learnt = tuple(f"r: learnt from {line}" for line in LINES)
    for dataset, lines in ((clean, learnt), (leaky, (*LINES, *learnt))):
        out = tmp_path / dataset.parent.name
        evaluation, about = run_evaluation(Request(dataset, out, (folder,), **given))
        assert about.dataset_leaks == lines
        assert json.loads((out / "metrics.json").read_text())["about"]["dataset_leaks"] == list(lines)
        shown = list(printed(evaluation, about))
        for line in lines:
            assert f"LEAK: {line}" in shown
            assert f"LEAK, allowed by --allow-leaks: {line}" in (out / "report.html").read_text()
