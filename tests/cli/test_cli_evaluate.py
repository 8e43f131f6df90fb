"""`face3d evaluate`, as typed: what it prints and writes, and one line for each mistake."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from made_checkpoint import SMALL_IMAGE, make_run
from tiny_sets import image_set, points_set

from face3d_data.cli.main import _answer
from face3d_data.shards.read import Dataset
from face3d_training.evaluation.report.drawn import Drawn


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """Time nothing and draw nothing: tests of the evaluation itself do."""
    from face3d_training.evaluation.metrics.results import ModelFacts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("face3d_training.evaluation.run.measure_cost", lambda *arguments: ModelFacts(7, 8))
        patch.setattr("face3d_training.evaluation.run.draw", lambda *arguments: Drawn({}, {}))
        yield


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with a dataset of clouds and one of photos, and runs beside it."""
    folder = tmp_path_factory.mktemp("here")
    points = points_set(folder / "work" / "datasets", n_points=64)
    image_set(folder / "work" / "datasets")
    make_run(folder / "run-s0", points, 0)
    make_run(folder / "run-s1", points, 1)
    make_run(folder / "leaky", points, train_split="test")
    make_run(folder / "photos", folder / "work" / "datasets" / "rgb", keys=SMALL_IMAGE)
    torch.save({"weights": torch.zeros(2)}, folder / "weights.pt")
    (folder / "text.pt").write_text("no checkpoint")
    (folder / "empty").mkdir()
    (folder / "taken").mkdir()
    (folder / "taken" / "thesis.txt").write_text("years")
    (folder / "broken.txt").write_text("tiny__p12\tc0\n")
    (folder / "stranger.txt").write_text("nobody\tc0\tc1\n")
    return folder


@pytest.fixture
def here(workspace, monkeypatch):
    monkeypatch.chdir(workspace)
    return workspace


