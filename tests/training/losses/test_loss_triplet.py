"""Triplet loss against three plain loops, in float64: which triplets it learns from, its value and its gradients."""

import math

import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner

from face3d_data.errors import UserError
from face3d_training.losses import triplet_loss
from face3d_training.losses.triplet import Triplet
from face3d_training.registry import make_spec

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 4])
MININGS = ("all", "hard", "semihard", "batch_hard")


def made(seed=0, labels=LABELS, spread=1.0):
    """Return free vectors, float64, and the unit embeddings made of them."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(int(labels.max()) + 1, 5, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(labels), 5, generator=generator, dtype=torch.float64)
    free = (centres[labels] + spread * noise).requires_grad_()
    return free, torch.nn.functional.normalize(free, dim=1)


def plain_distance(kind, one, other):
    return torch.linalg.vector_norm(one - other) if kind == "euclidean" else 1 - (one * other).sum()


def plain_triplets(labels):
    n = range(len(labels))
    return [(a, p, x) for a in n for p in n for x in n if a != p and labels[a] == labels[p] and labels[a] != labels[x]]


def plain_loss(embedding, labels, margin, kind, mining, given=None):
    """Return the mean over valid triplets that are chosen, and how many they are."""
    d = [[plain_distance(kind, one, other) for other in embedding] for one in embedding]
    chosen = plain_triplets(labels) if given is None else given
    if mining == "batch_hard":
        anchors = sorted({a for a, _, _ in chosen})
        positives = [max((p for b, p, _ in chosen if b == a), key=lambda p, a=a: d[a][p].item()) for a in anchors]
        negatives = [min((x for b, _, x in chosen if b == a), key=lambda x, a=a: d[a][x].item()) for a in anchors]
        chosen = list(zip(anchors, positives, negatives, strict=True))
    losses = []
    for a, p, x in chosen:
        near, far = d[a][p], d[a][x]
        if mining == "hard" and far > near:
            continue
        if mining == "semihard" and far <= near:
            continue
        if near - far + margin > 0:
            losses.append(near - far + margin)
    return (sum(losses) / len(losses) if losses else None), len(losses)


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("kind", ["euclidean", "cosine"])
@pytest.mark.parametrize("seed", [0, 1])
def test_value_and_gradient_are_those_of_plain_loops(mining, kind, seed):
    free, embedding = made(seed)
    loss = Triplet(margin=0.3, distance=kind, mining=mining).build(5, 5)
    value = loss({"embedding": embedding}, {"label": LABELS}).read()
    (gradient,) = torch.autograd.grad(value.loss, free)
    twin, twin_embedding = made(seed)
    expected, count = plain_loss(twin_embedding, LABELS, 0.3, kind, mining)
    (expected_gradient,) = torch.autograd.grad(expected, twin)
    assert value.loss.item() == pytest.approx(expected.item(), abs=1e-9)
    torch.testing.assert_close(gradient, expected_gradient, atol=1e-7, rtol=1e-7)
    assert value.stats["valid_triplets"] == count
    everything = 11 if mining == "batch_hard" else len(plain_triplets(LABELS))
    assert value.stats["valid_share"] == pytest.approx(count / everything)


def test_embeddings_of_any_length_are_compared_as_long_as_they_are():
    free, unit = made(2)
    longer = 3 * free.detach()
    batch = {"label": LABELS}
    expected, count = plain_loss(longer, LABELS, 0.3, "euclidean", "all")
    value = Triplet(margin=0.3, mining="all").build(5, 5)({"embedding": longer}, batch).read()
    assert (value.loss.item(), value.stats["valid_triplets"]) == (pytest.approx(expected.item(), abs=1e-9), count)
    cosine = Triplet(margin=0.3, distance="cosine", mining="all").build(5, 5)
    of_long, of_unit = (cosine({"embedding": one}, batch).read().loss.item() for one in (longer, unit))
    assert of_long == pytest.approx(of_unit, abs=1e-12)


@pytest.mark.parametrize("mining", MININGS[:3])
@pytest.mark.parametrize("kind", ["euclidean", "cosine"])
def test_given_triplets_are_chosen_among_by_the_same_rule(mining, kind):
    free, embedding = made(3)
    given = plain_triplets(LABELS)[::7]
    loss = Triplet(margin=0.3, distance=kind, mining=mining).build(5, 5)
    value = loss({"embedding": embedding}, {"label": LABELS, "triplet": torch.tensor(given)}).read()
    expected, count = plain_loss(embedding, LABELS, 0.3, kind, mining, given)
    assert value.loss.item() == pytest.approx(expected.item(), abs=1e-9)
    one, other = (torch.autograd.grad(loss, free, retain_graph=True)[0] for loss in (value.loss, expected))
    torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-7)
    assert value.stats == pytest.approx({"valid_triplets": count, "valid_share": count / len(given)})


@pytest.mark.parametrize("mining", MININGS[:3])
def test_given_triplets_that_are_all_there_are_equal_mining_online(mining):
    _, embedding = made(5)
    loss = Triplet(margin=0.4, mining=mining).build(5, 5)
    online = loss({"embedding": embedding}, {"label": LABELS}).read()
    given = torch.tensor(plain_triplets(LABELS))
    offline = loss({"embedding": embedding}, {"label": LABELS, "triplet": given}).read()
    assert online.stats == offline.stats
    assert online.loss.item() == pytest.approx(offline.loss.item(), abs=1e-12)


def test_the_numbers_of_a_triangle():
    """Anchor, positive at 60°, negative at 90°: distances 1 and √2."""
    embedding = torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)], [0.0, 1.0]], dtype=torch.float64)
    batch = {"label": torch.tensor([0, 0, 1]), "triplet": torch.tensor([[0, 1, 2]])}
    value = Triplet(margin=0.5, mining="semihard").build(2, 2)({"embedding": embedding}, batch).read()
    assert value.loss.item() == pytest.approx(1 - math.sqrt(2) + 0.5, abs=1e-12)
    cosine = Triplet(margin=0.6, distance="cosine", mining="semihard").build(2, 2)
    value = cosine({"embedding": embedding}, batch).read()
    assert value.loss.item() == pytest.approx(0.5 - 1 + 0.6, abs=1e-12)
    assert Triplet(margin=0.6, mining="hard").build(2, 2)({"embedding": embedding}, batch).read().loss is None
    assert Triplet(margin=0.4, mining="all").build(2, 2)({"embedding": embedding}, batch).read().loss is None


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize(
    ("labels", "spread", "separated"),
    [([0, 0, 0, 0], 1.0, 0), ([0, 1, 2, 3], 1.0, 0), ([0, 0, 1, 1], 0.0, 1)],
    ids=["one person", "no positives", "solved"],
)
def test_no_valid_triplet_is_no_loss_and_no_nan(mining, labels, spread, separated):
    labels = torch.tensor(labels)
    free, _ = made(2, labels, spread)
    embedding = torch.nn.functional.normalize(free.detach(), dim=1)
    value = Triplet(margin=0.01, mining=mining).build(4, 5)({"embedding": embedding}, {"label": labels}).read()
    assert value.loss is None
    assert value.stats == {"valid_triplets": 0, "valid_share": 0, "separated": separated}


def test_a_batch_with_wrong_triplets_alone_is_not_separated():
    """Semi-hard mining finds nothing where every negative is nearer than the positive: the worst case, not the best."""
    embedding = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    batch = {"label": torch.tensor([0, 0, 1, 1])}
    value = Triplet(margin=0.2, mining="semihard").build(2, 2)({"embedding": embedding}, batch).read()
    assert value.loss is None
    assert value.stats["separated"] == 0


def test_given_triplets_are_separated_by_themselves():
    """The triplets of the batch count, not others that could be made of it."""
    embedding = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [1.0, 0.05]]), dim=1)
    batch = {"label": torch.tensor([0, 0, 1, 1]), "triplet": torch.tensor([[0, 1, 2]])}
    value = Triplet(margin=0.2, mining="all").build(2, 2)({"embedding": embedding}, batch).read()
    assert (value.loss, value.stats["separated"]) == (None, 1)


def test_equal_embeddings_are_valid_triplets_with_finite_gradients():
    free = torch.ones(6, 4, requires_grad=True)
    embedding = torch.nn.functional.normalize(free, dim=1)
    value = (
        Triplet(margin=0.2, mining="all").build(2, 4)({"embedding": embedding}, {"label": torch.arange(6) // 3}).read()
    )
    assert value.loss.item() == pytest.approx(0.2, abs=1e-3)
    value.loss.backward()
    assert torch.isfinite(free.grad).all()


def test_batch_hard_does_not_choose_among_given_triplets():
    _, embedding = made()
    batch = {"label": LABELS, "triplet": torch.tensor([[0, 1, 3]])}
    with pytest.raises(UserError, match=r"loss\.triplet\.mining: batch_hard .*choose all, hard or semihard"):
        Triplet(mining="batch_hard").build(5, 5)({"embedding": embedding}, batch).read()


def test_options_are_checked_by_name():
    with pytest.raises(UserError, match=r"loss triplet: .*mining"):
        make_spec("loss", "triplet", {"mining": "easy"})
    with pytest.raises(UserError, match=r"loss triplet: .*margin"):
        make_spec("loss", "triplet", {"margin": 0})


def library_loss(embedding, labels, margin, kind, mining):
    """Return what pytorch-metric-learning computes from lists of triplets, and how many triplets it found valid."""
    distance = LpDistance() if kind == "euclidean" else CosineSimilarity()
    if mining == "batch_hard":
        miner = BatchHardMiner(distance=distance)
    else:
        miner = TripletMarginMiner(margin=margin, type_of_triplets=mining, distance=distance)
    loss = TripletMarginLoss(margin=margin, distance=distance)
    chosen = miner(embedding, labels)
    matrix = distance(embedding)
    lead = distance.margin(matrix[chosen[0], chosen[1]], matrix[chosen[0], chosen[2]])
    return loss(embedding, labels, chosen), int((lead + margin > 0).sum())


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("kind", ["euclidean", "cosine"])
@pytest.mark.parametrize("at_once", [1, 1000, triplet_loss.MOST_AT_ONCE])
def test_float32_batches_agree_with_the_library(mining, kind, at_once, monkeypatch):
    monkeypatch.setattr(triplet_loss, "MOST_AT_ONCE", at_once)
    labels = torch.arange(64).div(4, rounding_mode="floor")[
        torch.randperm(64, generator=torch.Generator().manual_seed(8))
    ]
    free, _ = made(7, labels, spread=1.5)
    one, other = (free.detach().float().requires_grad_() for _ in range(2))
    value = Triplet(distance=kind, mining=mining).build(16, 5)
    given = torch.nn.functional.normalize(one) if kind == "euclidean" else one
    value = value({"embedding": given}, {"label": labels}).read()
    expected, count = library_loss(other, labels, 0.2, kind, mining)
    (gradient,), (expected_gradient,) = torch.autograd.grad(value.loss, one), torch.autograd.grad(expected, other)
    assert value.stats["valid_triplets"] == count > 0
    assert value.number == pytest.approx(expected.item(), abs=1e-7)
    torch.testing.assert_close(gradient, expected_gradient, atol=4e-7, rtol=0)


def test_candidates_are_all_triplets_of_the_batch():
    _, embedding = made()
    value = Triplet(margin=10.0, mining="all").build(5, 5)({"embedding": embedding}, {"label": LABELS}).read()
    assert value.stats["valid_triplets"] == len(plain_triplets(LABELS))
    assert value.stats["valid_share"] == 1
