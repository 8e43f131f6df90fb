"""The making of the packaged network: its back-end is learnt once, goes beside it, and figures are not made twice."""

import argparse
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "training"))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import make_model
import model_card
from made_checkpoint import make_run
from tiny_sets import points_set

from face3d_data.cli.main import _answer
from face3d_training.back_ends.back_end_file import read_back_end
from face3d_training.checkpoint import export_safetensors, find_checkpoint, read_checkpoint
from face3d_training.evaluation.metrics.results import ModelFacts
from face3d_training.evaluation.report.drawn import Drawn


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A dataset, the file of a network of it, options, and the commands that were called."""
    points = points_set(tmp_path / "work" / "datasets", masked=False)
    run, file = make_run(tmp_path / "run", points), tmp_path / "work" / "model" / "tiny.safetensors"
    file.parent.mkdir()
    export_safetensors(file, read_checkpoint(find_checkpoint(run)), small=True)
    monkeypatch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))
    monkeypatch.setattr("face3d_training.evaluation.run.measure_cost", lambda *arguments: ModelFacts(7, 8))
    monkeypatch.setattr(make_model, "RESAMPLES", 5)
    called = []

    def call(given, *words):
        called.append(words)
        assert _answer([*words, "-w", str(given.workspace), "--device", "cpu"]) == 0

    monkeypatch.setattr(make_model, "call", call)
    given = {"workspace": tmp_path / "work", "name": "tiny", "check": False, "notice": "", "back_end": "lda"}
    return points, file, given, called


def judge(points, file, given):
    options = argparse.Namespace(**given)
    beside = make_model.back_end_of(options, file)
    return beside, make_model.judged(options, file, beside, points, "points")


@pytest.mark.slow
def test_a_back_end_is_learnt_once_and_goes_when_it_is_not_asked_for(made):
    points, file, given, called = made
    beside, metrics = judge(points, file, given)
    assert list(metrics["methods"])[:2] == ["tiny", "tiny + lda"]
    assert "--back-end" in called[0]
    assert read_back_end(beside.path).kind == "lda"
    assert judge(points, file, given) == (beside, metrics)
    assert len(called) == 1
    shutil.rmtree(given["workspace"] / "evaluations")
    assert judge(points, file, given)[1]["methods"]["tiny + lda"] == metrics["methods"]["tiny + lda"]
    assert "--back-end" not in called[1], "the one that is there is taken"
    assert list(judge(points, file, {**given, "back_end": "plda"})[1]["methods"])[:2] == ["tiny", "tiny + plda"]
    beside, metrics = judge(points, file, {**given, "back_end": None})
    assert not beside.path.exists()
    assert list(metrics["methods"])[:2] == ["tiny", "depth map, untrained"]
    assert len(called) == 4


@pytest.mark.slow
def test_a_back_end_of_a_file_is_put_beside_and_on_the_card(made):
    points, file, given, _ = made
    learnt = judge(points, file, given)[0].path.rename(file.with_name("learnt.safetensors"))
    beside, metrics = judge(points, file, {**given, "back_end": str(learnt)})
    assert (beside.kind, beside.path.read_bytes()) == ("lda", learnt.read_bytes())
    assert "tiny + lda" in metrics["methods"]
    assert model_card.back_end_words([beside.path]).startswith("`lda`, learnt on 8 of its training people; ")
    assert model_card.back_end_words([]) == "none"


def figures(rank_1, auc):
    identification = {"p": {"title": "plain → plain", "rank": {"1": {"value": rank_1}}}}
    return {"identification": identification, "verification": {"p": {"auc": {"value": auc}}}}


def test_a_back_end_s_figures_have_to_be_reproduced_too(capsys):
    methods = {"maps": figures(0.9, 0.99), "packaged maps": figures(0.9, 0.99)}
    methods |= {"maps + lda": figures(0.9, 0.99), "packaged maps + lda": figures(0.8, 0.99)}
    metrics = {"dataset": {"name": "strangers"}, "methods": methods}
    assert make_model.compared([metrics], "maps", None) == 0
    assert make_model.compared([metrics], "maps", "lda") == 1
    assert "strangers, maps + lda, plain → plain, rank-1: 0.9000 now, 0.8000 packaged" in capsys.readouterr().out
