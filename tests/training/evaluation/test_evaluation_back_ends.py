"""Back-ends and fusion in an evaluation: who they learn from, what is refused, and what is written."""

import functools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from made_checkpoint import SMALL_POINTS, make_run
from tiny_sets import SPLITS, points_set

from face3d_data.errors import RunStopped, UserError
from face3d_data.shards.read import Dataset
from face3d_training.back_ends.back_end_file import read_back_end
from face3d_training.checkpoint import load_model
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.report.drawn import Drawn
from face3d_training.evaluation.run import Request, run_evaluation
from face3d_training.speed import measure_cost
from face3d_training.training_embeddings import embed_training_rows, training_rows

FEW = EvaluationSettings(resamples=20)
MASKED = {**SMALL_POINTS, "model.widths": "8,24", "masks.share": 0.5}


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """Time networks by three passes each, draw nothing, and take few people for enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("face3d_training.evaluation.run.measure_cost", functools.partial(measure_cost, seconds=0))
        patch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))
        patch.setattr("face3d_training.evaluation.baselines.plan.LDA_FEWEST_PEOPLE", 2)
        patch.setattr("face3d_training.evaluation.baselines.methods.LDA_FEWEST_PEOPLE", 2)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A dataset of clouds, two runs of one config, and one of another."""
    folder = tmp_path_factory.mktemp("back-ends")
    dataset = points_set(folder, n_points=400)
    for seed in (0, 1):
        make_run(folder / f"small-s{seed}", dataset, seed, MASKED)
    make_run(folder / "narrow", dataset, 0, {**SMALL_POINTS, "model.widths": "12,32"})
    return folder


@pytest.fixture(scope="module")
def request_of(place):
    def made(out, *names, **options):
        given = {"baselines": False, "settings": FEW, "device": "cpu", "protocol": "plain_to_plain", **options}
        return Request(place / "points", out, tuple(place / name for name in names), **given)

    return made


@pytest.fixture(scope="module")
def judged(place, request_of):
    out = place / "judged"
    runs = ("small-s0", "small-s1", "narrow")
    request = request_of(out, *runs, baselines=True, back_ends=("lda", "plda+asnorm"), fuse=True)
    return *run_evaluation(request), out


@pytest.mark.slow
def test_every_network_is_judged_with_every_back_end(judged):
    evaluation, about, _ = judged
    networks = ["small-s0", "small-s1", "narrow"]
    wanted = [name for one in networks for name in (one, f"{one} + lda", f"{one} + plda+asnorm")]
    assert list(evaluation.methods) == [*wanted, "fusion", *about.baselines]
    assert len(about.baselines) == 2
    assert {group.name: group.methods for group in evaluation.seeds}["small + lda"] == (
        "small-s0 + lda",
        "small-s1 + lda",
    )


@pytest.mark.slow
def test_a_back_end_is_held_against_its_own_bare_network(judged):
    pairs = {(one.better, one.other) for one in judged[0].differences}
    for kind in ("lda", "plda+asnorm"):
        assert (f"small + {kind}", "small") in pairs
        assert (f"narrow + {kind}", "narrow") in pairs
    assert {("fusion", "small"), ("fusion", "depth map, untrained")} <= pairs


@pytest.mark.slow
def test_what_is_learnt_is_checked_for_leaks_and_said(judged):
    _, about, _ = judged
    checked = {check.method: check.state for check in about.leaks}
    assert checked["small-s0 + lda"] == checked["narrow + plda+asnorm"] == checked["fusion"] == "none"
    notes = "\n".join(about.baseline_notes)
    assert (
        "small-s0, back-ends lda, plda+asnorm: learnt on 128 embeddings of 8 people of dataset points, split train, as "
        "stored and as varied in its training, masks included" in notes
    )
    assert "of 4 people of dataset points, split eval" in notes


