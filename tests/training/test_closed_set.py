"""Closed-set classification: classes found by name, ranks against plain loops, and where nothing is given."""

import csv

import numpy as np
import pytest
import pytorch_metric_learning.losses
import torch
from tiny_sets import point_rows, points_set, publish

from face3d_data.errors import RunStopped, UserError
from face3d_data.shards.origin import DatasetOrigin
from face3d_training.checkpoint import CHECKPOINT_FOLDER, LAST_CHECKPOINT, load_model
from face3d_training.closed_set import CLASS_PEOPLE, ClosedSet, class_people, trained_losses
from face3d_training.config import load_config
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.results import ModelFacts
from face3d_training.evaluation.report.printed import printed
from face3d_training.evaluation.run import Request, run_evaluation
from face3d_training.losses.loss_module import LossModule
from face3d_training.losses.plain_loss import PlainLoss
from face3d_training.losses.weighted import build_losses
from face3d_training.registry import make_spec
from face3d_training.train import train

KEYS = [
    *(("model.widths", [16, 32]), ("model.embedding_size", 16), ("data.n_points", 64), ("threads", 1), ("epochs", 2)),
    *(("batch.sampler", "shuffle"), ("batch.size", 32), ("batch.iterations", 25), ("device", "cpu")),
    *(("optimizer.learning_rate", 0.02), ("loss", "softmax"), ("stop.collapse_spread", 0), ("model.dropout", 0)),
]
SPLITS_OF_CAPTURES = ("train", "train", "eval", "test")
CLOSED = DatasetOrigin(by="capture")


def never():
    return False


@pytest.fixture(autouse=True)
def untimed(monkeypatch):
    """Networks are not timed."""
    monkeypatch.setattr("face3d_training.evaluation.run.network_cost", lambda network: ModelFacts())


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """Return a dataset of 16 people split by capture, a run on it, and what the run said."""
    folder = tmp_path_factory.mktemp("closed")
    dataset = publish(folder, "closed", point_rows(64, False), SPLITS_OF_CAPTURES, origin=CLOSED)
    said = []
    config = load_config(None, [*KEYS, ("stop.metric", "top1")])
    train(dataset, config, folder / "run", say=said.append, stop_asked=never)
    return dataset, folder / "run", said


def by_plain_loops(run, dataset, split):
    """Return the share of rows whose name is the first, and among the first five, of the classifier's."""
    trained = load_model(run / CHECKPOINT_FOLDER / LAST_CHECKPOINT)
    names = FaceRows(dataset, "train", trained.config.data, "points").identities
    rows = FaceRows(dataset, split, trained.config.data, "points")
    vectors = embed_rows(trained.net, rows)
    weight, bias = trained.losses["parts.softmax.classifier.weight"], trained.losses["parts.softmax.classifier.bias"]
    ranks = []
    for vector, identity in zip(vectors, rows.table["identity"], strict=True):
        scores = [float(16 * (torch.from_numpy(vector) * w).sum() + b) for w, b in zip(weight, bias, strict=True)]
        order = sorted(names, key=lambda name: -scores[names.index(name)])
        ranks.append(order.index(identity) + 1)
    return np.mean(np.array(ranks) <= 1), np.mean(np.array(ranks) <= 5)


def evaluated(dataset, checkpoint, out, **options):
    settings = EvaluationSettings(resamples=50)
    return run_evaluation(
        Request(dataset, out, (checkpoint,), baselines=False, settings=settings, device="cpu", **options)
    )


@pytest.mark.slow
def test_top_1_and_5_are_those_of_plain_loops_in_training_and_in_an_evaluation(closed, tmp_path):
    dataset, run, said = closed
    last = list(csv.DictReader((run / "metrics.csv").open()))[-1]
    top1, top5 = by_plain_loops(run, dataset, "eval")
    assert (float(last["top1"]), float(last["top5"])) == (pytest.approx(top1), pytest.approx(top5))
    assert 2 / 16 < top1 <= top5
    assert f" top1 {top1:.4g}" in said[-1]
    evaluation, about = evaluated(dataset, run / CHECKPOINT_FOLDER / LAST_CHECKPOINT, tmp_path / "e")
    (method,) = evaluation.methods.values()
    found = method.closed_set
    assert found is not None
    assert (found.samples, found.people, found.classes) == (16, 16, 16)
    top1, top5 = by_plain_loops(run, dataset, "test")
    assert (found.top["1"].value, found.top["5"].value) == (pytest.approx(top1), pytest.approx(top5))
    text = "\n".join(printed(evaluation, about))
    assert "Classification of trained people (16 samples of 16 people, among 16 people)" in text
    assert f"{top1:.3f}" in text.partition("top-5")[2]
    assert "split by capture: its people are known from training on purpose" in text
    assert "Classification of trained people" in (tmp_path / "e" / "report.html").read_text()
    assert not about.leak_lines


@pytest.mark.slow
def test_captures_that_were_learnt_from_are_still_a_leak(closed, tmp_path):
    dataset, run, _ = closed
    with pytest.raises(RunStopped, match="32 captures of the split were in the training data"):
        evaluated(dataset, run, tmp_path / "e", split="train")


