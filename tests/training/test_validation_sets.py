"""Validation sets of a training: what is found by what name, their figures, and what is refused at the start."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_sets import SPLITS, image_rows, point_rows, points_set, publish

from face3d_data.errors import RunStopped, UserError
from face3d_data.formats.pair_lists import ListedPair
from face3d_data.shards.origin import DatasetOrigin
from face3d_data.shards.pair_lists import PublishedPairs
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import BEST_CHECKPOINT, CHECKPOINT_FOLDER, LAST_CHECKPOINT
from face3d_training.config import load_config
from face3d_training.data import FaceRows
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.results import ModelFacts
from face3d_training.evaluation.run import Request, run_evaluation
from face3d_training.leaks import SeenData, training_fingerprint
from face3d_training.registry import make_spec
from face3d_training.torch_file import read_torch_file
from face3d_training.train import train
from face3d_training.validation import Validation
from face3d_training.validation_entries import ValidationEntry, find_sets
from face3d_training.validation_sets import open_sets, shared_lines

KEYS = [
    *(("model.widths", [8, 16]), ("model.embedding_size", 8), ("data.n_points", 64), ("threads", 1), ("epochs", 3)),
    *(("batch.identities", 4), ("batch.samples", 4), ("batch.iterations", 2), ("device", "cpu")),
    ("stop.collapse_spread", 0),
]


def never():
    return False


def capture(person, number):
    return (f"p{person:02d}", f"c{number}")


def listed():
    """Return genuine and impostor pairs of people 8 to 15 in two folds: half of them in the test split."""
    pairs = []
    for person in range(8, 16):
        fold = person // 12
        other = person + 1 if person % 4 != 3 else person - 3
        for number in (0, 1):
            pairs.append(ListedPair("", True, capture(person, number), capture(person, number + 2), fold))
            pairs.append(ListedPair("", False, capture(person, number), capture(other, number + 1), fold))
    return pairs


@pytest.fixture(autouse=True)
def untimed(monkeypatch):
    """Networks are not timed."""
    monkeypatch.setattr("face3d_training.evaluation.run.network_cost", lambda network: ModelFacts())


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Return a folder of datasets: one to learn from, one with a published list, and others that do not fit."""
    folder = tmp_path_factory.mktemp("datasets")
    points_set(folder)
    origin = DatasetOrigin(pair_lists={"LFW": PublishedPairs("tiny", "", listed())})
    everybody = ("train",) * 2 + ("eval",) * 10 + ("test",) * 4
    publish(folder, "wild", point_rows(64, True), everybody, origin=origin)
    publish(folder, "few", point_rows(32, False), SPLITS)
    publish(folder, "pictures", image_rows(16, False, False), SPLITS)
    return folder


def go(shelf, run, *keys, resume=False, stop_asked=never):
    said = []
    config = load_config(None, [*KEYS, *keys])
    train(shelf / "points", config, run, resume, say=said.append, stop_asked=stop_asked)
    return said


BOTH = [("validate", ["LFW", "points:test"]), ("validate_every", 2), ("stop.metric", "lfw_eer")]


