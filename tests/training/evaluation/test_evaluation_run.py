"""The run behind `face3d evaluate`: names, leaks, seeds, baselines, and what is written."""

import functools
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from made_checkpoint import SMALL_IMAGE, SMALL_POINTS, make_run
from tiny_sets import image_set, point_rows, points_set, publish

from face3d_data.errors import RunStopped, UserError
from face3d_data.shards.read import Dataset
from face3d_training.evaluation.baselines.plan import plan_baselines
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.networks.load import load_networks, method_names, runs_of_one_config
from face3d_training.evaluation.report.drawn import Drawn, draw
from face3d_training.evaluation.run import Request, default_name, run_evaluation
from face3d_training.leaks import training_fingerprint
from face3d_training.speed import measure_cost

CPU = torch.device("cpu")
FEW = EvaluationSettings(resamples=20)


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """Time networks by three passes each, and draw nothing but where a test draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("face3d_training.evaluation.run.measure_cost", functools.partial(measure_cost, seconds=0))
        patch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))
        yield


@pytest.fixture
def drawing(monkeypatch):
    """Draw everything."""
    monkeypatch.setattr("face3d_training.evaluation.run.draw", draw)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A dataset of clouds, two runs of one config, and one of another."""
    folder = tmp_path_factory.mktemp("evaluation")
    dataset = points_set(folder, n_points=400)
    for seed in (0, 1):
        make_run(folder / f"small-s{seed}", dataset, seed)
    make_run(folder / "narrow", dataset, 0, {**SMALL_POINTS, "model.widths": "8,8"})
    return folder


@pytest.fixture(scope="module")
def request_of(place):
    def made(out, *names, **options):
        given = {"baselines": False, "settings": FEW, "device": "cpu", "protocol": "plain_to_plain", **options}
        return Request(place / "points", out, tuple(place / name for name in names), **given)

    return made


@pytest.mark.slow
def test_what_was_rejected_before_is_said(request_of, place, tmp_path):
    path = points_set(tmp_path, n_points=400)
    for statuses, said in ((["reject", "error", "left_out"], True), (["left_out"], False)):
        lines = ["sample_id,source,step,status,reason,detail,path", *(f"a,b,c,{status},r,,x" for status in statuses)]
        (path / "dirty.csv").write_text("\n".join(lines) + "\n")
        request = replace(request_of(tmp_path / f"e{said}", "small-s0"), dataset=path, check=False)
        _, about = run_evaluation(request)
        line = "2 samples were rejected before they came into dataset points (dirty.csv): no figure counts them"
        assert (line in about.notices) is said


def test_networks_are_named_for_their_runs(tmp_path):
    paths = [
        tmp_path / "a-s0" / "checkpoints" / "best.pt",
        tmp_path / "a-s0" / "checkpoints" / "last.pt",
        tmp_path / "other" / "facenet.pt",
        tmp_path / "more" / "facenet.pt",
    ]
    assert method_names(paths) == ["a-s0", "a-s0 last", "facenet (1)", "facenet (2)"]


@pytest.mark.slow
def test_runs_that_differ_in_their_seed_alone_stand_together(place):
    names = ("small-s0", "narrow", "small-s1")
    networks = load_networks([place / name for name in names], Dataset(place / "points"), "test", (), CPU)
    assert [network.name for network in networks] == list(names)
    assert runs_of_one_config(networks) == {"small": ["small-s0", "small-s1"]}
    assert runs_of_one_config(networks[:2]) == {}
    assert runs_of_one_config([networks[0], networks[0]]) == {}
    named = [replace(networks[0], name="a0"), replace(networks[2], name="b1")]
    assert runs_of_one_config(named) == {networks[0].config.name: ["a0", "b1"]}