@pytest.mark.slow
def test_where_people_are_others_nothing_is_given_nor_said(closed, tmp_path):
    _, run, _ = closed
    strangers = publish(tmp_path, "closed_others", shifted(point_rows(64, False)), SPLITS_OF_CAPTURES, origin=CLOSED)
    assert (
        evaluated(strangers, run, tmp_path / "s", split="train", allow_leaks=True)[0].methods["run"].closed_set is None
    )
    evaluation, about = evaluated(points_set(tmp_path), run, tmp_path / "o", allow_leaks=True)
    assert evaluation.methods["run"].closed_set is None
    assert "lassification" not in "\n".join(printed(evaluation, about))


def shifted(rows):
    """Return rows of people with other names: 16 more."""
    return [(person + 16, *rest) for person, *rest in rows]


def test_classes_are_found_by_name_whatever_the_order_and_who_else_is_there():
    people = class_people(["d/ann", "d/bo", "d/cy"])
    found = ClosedSet.of(["d/cy", "d/xi", "d/ann", "e/bo"], people)
    assert (found.rows.tolist(), found.classes.tolist(), found.count) == ([0, 2], [2, 0], 3)


class Scores(LossModule):
    """Gives the embeddings as they are for scores."""

    def class_scores(self, embedding):
        return embedding


def test_ties_count_against_a_row_and_five_classes_have_no_top_5():
    people = class_people([f"d/{name}" for name in "abcdef"])
    closed = ClosedSet.of(["d/a", "d/b", "d/c"], people)
    vectors = np.array([[2, 1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [0] * 6], np.float32)
    assert closed.ranked(Scores(), vectors).tolist() == [1, 2, 6]
    assert closed.figures(Scores(), vectors) == {"top1": pytest.approx(1 / 3), "top5": pytest.approx(2 / 3)}
    few = ClosedSet.of(["d/a"], class_people(["d/a", "d/b", "d/c", "d/d", "d/e"]))
    assert few.ranks == (1,)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("softmax", {}), ("focal", {}), ("arcface", {}), ("cosface", {}), ("combined", {}), ("adaface", {})),
        *(("arcface", {"sub_centers": 3}), ("lpd", {}), ("lpd", {"head": "cosine"})),
        *(("triplet", {}), ("center", {})),
    ],
)
def test_losses_that_classify_have_a_score_for_each_person(name, options):
    torch.manual_seed(0)
    losses = build_losses({name: options}, 6, 8)
    embedding = torch.nn.functional.normalize(torch.randn(40, 8), dim=1)
    scores = losses.class_scores(embedding)
    if name in ("triplet", "center"):
        assert scores is None
        return
    assert scores.shape == (40, 6)
    label = torch.randint(6, (40,))
    if (
        name != "lpd"
        and "accuracy"
        in (made := losses({"embedding": embedding, "norm": embedding.norm(dim=1)}, {"label": label})).stats
    ):
        assert made.stats["accuracy"] == (scores.argmax(1) == label).float().mean()


def test_a_plain_loss_has_the_classes_that_its_logits_are_of():
    given = pytorch_metric_learning.losses.NormalizedSoftmaxLoss(num_classes=6, embedding_size=8)
    embedding = torch.randn(4, 8)
    assert torch.equal(PlainLoss(given, "theirs").class_scores(embedding), given.get_logits(embedding))
    assert PlainLoss(torch.nn.Identity(), "mine").class_scores(embedding) is None


@pytest.mark.parametrize("head", ["linear", "cosine"])
def test_both_parts_of_a_joint_embedding_are_classified(head):
    torch.manual_seed(1)
    loss = make_spec("loss", "lpd", {"head": head}).build(5, 8)
    whole, part = torch.randn(30, 4), torch.randn(30, 4)
    logits = loss._logits(whole, loss.global_weight) + loss._logits(part, loss.part_weight)
    joint = torch.nn.functional.normalize(torch.cat([whole, part], 1), dim=1)
    assert torch.equal(loss.class_scores(joint).argmax(1), logits.argmax(1))


def test_a_file_without_class_weights_has_no_classes(closed):
    _, run, _ = closed
    small = load_model(run / CHECKPOINT_FOLDER / "best.safetensors")
    assert trained_losses(small.config.loss, small.spec, small.info, small.losses) is None
    whole = load_model(run)
    assert len(whole.info[CLASS_PEOPLE]) == 16


@pytest.mark.parametrize(("loss", "origin"), [("softmax", None), ("triplet", CLOSED)], ids=["by person", "no classes"])
def test_top_1_without_classes_cannot_choose_the_epoch(tmp_path, loss, origin):
    options = {} if origin is None else {"splits": SPLITS_OF_CAPTURES, "origin": origin}
    dataset = publish(tmp_path, "some", point_rows(64, False), **options)
    config = load_config(None, [*KEYS, ("loss", loss), ("batch.sampler", "pk"), ("stop.metric", "top1")])
    with pytest.raises(UserError, match=r"stop\.metric: top1 is the share of captures that the loss assigns"):
        train(dataset, config, tmp_path / "run", stop_asked=never)