@pytest.mark.slow
def test_the_fusion_is_a_weighted_sum_of_all_other_scores(judged):
    evaluation, _, out = judged
    scores = pd.read_csv(out / "scores.csv", keep_default_na=False)
    others = scores[[name for name in evaluation.methods if name != "fusion"]].to_numpy(float)
    design = np.column_stack([others, np.ones(len(others))])
    weights = np.linalg.lstsq(design, scores["fusion"], rcond=None)[0]
    assert design @ weights == pytest.approx(scores["fusion"].to_numpy(float), abs=1e-6)


@pytest.mark.slow
def test_a_back_end_that_was_written_scores_as_it_did(judged, request_of, tmp_path, monkeypatch):
    name = "face3d_training.evaluation.learnt.embed_training_rows"
    monkeypatch.setattr(name, lambda *a, **k: pytest.fail("it was learnt again"))
    file = judged[2] / "back_ends" / "small-s0-plda+asnorm.safetensors"
    assert read_back_end(file).info["dataset"] == "points"
    _, about = run_evaluation(request_of(tmp_path / "out", "small-s0", back_ends=(str(file),)))
    assert [check.state for check in about.leaks] == ["none", "none"]
    one, two = (pd.read_csv(folder / "scores.csv", keep_default_na=False) for folder in (judged[2], tmp_path / "out"))
    assert np.array_equal(one["small-s0 + plda+asnorm"], two["small-s0 + plda+asnorm"])
    with pytest.raises(UserError, match="was learnt on another network's embeddings"):
        run_evaluation(request_of(tmp_path / "other", "narrow", back_ends=(str(file),)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "options", "methods"),
    [("train", {"back_ends": ("lda",)}, "small-s0 + lda"), ("eval", {"fuse": True, "baselines": True}, "fusion")],
)
def test_nothing_is_learnt_on_the_people_who_are_judged(request_of, tmp_path, split, options, methods):
    with pytest.raises(
        RunStopped, match=f"{methods.replace('+', '.')}: 4|8 people of the split were in the training data"
    ):
        run_evaluation(request_of(tmp_path / "out", "small-s0", split=split, **options))
    _, about = run_evaluation(request_of(tmp_path / "out", "small-s0", split=split, allow_leaks=True, **options))
    assert methods in {check.method for check in about.leaked}


@pytest.mark.slow
def test_training_data_that_are_not_here_are_asked_for(request_of, place, tmp_path):
    other = points_set(tmp_path / "other", n_points=500)
    make_run(tmp_path / "elsewhere", other)
    for options in ({"back_ends": ("plda",)}, {"fuse": True, "baselines": True}):
        request = request_of(tmp_path / "out", tmp_path / "elsewhere", **options)
        with pytest.raises(
            UserError, match=r"was trained on dataset points, which is not the dataset judged .*--train-dataset"
        ):
            run_evaluation(request)
    given = request_of(tmp_path / "out", "small-s0", back_ends=("plda",), train_dataset=other)
    _, about = run_evaluation(given)
    assert any("not from what the network was trained on" in notice for notice in about.notices)


@pytest.mark.slow
def test_a_file_knows_whom_it_was_learnt_from(request_of, tmp_path):
    others = points_set(
        tmp_path, n_points=500, splits=tuple("train" if split == "test" else "eval" for split in SPLITS)
    )
    learn = request_of(tmp_path / "learnt", "small-s0", back_ends=("lda",), train_dataset=others, allow_leaks=True)
    run_evaluation(learn)
    file = str(tmp_path / "learnt" / "back_ends" / "small-s0-lda.safetensors")
    with pytest.raises(RunStopped, match=r"small-s0 \+ lda: 4 people of the split were in the training data"):
        run_evaluation(request_of(tmp_path / "out", "small-s0", back_ends=(file,)))
    _, about = run_evaluation(request_of(tmp_path / "out", "small-s0", split="eval", back_ends=(file,)))
    assert [(check.method, check.state) for check in about.leaks] == [("small-s0", "none"), ("small-s0 + lda", "none")]