@pytest.fixture(scope="module")
def straight(shelf, tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    return run, go(shelf, run, *BOTH)


def history(run):
    rows = list(csv.DictReader((run / "metrics.csv").open()))
    return [{name: value for name, value in row.items() if name != "samples_per_s"} for row in rows]


@pytest.mark.slow
def test_figures_are_in_everything_that_shows_figures(straight):
    run, said = straight
    rows = history(run)
    assert [bool(row["lfw_accuracy"]) for row in rows] == [False, True, True], "every second epoch, and the last"
    names = {"lfw_accuracy", "lfw_auc", "lfw_eer"}
    names |= {f"points_test_{name}" for name in ("accuracy", "auc", "eer", "rank1", "masked_auc", "masked_rank1")}
    assert {name for name in rows[0] if name.startswith(("lfw", "points"))} == names
    (line,) = [line for line in said if line.startswith("epoch 3/3")]
    assert re.search(r" lfw_accuracy \d\.?\d* points_test_accuracy \d\.?\d* · ", line)
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert len(board.Scalars("epoch/lfw_accuracy")) == 2
    assert (run / "curves.png").is_file()


@pytest.mark.slow
def test_they_are_those_that_evaluate_prints(shelf, straight, tmp_path):
    run, _ = straight
    settings = EvaluationSettings(resamples=1)
    last = run / CHECKPOINT_FOLDER / LAST_CHECKPOINT
    request = Request(
        **{"dataset": shelf / "points", "out": tmp_path / "e", "checkpoints": (last,), "baselines": False},
        **{"pairs": shelf / "points" / "pairs.csv", "settings": settings, "device": "cpu"},
    )
    (method,) = run_evaluation(request)[0].methods.values()
    kept = read_torch_file(last)["progress"]["history"][-1]
    (pairs,) = method.verification.values()
    assert pairs.folds is not None
    assert kept["points_test_accuracy"] == pairs.folds.accuracy.value
    wild = replace(request, dataset=shelf / "wild", out=tmp_path / "w", pairs="LFW", split="eval", allow_leaks=True)
    with pytest.raises(UserError, match=r"LFW.csv, line \d+: no sample .*is in this split"):
        run_evaluation(wild)


@pytest.mark.slow
def test_sets_of_other_people_are_no_leak(straight):
    _, said = straight
    assert not any("LEAK" in line for line in said)


def opened(shelf, *entries):
    """Return validation sets of a run on the dataset `points`."""
    config, dataset = load_config(None, [*KEYS, ("validate", list(entries))]), Dataset(shelf / "points")
    trained = FaceRows(dataset.path, "train", config.data, "points")
    return open_sets(find_sets(config.validate_on, shelf), config, dataset, trained, "points"), trained


def test_a_set_of_people_that_are_learnt_from_is_reported_in_one_line(shelf):
    sets, trained = opened(shelf, "wild:train", "LFW")
    seen = SeenData(training_fingerprint(trained.table))
    (line,) = shared_lines(sets, seen, Dataset(shelf / "points"))
    assert line.startswith(
        "validation set wild_train: in the training data, too: 2 people (tiny/p00, tiny/p01); 8 capt"
    )


class StopAfter:
    def __init__(self, steps):
        self.left = steps

    def __call__(self):
        self.left -= 1
        return self.left == 0


@pytest.mark.slow
def test_stopped_and_resumed_has_the_same_figures(shelf, straight, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        go(shelf, run, *BOTH, stop_asked=StopAfter(4))
    go(shelf, run, *BOTH, resume=True)
    assert history(run) == history(straight[0])


@pytest.mark.slow
def test_the_best_epoch_may_be_that_of_a_set(straight):
    run, _ = straight
    eer = {int(row["epoch"]): float(row["lfw_eer"]) for row in history(run) if row["lfw_eer"]}
    best = read_torch_file(run / CHECKPOINT_FOLDER / BEST_CHECKPOINT)
    assert best["epoch"] == min(eer, key=lambda epoch: (eer[epoch], epoch))
    assert best["splits"]["eval"] == "validation set lfw"
    assert len(best["selection_data"]["identity"]) == 8


@pytest.mark.parametrize(
    ("validate", "message"),
    [
        ("LFV", r"validate: 'LFV' is no dataset and no published list .*few, pictures, points, wild; .*wild:LFW"),
        ("wild:LFV", r"dataset wild has no split or list 'LFV' \(splits: .*; lists of pairs: LFW\)"),
        ("wild:tests", r"dataset wild has no split or list 'tests'"),
        ("wilt:test", r"validate: 'wilt' is no dataset"),
        (
            {"dataset": "wild", "split": "dev"},
            r"dataset wild has no rows in split 'dev': choose one of eval, test, train",
        ),
        ({"dataset": "wild", "pairs": "CFP_FP"}, r"CFP_FP: is no file of pairs, and no list of dataset .*there: LFW"),
        (["wild", {"dataset": "points", "name": "wild"}], r"two sets are called 'wild'"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(shelf, validate, message):
    entries = load_config(None, [("validate", validate)]).validate_on
    with pytest.raises(UserError, match=message):
        find_sets(entries, shelf)


def test_names_of_sets(shelf):
    def names(*entries):
        found = find_sets([ValidationEntry.model_validate(entry) for entry in entries], shelf)
        return [(one.name, one.dataset.name, sorted(one.splits)) for one in found]

    every = ["eval", "test", "train"]
    assert names("LFW", "wild:test", "wild", str(shelf / "points")) == [
        ("lfw", "wild", every),
        ("wild_test", "wild", ["test"]),
        ("wild", "wild", ["test"]),
        ("points", "points", ["test"]),
    ]
    assert names({"dataset": "wild:LFW", "name": "own"}) == [("own", "wild", every)]


def test_a_dataset_that_is_called_as_its_list_is_judged_by_the_list(tmp_path):
    origin = DatasetOrigin(pair_lists={"LFW": PublishedPairs("tiny", "", listed())})
    publish(tmp_path, "LFW", point_rows(16, False), origin=origin)
    publish(tmp_path, "LFW2", point_rows(16, False))
    (of_list, of_split, other) = find_sets(
        [ValidationEntry(dataset=name) for name in ("LFW", "LFW:test", "LFW2")], tmp_path
    )
    assert of_list.pairs == tmp_path / "LFW" / "pairs" / "LFW.csv"
    assert (of_list.name, of_split.pairs, other.pairs) == ("lfw", None, None)


def test_a_list_that_two_datasets_have_needs_one_of_them(tmp_path):
    origin = DatasetOrigin(pair_lists={"LFW": PublishedPairs("tiny", "", listed())})
    for name in ("one", "two"):
        publish(tmp_path, name, point_rows(16, False), origin=origin)
    with pytest.raises(UserError, match="datasets one, two have a list LFW: write one:LFW"):
        find_sets([ValidationEntry(dataset="LFW")], tmp_path)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([("validate", "few"), ("data.n_points", None)], r"few: .*inputs of 32 × 3, those of training of 64 × 3"),
        ([("validate", "few")], r"validate, few: .*n_points"),
        (
            [("validate", "pictures")],
            r"validate, pictures: dataset pictures holds color, landmarks, but the model takes points",
        ),
        ([("validate", "wild"), ("stop.metric", "wilt_auc")], r"'wilt_auc' is no figure of this run .*wild_rank1"),
    ],
)
def test_a_set_that_does_not_fit_is_refused_before_anything_is_written(shelf, tmp_path, keys, message):
    with pytest.raises(UserError, match=message):
        go(shelf, tmp_path / "run", *keys)
    assert not (tmp_path / "run").exists()


def test_a_metric_of_a_set_needs_one():
    with pytest.raises(UserError, match="lfw_accuracy is of a validation set: name the set in 'validate'"):
        load_config(None, [("stop.metric", "lfw_accuracy")])


def test_faces_put_in_place_otherwise_are_refused(shelf, tmp_path):
    def prepared(crop):
        return {"ways": [[{"stage": "crop", "with": {"radius_mm": crop}}]]}

    publish(tmp_path, "near", point_rows(64, False), origin=DatasetOrigin(preparation=prepared(90)))
    publish(tmp_path, "far", point_rows(64, False), origin=DatasetOrigin(preparation=prepared(120)))
    with pytest.raises(
        UserError, match=r"validate, far: dataset far: crop placed its faces unlike .*make it by the steps"
    ):
        train(tmp_path / "near", load_config(None, [*KEYS, ("validate", "far")]), tmp_path / "run", stop_asked=never)


def test_a_set_that_changed_since_stops_a_resumed_run(shelf):
    config = load_config(None, [*KEYS, ("validate", "LFW")])
    spec, sets = make_spec("model", "pointnet_basic", {}), opened(shelf, "LFW")[0]
    validation = Validation(Dataset(shelf / "points"), config, spec, print, sets)
    validation.check_same({"validation_sets": validation.record()})
    with pytest.raises(UserError, match="validate, lfw: its dataset is not the one that the run began with"):
        validation.check_same({"validation_sets": {"lfw": "another"}})


@pytest.mark.slow
@pytest.mark.parametrize("validate", [[], ["LFW"]], ids=["eval", "set"])
def test_embeddings_that_are_not_finite_end_the_run_as_a_loss_does(shelf, tmp_path, validate):
    """One step of a rate beyond all bounds: the loss of that step was still finite."""
    keys = [
        ("validate", validate),
        ("batch.iterations", 1),
        ("optimizer.learning_rate", 1e38),
        ("optimizer.name", "sgd"),
    ]
    keys += [("stop.every", 9)] if validate else []
    of = r"32 of validation set lfw" if validate else r"split 'eval'"
    with pytest.raises(RunStopped, match=rf"{of} are not finite after epoch 1: lower --optimizer.learning-rate, or"):
        go(shelf, tmp_path / "run", *keys, ("loss.triplet.mining", "all"), ("schedule.name", "constant"))


def test_rows_of_a_set_are_those_of_its_pairs_alone(shelf):
    ((one,), _), config = opened(shelf, "LFW"), load_config(None, KEYS)
    assert len(one.rows) == 32
    whole = FaceRows(shelf / "wild", ("eval", "test", "train"), config.data, "points")
    place = {sample_id: i for i, sample_id in enumerate(whole.table["sample_id"])}
    mine = [place[sample_id] for sample_id in one.rows.table["sample_id"]]
    batch, expected = (
        rows.__getitems__([(i, 0, 0) for i in places]) for rows, places in ((one.rows, range(32)), (whole, mine))
    )
    assert np.array_equal(batch["inputs"], expected["inputs"])
    assert one.pairs is not None
    origins = one.rows.table["origin_id"].to_numpy()
    assert set(zip(origins[one.pairs.first], origins[one.pairs.second], strict=True)) == {
        tuple(f"tiny/{person}/{number}" for person, number in (pair.first, pair.second)) for pair in listed()
    }