def call(capsys, *arguments):
    code = _answer([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


QUICK = ("--no-baseline", "--resamples", "20", "--device", "cpu")


@pytest.mark.slow
def test_an_evaluation_prints_a_table_and_where_it_is(here, capsys):
    code, out, err = call(capsys, "evaluate", "points", "run-s0", "run-s1", *QUICK, "--notice", "made-up people")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "points, split test: 32 samples of 4 people, 16 of them masked"
    assert "note: made-up people" in lines
    tables = [line for line in lines if line.startswith(("plain →", "masked →"))]
    assert len(tables) == 4
    assert all("made-up people" in line for line in tables)
    assert sum(line.startswith("  run, mean of 2 runs") for line in lines) == 6
    assert sum(line.startswith("  run, mean of 2 runs: mAP ") for line in lines) == 1
    assert sum(line.startswith("probe.csv → gallery.csv (made-up people; ") for line in lines) == 1
    folder = Path("work/evaluations/points-test-run-s0-and-1-more")
    assert lines[-2:] == [f"evaluation {folder}", f"report {folder / 'report.html'}"]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("metrics.json", "plots", "probes.csv", "report.html", "scores.csv")
    ]


@pytest.mark.slow
def test_json_is_the_metrics_and_nothing_else(here, tmp_path, capsys):
    arguments = ("points", "run-s0", *QUICK, "--protocol", "masked_to_plain", "--seed", "3", "--out", tmp_path / "e")
    code, out, _ = call(capsys, "evaluate", *arguments, "--json")
    assert code == 0
    metrics = json.loads(out)
    assert metrics == json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert list(metrics["methods"]["run-s0"]["verification"]) == ["masked_to_plain"]
    assert (metrics["seed"], metrics["resamples"]) == (3, 20)


@pytest.mark.slow
def test_a_second_evaluation_says_that_it_replaces_the_first(here, tmp_path, capsys):
    arguments = ("evaluate", "points", "run-s0", *QUICK, "--protocol", "masked_to_plain", "--out", tmp_path / "e")
    said = [call(capsys, *arguments)[1].splitlines()[-2] for _ in range(2)]
    assert said == [f"evaluation {tmp_path / 'e'}", f"evaluation {tmp_path / 'e'} (replaces the one that was there)"]


@pytest.mark.slow
def test_how_faces_are_put_before_the_network_can_be_changed(here, tmp_path, capsys):
    arguments = ("evaluate", "points", "run-s0", *QUICK, "--protocol", "masked_to_plain", "--json")
    told = [json.loads(call(capsys, *arguments, "--out", tmp_path / "a", *more)[1])
            for more in ((), ("--data.n-points", "16"))]  # fmt: skip
    assert [one["about"]["checkpoints"][0]["data"]["n_points"] for one in told] == [32, 16]
    means = [one["methods"]["run-s0"]["identification"]["masked_to_plain"]["mean_average_precision"] for one in told]
    assert means[0] != means[1]
    notes = ["; ".join(one["about"]["notices"]) for one in told]
    assert "otherwise than in training" not in notes[0]
    assert "run-s0: it sees faces otherwise than in training: data.n_points 16, learnt with 32" in notes[1]


@pytest.mark.slow
def test_a_leak_stops_with_one_line_and_code_one(here, capsys):
    code, out, err = call(capsys, "evaluate", "points", "leaky", *QUICK, "--out", "never")
    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("face3d: training and test data share something, so that no figure is computed: leaky: ")
    assert "leaky: 4 people of the split were in the training data: tiny/p12, tiny/p13, tiny/p14 …; " in line
    assert ": judge on other people, or use --allow-leaks" in line
    assert not Path("never").exists()


@pytest.mark.slow
def test_a_leak_that_is_allowed_is_printed(here, tmp_path, capsys):
    arguments = ("evaluate", "points", "leaky", *QUICK, "--protocol", "plain_to_plain", "--out", tmp_path / "e")
    code, out, _ = call(capsys, *arguments, "--allow-leaks")
    assert code == 0
    assert (
        "LEAK: leaky: 4 people of the split were in the training data: tiny/p12, tiny/p13, tiny/p14 …"
        in out.splitlines()
    )


MISTAKES = [
    (("pionts", "run-s0"), "no dataset 'pionts' in work/datasets (there: points, rgb)"),
    (("empty", "run-s0"), "empty: is not a dataset (it has no dataset.json)"),
    (("points", "gone.pt"), "gone.pt: no such checkpoint: give a .pt or .safetensors file, or the folder of a run"),
    (("points", "empty"), "empty: contains no checkpoints/best.pt"),
    (("points", "text.pt"), "text.pt: "),
    (
        ("points", "weights.pt"),
        "weights.pt: contains weights alone, so its network is unknown: name it by",
    ),
    (("rgb", "run-s0"), "dataset rgb holds"),
    (("points", "photos"), "dataset points holds"),
    (("points", "run-s0", "--split", "tset"), "has no split 'tset': choose one of train, eval, test"),
    (
        ("points", "run-s0", "--protocol", "masked_to_plan"),
        "there is no protocol 'masked_to_plan' here (known: listed, plain_to_plain, ",
    ),
    (("points", "run-s0", "--protocol", "masked_to_plan"), "did you mean 'masked_to_plain'?"),
    (("points", "run-s0", "--pairs", "gone.txt"), "gone.txt: is no file of pairs, and no list of dataset"),
    (("points", "run-s0", "--pairs", "broken.txt"), "broken.txt, line 1: has 2 fields"),
    (("points", "run-s0", "--pairs", "stranger.txt"), "stranger.txt, line 1: no sample"),
    (("points", "run-s0", "--pairs", "x", "--protocol", "y"), "give --pairs or --protocol, not both"),
    (("points",), "evaluate: there is nothing to judge: give a checkpoint or --model packaged"),
    (("points", "run-s0", "--out", "taken"), "--out taken: contains something other than an evaluation"),
    (("points", "run-s0", "--device", "gpu"), "'gpu' is not a device: auto, cpu, cuda, cuda:1 or mps"),
    (("points", "run-s0", "--resamples", "0"), "0 is not in the range x>=1"),
    (("points", "run-s0", "--data.n-points", "0"), "'data.n_points' = 0"),
    (("points", "run-s0", "--baseline", "--train-dataset", "rgb"), "--train-dataset: dataset rgb contains no points"),
    (("points", "run-s0", "--train-dataset", "gone"), "no dataset 'gone' in work/datasets"),
    (("points", "run-s0", "--back-end", "ldaa"), "there is no back-end 'ldaa': give one of lda, plda, asnorm"),
    (("points", "run-s0", "--back-end", "gone.safetensors"), "gone.safetensors: "),
    (("points", "--baseline", "--back-end", "lda"), "--back-end: is learnt on a network's embeddings, and there is no"),
    (("points", "run-s0", "--fuse"), "--fuse: there is one method alone"),
    (
        ("rgb", "--train-dataset", "points"),
        "nothing to judge: give a checkpoint (no baselines: dataset rgb contains no points",
    ),
    (("rgb", "--baseline"), "--baseline: dataset rgb contains no points or maps, which the baselines are made from"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_line_and_code_two(here, capsys, arguments, message):
    quick = [
        word for word in QUICK if word != "--no-baseline" or not {"--baseline", "--train-dataset"} & set(arguments)
    ]
    given = [word for word in quick if word not in ("--device", "cpu")] if "--device" in arguments else quick
    code, out, err = call(capsys, "evaluate", *given, *arguments)
    assert message in err
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err


@pytest.mark.slow
def test_back_ends_and_their_fusion_are_rows(here, capsys, tmp_path):
    arguments = ("evaluate", "points", "run-s0", *QUICK, "--protocol", "plain_to_plain", "--out", tmp_path / "e")
    code, out, _ = call(capsys, *arguments, "--back-end", "lda", "--fuse")
    assert code == 0
    assert [line.split("  ")[1] for line in out.splitlines() if line.startswith(("  run", "  fusion"))] == [
        "run-s0",
        "run-s0 + lda",
        "fusion",
    ]
    assert "note: fusion: log-odds = " in out
    assert (tmp_path / "e" / "back_ends" / "run-s0-lda.safetensors").is_file()


@pytest.mark.slow
def test_a_mistake_writes_nothing(here):
    assert (here / "taken" / "thesis.txt").read_text() == "years"
    assert not any(path.name.endswith(".tmp~") for path in here.rglob("*"))


@pytest.mark.slow
def test_the_dataset_s_gallery_and_probes_are_judged_as_they_are_listed(here, tmp_path, capsys):
    arguments = ("evaluate", "points", "run-s0", *QUICK, "--protocol", "listed", "--out", tmp_path / "e", "--json")
    judged = json.loads(call(capsys, *arguments)[1])["methods"]["run-s0"]["identification"]["listed"]
    dataset = Dataset(here / "work" / "datasets" / "points")
    assert (judged["gallery"], judged["probes"]) == (len(dataset.gallery), len(dataset.probe)) == (4, 24)
    probes = pd.read_csv(tmp_path / "e" / "probes.csv")
    assert sorted(set(probes["id"])) == sorted(dataset.probe["id"])


@pytest.mark.slow
def test_several_captures_of_each_person_can_be_enrolled(here, tmp_path, capsys):
    arguments = (
        "evaluate",
        "points",
        "run-s0",
        *QUICK,
        "--protocol",
        "plain_to_plain",
        "--out",
        tmp_path / "e",
        "--json",
    )
    judged = json.loads(call(capsys, *arguments, "--gallery-captures", "3")[1])["methods"]["run-s0"]
    one = judged["identification"]["plain_to_plain"]
    assert (one["people"], one["gallery"], one["probes"]) == (4, 12, 4)
