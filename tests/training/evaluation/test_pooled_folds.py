"""Cross-validation: folds of people, a run for each, and their figures pooled."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[1]))
from made_checkpoint import SMALL_POINTS, make_run
from tiny_sets import points_set

from face3d_data.cli.main import _answer
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import load_model
from face3d_training.config import DataConfig
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.matcher import EmbeddingMatcher
from face3d_training.evaluation.pooled import APART, PooledMatcher, pooled_lists
from face3d_training.evaluation.report.drawn import Drawn
from face3d_training.fold_splits import RunSplits, run_splits
from face3d_training.leaks import training_fingerprint
from face3d_training.trained_rows import rows_for

FOLDS = 3
SPLITS = tuple(f"fold-{1 + person % FOLDS}" for person in range(16))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cv") / "work" / "datasets"
    return points_set(folder, splits=SPLITS, n_points=64)


@pytest.fixture(scope="module")
def runs(dataset):
    folder = dataset.parents[2]
    for fold in range(1, FOLDS + 1):
        fold_run(folder / f"run-{fold}", dataset, fold, run_splits(DataConfig(fold=fold), Dataset(dataset)).train)
    return folder


def fold_run(folder, dataset, fold, seen):
    """Write the run of a fold, which has seen the people of some splits."""
    table = pd.concat([Dataset(dataset).table(split) for split in seen], ignore_index=True)
    keys = {**SMALL_POINTS, "data.fold": fold}
    make_run(folder, dataset, keys=keys, train_split=seen[0], training_data=training_fingerprint(table))


def people_of(dataset, split):
    return set(Dataset(dataset).table(split)["identity"])


def test_a_run_leaves_a_fold_for_the_test_and_one_to_choose_the_epoch(dataset):
    found = [run_splits(DataConfig(fold=fold), Dataset(dataset)) for fold in (1, 2, 3)]
    assert found == [
        RunSplits(("fold-3",), "fold-2", "fold-1"),
        RunSplits(("fold-1",), "fold-3", "fold-2"),
        RunSplits(("fold-2",), "fold-1", "fold-3"),
    ]


def test_rows_of_several_splits_are_those_of_each(dataset):
    config = DataConfig()
    both = FaceRows(dataset, ("fold-3", "fold-1"), config, "points")
    parts = [FaceRows(dataset, split, config, "points") for split in ("fold-3", "fold-1")]
    assert both.table["sample_id"].tolist() == [one for part in parts for one in part.table["sample_id"]]
    assert both.identities == sorted({*parts[0].identities, *parts[1].identities})
    assert both.split == "fold-3,fold-1"
    one, first = len(parts[0]), parts[1].__getitems__([(2, 0, 0)])["inputs"]
    assert np.array_equal(both.__getitems__([(one + 2, 0, 0)])["inputs"], first)


@pytest.mark.slow
def test_scores_within_folds_are_pooled(dataset, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    monkeypatch.setattr("face3d_training.evaluation.pooled.draw", lambda *arguments: Drawn({}, {}))
    paths = [f"run-{fold}" for fold in (2, 1, 3)]
    code = _answer(["evaluate", "points", *paths, "--pool-folds", "--resamples", "30", "--device", "cpu", "--json"])
    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    said = json.loads(captured.out)
    (name,) = said["methods"]
    assert {check["state"] for check in said["about"]["leaks"]} == {"none"}
    assert said["dataset"]["people"] == 16
    plain = said["methods"][name]["verification"]["plain_to_plain"]
    scores, same = [], []
    for fold in range(1, FOLDS + 1):
        trained = load_model(runs / f"run-{fold}", "cpu")
        rows, _ = rows_for(trained, dataset, f"fold-{fold}")
        vectors, table = embed_rows(trained.net, rows).astype(float), rows.table
        for a in range(len(table)):
            for b in range(a + 1, len(table)):
                two = table.iloc[[a, b]]
                if (two["mask"] == "none").all() and two["origin_id"].nunique() == 2:
                    scores.append(-np.linalg.norm(vectors[a] - vectors[b]))
                    same.append(two["identity"].nunique() == 1)
    assert plain["auc"]["value"] == pytest.approx(roc_auc_score(same, scores), abs=1e-9)
    assert (plain["genuine"], plain["impostors"]) == (sum(same), len(same) - sum(same))
    assert plain["people"] == 16
    ranks = said["methods"][name]["identification"]["plain_to_plain"]["rank"]
    assert ranks["5"]["value"] is None  # a fold has 5 people
    assert 0 <= ranks["1"]["low"] <= ranks["1"]["value"] <= ranks["1"]["high"] <= 1


def test_rows_of_two_folds_never_compare():
    rng = np.random.default_rng(1)
    tables = [pd.DataFrame({"id": range(n), "identity": [f"d/{f}{k}" for k in range(n)]}) for f, n in ((0, 3), (1, 4))]
    parts = [EmbeddingMatcher("n", table, rng.normal(size=(len(table), 2))) for table in tables]
    pooled = PooledMatcher("both", parts)
    everyone = np.arange(7)
    whole = pooled.similarity(everyone, everyone)
    assert np.array_equal(whole[:3, :3], parts[0].similarity(everyone[:3], everyone[:3]))
    assert np.array_equal(whole[3:, 3:], parts[1].similarity(everyone[:4], everyone[:4]))
    assert (whole[:3, 3:] == APART).all()
    assert (whole[3:, :3] == APART).all()
    first, second = (place.ravel() for place in np.meshgrid(everyone, everyone))
    assert pooled.pair_similarity(first, second) == pytest.approx(whole[first, second], abs=1e-6)


def test_lists_are_within_folds(dataset):
    tables = [Dataset(dataset).table(f"fold-{fold}") for fold in (1, 2, 3)]
    fold = np.repeat([0, 1, 2], [len(table) for table in tables])
    lists = pooled_lists(tables, EvaluationSettings())
    for pairs in lists.pairs.values():
        assert (fold[pairs.pairs.first] == fold[pairs.pairs.second]).all()
        assert pairs.folds is not None
        assert np.array_equal(pairs.folds.fold, fold[pairs.folds.first])
    everyone = pd.concat(tables, ignore_index=True)
    for protocol in lists.protocols.values():
        enrolled = everyone["identity"].iloc[protocol.gallery]
        assert sorted(enrolled) == sorted(set(everyone["identity"]))
    alone = pooled_lists(tables[:1], EvaluationSettings(), "plain_to_plain")
    assert list(alone.protocols) == ["plain_to_plain"]
    assert replace(EvaluationSettings(), folds=1).folds == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run-1", "run-2"], "--pool-folds: fold 3 of 3 has no run of config "),
        (["run-1", "run-1"], "--pool-folds: run-1 and run-1 both leave fold 1: give one of them"),
        (["--model", "packaged"], "is no run of a cross-validation: train it with --fold"),
        ([], "--pool-folds: give the runs of all folds"),
        (["run-1", "--fuse"], "--pool-folds: --fuse cannot be pooled over folds"),
    ],
)
def test_what_cannot_be_pooled_is_one_line(runs, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(runs)
    code = _answer(["evaluate", "points", "--pool-folds", *arguments])
    err = capsys.readouterr().err
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_run_that_has_seen_its_fold_is_refused(dataset, runs, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    fold_run(runs / "leaky", dataset, 3, ("fold-3", "fold-1"))
    assert _answer(["evaluate", "points", "run-1", "run-2", "leaky", "--pool-folds", "--device", "cpu"]) == 1
    assert "leaky: 5 people of the split were in the training data" in capsys.readouterr().err


@pytest.mark.slow
def test_train_takes_the_fold_as_an_option(dataset, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(dataset.parents[2])
    small = ("--batch.identities", "4", "--batch.samples", "2", "--device", "cpu", "--epochs", "1")
    assert _answer(["train", "points", "--fold", "2", "--out", str(tmp_path / "run"), *small]) == 0
    trained = load_model(tmp_path / "run", "cpu")
    assert trained.info["splits"] == {"train": "fold-1", "eval": "fold-3", "test": "fold-2"}
    assert _answer(["train", "points", "--fold", "4", "--out", str(tmp_path / "other"), *small]) == 2
    assert "data.fold: 4, but dataset points has 3 folds: choose one of these" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
