"""Sums of losses: weights, what none of them learns from, what they lack, and their precision."""

import math

import pytest
import torch

from face3d_data.errors import RunStopped, UserError
from face3d_training.losses.weighted import build_losses
from face3d_training.registry import make_spec, specs

LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


def embeddings(dtype=torch.float64):
    torch.manual_seed(4)
    return torch.nn.functional.normalize(torch.randn(6, 4, dtype=dtype), dim=1)


def test_the_sum_is_that_of_the_parts_times_their_weights_and_of_the_penalty():
    losses = build_losses(
        {"triplet": {"weight": 2, "mining": "all"}, "softmax": {"weight": 0.5}, "center": {}}, 3, 4
    ).double()
    outputs = {"embedding": embeddings(), "penalty": torch.arange(6, dtype=torch.float64)}
    value = losses(outputs, {"label": LABELS}).read()
    stats = value.stats
    assert value.loss.item() == pytest.approx(
        2 * stats["triplet.loss"] + 0.5 * stats["softmax.loss"] + stats["center.loss"] + 2.5
    )
    assert stats["penalty"] == 2.5
    triplet = make_spec("loss", "triplet", {"mining": "all"}).build(3, 4)
    alone = triplet({"embedding": embeddings()}, {"label": LABELS}).read()
    assert stats["triplet.loss"] == pytest.approx(alone.loss.item())
    assert stats["triplet.valid_triplets"] == alone.stats["valid_triplets"]
    assert {"softmax.accuracy", "center.distance", "triplet.valid_share"} <= stats.keys()


def test_parts_without_anything_to_learn_from_are_left_out():
    outputs = {"embedding": embeddings(), "penalty": torch.ones(6)}
    nobody = {"label": torch.zeros(6, dtype=torch.int64)}
    value = build_losses({"triplet": {}, "softmax": {}}, 3, 4).double()(outputs, nobody).read()
    assert value.loss.item() == pytest.approx(value.stats["softmax.loss"] + 1)
    assert "triplet.loss" not in value.stats
    value = build_losses({"triplet": {}}, 3, 4)(outputs, nobody).read()
    assert value.loss is None
    assert value.stats == {"triplet.valid_triplets": 0, "triplet.valid_share": 0, "triplet.separated": 0}


def test_half_precision_is_computed_in_full():
    outputs = {"embedding": embeddings(torch.float32).bfloat16()}
    losses = build_losses({"triplet": {"mining": "all"}, "arcface": {}}, 3, 4)
    full = losses({"embedding": outputs["embedding"].float()}, {"label": LABELS})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = losses(outputs, {"label": LABELS}).read()
    assert value.loss.dtype == torch.float32
    assert value.loss.item() == full.loss.item()
    assert losses.parts["arcface"].loss.W.dtype == torch.float32


def test_what_a_loss_needs_and_the_model_or_the_dataset_has_not_is_told():
    losses = build_losses({"lpd": {}}, 3, 4, model="resnet50")
    with pytest.raises(UserError, match=r"loss lpd: needs the output '.*', which model resnet50 does not have"):
        losses({"embedding": embeddings()}, {"label": LABELS})
    outputs = dict.fromkeys(specs("loss")["lpd"].needs, torch.zeros(6, 2))
    with pytest.raises(UserError, match="loss lpd: needs 'visible_ratio' of each sample"):
        losses({"embedding": embeddings(), **outputs}, {"label": LABELS})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_embeddings_that_are_not_finite_stop_the_run(bad):
    embedding = embeddings()
    embedding[2, 1] = bad
    with pytest.raises(RunStopped, match=r"model pointnet: its embeddings are not finite: lower optimizer\.learning"):
        build_losses({"triplet": {}}, 3, 4, model="pointnet")({"embedding": embedding}, {"label": LABELS}).read()


@pytest.mark.parametrize(
    ("losses", "text"),
    [
        ({}, "loss: there is none"),
        ({"triplets": {}}, "there is no loss 'triplets'.*triplet"),
        ({"arcface": {"m": 0.5}}, "loss arcface: .*'m'"),
        ({"softmax": {"weight": -1}}, "loss softmax: .*weight"),
    ],
)
def test_wrong_losses_are_told_by_name(losses, text):
    with pytest.raises(UserError, match=text):
        build_losses(losses, 3, 4)


def test_every_loss_is_there_by_name():
    there = {"triplet", "softmax", "focal", "center", "arcface", "cosface", "combined", "lpd"}
    assert there <= specs("loss").keys()