@pytest.mark.slow
def test_who_was_trained_on_is_not_fit_to_weigh_on(request_of, place, tmp_path):
    make_run(tmp_path / "all", place / "points", train_split="eval")
    _, about = run_evaluation(request_of(tmp_path / "out", tmp_path / "all", "narrow", fuse=True))
    assert "fusion: all was trained on 4 people that it is weighed on: its weight is too large" in about.notices


@pytest.mark.slow
def test_what_cannot_be_learnt_is_refused_in_one_line(request_of, tmp_path):
    halves = tuple("train" if split == "eval" else split for split in SPLITS)
    alone = points_set(tmp_path / "alone", n_points=400, splits=halves)
    make_run(tmp_path / "run", alone)
    for names, options, message in (
        (("small-s0",), {"back_ends": ("ldaa",)}, "no back-end 'ldaa'"),
        ((), {"back_ends": ("lda",), "baselines": True}, "there is no network"),
        (("small-s0",), {"fuse": True}, "one method alone"),
        (("small-s0",), {"fuse": True, "train_dataset": alone}, "has 0 people in split 'eval', 2 are needed"),
        (("small-s0",), {"back_ends": ("absent.safetensors",)}, "absent.safetensors"),
    ):
        with pytest.raises(UserError, match=message) as refused:
            run_evaluation(request_of(tmp_path / "out", *names, **options))
        assert "\n" not in str(refused.value)
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_training_faces_are_embedded_as_stored_and_in_masks(place):
    trained = load_model(place / "small-s0")
    rows = training_rows(trained, place / "points")
    table = Dataset(place / "points").table("train")
    found = embed_training_rows(trained, rows, copies=2)
    assert len(found.vectors) == len(found.people) == 3 * len(table)
    assert found.people.tolist() == table["identity"].tolist() * 3
    plain, one, two = np.split(found.vectors, 3)
    assert not np.allclose(plain, one)
    assert not np.allclose(one, two)
    assert masked_of(rows) > (table["mask"] != "none").sum()
    again = embed_training_rows(trained, rows, copies=1)
    assert np.array_equal(again.vectors, found.vectors[: 2 * len(table)])


def masked_of(rows):
    """Return how many faces of the first varied copies wear a mask."""
    return rows.varied.__getitems__([(row, 0, 1) for row in range(len(rows.varied))])["masked"].sum()


@pytest.mark.slow
def test_where_masks_come_in_pairs_the_first_varied_copy_is_the_masked_one(place, tmp_path, monkeypatch):
    make_run(tmp_path / "pairs", place / "points", 0, {**MASKED, "masks.pairs": True})
    trained = load_model(tmp_path / "pairs")
    rows, seen = training_rows(trained, place / "points"), []
    monkeypatch.setattr(
        "face3d_training.training_embeddings.embed_rows",
        lambda net, rows, *a, drawn, **k: seen.append(drawn) or np.ones((len(rows), 8)),
    )
    embed_training_rows(trained, rows, copies=3)
    assert seen == [(0, 0), (0, 1), (1, 0), (2, 1)]
    assert masked_of(rows) == len(rows.table)


@pytest.mark.slow
def test_only_the_rows_of_the_training_are_learnt_from(place, tmp_path):
    make_run(tmp_path / "plain", place / "points", 0, {**SMALL_POINTS, "data.where": "mask == 'none'"})
    trained = load_model(tmp_path / "plain")
    assert set(training_rows(trained, place / "points").table["mask"]) == {"none"}
    chosen = training_rows(trained, place / "points", where="mask != 'none'")
    assert set(chosen.table["mask"]) == {"surgical"}
    assert len(chosen.plain) == 32


@pytest.mark.slow
def test_back_ends_and_fusion_learn_from_the_rows_that_are_asked_for(request_of, tmp_path):
    options = {"back_ends": ("lda",), "fuse": True, "baselines": True, "train_where": "mask == 'none'"}
    _, about = run_evaluation(request_of(tmp_path / "out", "small-s0", **options))
    assert "learnt on 64 embeddings of 8 people" in about.baseline_notes[0]
    assert "24 genuine pairs and 96 impostor pairs of 4 people" in about.baseline_notes[-1]