@pytest.fixture(scope="module")
def judged(place, request_of):
    """Return an evaluation with baselines, what stands behind it, and its folder."""
    out = place / "judged"
    request = request_of(
        out, "small-s0", "small-s1", "narrow", baselines=True, protocol=None, notices=("made-up people",)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("face3d_training.evaluation.baselines.plan.LDA_FEWEST_PEOPLE", 2)
        patch.setattr("face3d_training.evaluation.baselines.methods.LDA_FEWEST_PEOPLE", 2)
        evaluation, about = run_evaluation(request)
    return evaluation, about, out


@pytest.mark.slow
def test_networks_and_baselines_are_judged_on_the_same_lists(judged):
    evaluation, about, _ = judged
    assert list(evaluation.methods) == ["small-s0", "small-s1", "narrow", *about.baselines]
    assert len(about.baselines) == 2
    wanted = {"listed", "plain_to_plain", "masked_to_plain", "plain_to_masked", "masked_to_masked"}
    for method in evaluation.methods.values():
        assert set(method.verification) == set(method.identification) == wanted
    assert evaluation.dataset.samples == 32
    assert evaluation.dataset.people == 4
    assert evaluation.dataset.masked == 16
    assert evaluation.dataset.note == "made-up people"


@pytest.mark.slow
def test_the_mean_of_runs_is_held_against_baselines_and_the_first_network(judged):
    evaluation, about, _ = judged
    [group] = evaluation.seeds
    assert (group.name, group.methods) == ("small", ("small-s0", "small-s1"))
    pairs = [(one.better, one.other) for one in evaluation.differences]
    baselines = [(unit, other) for unit in ("small", "narrow") for other in about.baselines]
    assert pairs == [*baselines, ("narrow", "small")]
    values = [evaluation.methods[run].verification["plain_to_plain"].auc.value for run in group.methods]
    other = evaluation.methods[about.baselines[0]].verification["plain_to_plain"].auc.value
    found = evaluation.differences[0].figures["plain_to_plain"]["auc"].value
    assert found == pytest.approx(np.mean(values) - other)


@pytest.mark.slow
def test_scores_are_minus_the_distances_of_embeddings(judged, place):
    scores = pd.read_csv(judged[2] / "scores.csv", keep_default_na=False)
    assert scores["small-s0"].max() <= 0
    metrics = json.loads((judged[2] / "metrics.json").read_text())
    whole = scores[(scores["list"] == "plain_to_plain") & (scores["fold"] == "")]
    same = whole["same"] == 1
    above = [np.mean(whole["small-s0"][~same] < s) + np.mean(whole["small-s0"][~same] == s) / 2
             for s in whole["small-s0"][same]]  # fmt: skip
    told = metrics["methods"]["small-s0"]["verification"]["plain_to_plain"]["auc"]["value"]
    assert told == pytest.approx(np.mean(above), abs=1e-12)


@pytest.mark.slow
def test_what_networks_cost_and_come_from_is_written(judged, place):
    metrics = json.loads((judged[2] / "metrics.json").read_text())
    model = metrics["methods"]["small-s0"]["model"]
    assert model["parameters"] == sum(w.numel() for w in load_networks(
        [place / "small-s0"], Dataset(place / "points"), "test", (), CPU)[0].trained.net.parameters())  # fmt: skip
    assert model["flops"] > 0
    assert [timing["batch_size"] for timing in model["timings"]] == [1, 64]
    checkpoint = metrics["about"]["checkpoints"][1]
    assert (checkpoint["seed"], checkpoint["epoch"], checkpoint["trained_on"]) == (1, 3, "points")
    assert checkpoint["data"]["n_points"] == 32
    assert {check["state"] for check in metrics["about"]["leaks"]} == {"none"}


@pytest.mark.slow
def test_an_evaluation_done_twice_gives_the_same_scores(judged, request_of, tmp_path):
    run_evaluation(request_of(tmp_path / "a", "small-s0"))
    run_evaluation(request_of(tmp_path / "b", "small-s0"))
    assert (tmp_path / "a" / "scores.csv").read_bytes() == (tmp_path / "b" / "scores.csv").read_bytes()
    first = pd.read_csv(judged[2] / "scores.csv", keep_default_na=False)
    first = first["small-s0"][first["list"] == "plain_to_plain"]
    assert np.array_equal(first, pd.read_csv(tmp_path / "a" / "scores.csv", keep_default_na=False)["small-s0"])


@pytest.mark.slow
def test_a_leak_stops_everything_before_any_figure(place, request_of, tmp_path, monkeypatch):
    make_run(tmp_path / "leaky", place / "points", train_split="test")
    monkeypatch.setattr("face3d_training.evaluation.methods.embed_rows", lambda *a, **k: pytest.fail("it was embedded"))
    with pytest.raises(RunStopped) as stop:
        run_evaluation(request_of(tmp_path / "out", "small-s0", tmp_path / "leaky"))
    assert "\n" not in str(stop.value)
    lines = [line for line in re.split("[:;] ", str(stop.value)) if " were in the training data" in line]
    assert [line.split(" were in")[0] for line in lines] == [
        "4 people of the split",
        "16 captures of the split",
        "32 samples with equal key of the split",
        "32 samples of the same files of the split",
        "32 samples with equal content of the split",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_leak_that_is_allowed_stands_in_every_output(place, request_of, tmp_path):
    make_run(tmp_path / "leaky", place / "points", train_split="test")
    _, about = run_evaluation(request_of(tmp_path / "out", tmp_path / "leaky", allow_leaks=True))
    assert [check.state for check in about.leaks] == ["found"]
    assert "LEAK" in (tmp_path / "out" / "report.html").read_text()
    assert "4 people" in (tmp_path / "out" / "metrics.json").read_text()


@pytest.mark.slow
def test_the_learnt_baseline_is_checked_for_leaks_too(place):
    dataset = Dataset(place / "points")
    for split, state in (("train", "found"), ("test", "none")):
        assert [one.state for one in plan_baselines(dataset, split, dataset.table(split), None, None).leaks] == [state]


@pytest.mark.slow
def test_training_that_is_not_known_and_an_epoch_chosen_here_are_said(place, tmp_path):
    dataset = Dataset(place / "points")
    make_run(tmp_path / "unknown", dataset.path, training_data=None)
    [unknown, known] = load_networks([tmp_path / "unknown", place / "small-s0"], dataset, "eval", (), CPU)
    assert unknown.leaks.state == "unknown"
    assert "leaks could not be checked" in unknown.notices[0]
    assert known.leaks.state == "none"
    assert known.notices == (
        "its epoch was chosen on split 'eval', on which it is judged here: the figures are optimistic",
    )
    assert load_networks([place / "small-s0"], dataset, "test", (), CPU)[0].notices == ()


@pytest.mark.slow
def test_an_epoch_chosen_on_the_same_people_elsewhere_is_said_too(place, tmp_path):
    dataset = Dataset(place / "points")
    people = training_fingerprint(dataset.table("test"))
    make_run(tmp_path / "elsewhere", dataset.path, selection_data=people)
    [network] = load_networks([tmp_path / "elsewhere"], dataset, "test", (), CPU)
    assert network.notices == (
        "its epoch was chosen on 4 people of the split (tiny/p12, tiny/p13, tiny/p14 …): the figures are optimistic",
    )


@pytest.mark.slow
def test_baselines_alone_and_what_lda_lacks(request_of, tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_training.evaluation.baselines.plan.LDA_FEWEST_PEOPLE", 10)
    evaluation, about = run_evaluation(request_of(tmp_path / "out", baselines=True))
    assert list(evaluation.methods) == list(about.baselines) == ["depth map, untrained"]
    assert about.notices[0].startswith("no LDA of depth maps: split 'train' of dataset points shows 8 people, 10 are")
    with pytest.raises(UserError, match="there is nothing to judge: give a checkpoint"):
        run_evaluation(request_of(tmp_path / "out2"))


@pytest.mark.slow
def test_points_that_are_not_aligned_have_no_baseline(place, request_of, tmp_path, monkeypatch):
    monkeypatch.setattr("face3d_training.evaluation.baselines.methods.LEAST_SEEN", 1.1)
    evaluation, about = run_evaluation(request_of(tmp_path / "out", "small-s0", baselines=None))
    assert list(evaluation.methods) == ["small-s0"]
    assert about.baseline_notes[0].startswith(
        f"no baselines: {place / 'points'}: a baseline needs points in the face frame"
    )
    with pytest.raises(UserError, match="a baseline needs points in the face frame"):
        run_evaluation(request_of(tmp_path / "out2", "small-s0", baselines=True))


@pytest.mark.slow
def test_images_have_no_baseline_and_their_own_pictures(drawing, tmp_path):
    dataset = image_set(tmp_path, masked=True)
    make_run(tmp_path / "run", dataset, keys=SMALL_IMAGE)
    request = Request(dataset, tmp_path / "out", (tmp_path / "run",), settings=FEW, protocol="masked_to_plain")
    evaluation, about = run_evaluation(request)
    assert list(evaluation.methods) == ["run"]
    assert list(evaluation.methods["run"].verification) == ["masked_to_plain"]
    assert about.notices == (
        "no baselines: dataset rgb_masked contains no points or maps, which the baselines are made from",
    )
    assert "data:image/jpeg;base64," in (tmp_path / "out" / "report.html").read_text()
    with pytest.raises(UserError, match="--baseline: dataset rgb_masked contains no points"):
        run_evaluation(replace(request, baselines=True))


@pytest.mark.slow
def test_a_file_of_pairs_is_judged_alone(place, request_of, tmp_path):
    pairs = place / "points" / "pairs.csv"
    evaluation, _ = run_evaluation(request_of(tmp_path / "out", "small-s0", pairs=pairs, protocol=None))
    assert list(evaluation.methods["small-s0"].verification) == ["pairs"]
    assert evaluation.methods["small-s0"].identification == {}
    assert len(pd.read_csv(tmp_path / "out" / "probes.csv")) == 0
    scores = pd.read_csv(tmp_path / "out" / "scores.csv", keep_default_na=False)
    given = pd.read_csv(pairs)
    judged = scores[scores["fold"] != ""]
    assert judged["id1"].tolist() == given["id1"].tolist()
    assert judged["fold"].astype(int).tolist() == given["fold"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("people", "captures", "masked"), [(1, 4, False), (1, 1, False), (2, 1, False), (2, 1, True)])
def test_where_nothing_can_be_measured_nothing_is_written(place, tmp_path, people, captures, masked):
    request = request_of_few(place, tmp_path, people, captures, masked)
    with pytest.raises(UserError, match=r"dataset few: nothing can be measured on split 'test': it takes two people"):
        run_evaluation(request)
    assert not (tmp_path / "out").exists()


def request_of_few(place, tmp_path, people, captures, masked):
    run = make_run(tmp_path / "small", place / "points", training_data=None)
    rows = [row for row in point_rows(400, masked) if 12 <= row[0] < 12 + people and row[1] < captures]
    dataset = publish(tmp_path, "few", rows, pairs=None, gallery=None, probe=None)
    return Request(dataset, tmp_path / "out", (run,), settings=FEW)


@pytest.mark.slow
@pytest.mark.parametrize(("people", "captures", "masked"), [(2, 2, False), (2, 2, True)])
def test_hardly_anything_to_judge_makes_a_report_all_the_same(drawing, place, tmp_path, people, captures, masked):
    evaluation, _ = run_evaluation(request_of_few(place, tmp_path, people, captures, masked))
    assert set(evaluation.methods) == {"small", "depth map, untrained"}
    assert "not measurable" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.slow
def test_a_folder_is_named_for_what_was_judged_on_what(place):
    dataset = place / "points"
    runs = [place / "small-s0", place / "narrow"]
    assert default_name(dataset, "test", [], None, None) == "points-test-baselines"
    assert default_name(dataset, "eval", runs[:1], None, "masked_to_plain") == "points-eval-small-s0-masked_to_plain"
    assert default_name(dataset, "test", runs, place / "lfw.txt", None) == "points-test-small-s0-and-1-more-lfw"
