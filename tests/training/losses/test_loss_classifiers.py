"""Losses by classification against plain loops, in float64: values, gradients, and where they might not be finite."""

import itertools
import math

import pytest
import torch

from face3d_training.losses.loss_module import LossValue
from face3d_training.registry import make_spec

PEOPLE, SIZE = 6, 5
LABELS = torch.tensor([0, 0, 1, 2, 3, 5, 5, 5])


def made(name, seed=0, **options):
    """Return free vectors, the embeddings made of them, and the loss with its class weights, all in float64."""
    torch.manual_seed(seed)
    free = torch.randn(len(LABELS), SIZE, dtype=torch.float64, requires_grad=True)
    loss = make_spec("loss", name, options).build(PEOPLE, SIZE).double()
    return free, torch.nn.functional.normalize(free, dim=1), loss


def plain_cross_entropy(logits, label, smoothing=0.0):
    """Return −Σ target · log softmax, as scalars."""
    total = sum(math.e ** (one - max(logits).detach()) for one in logits)
    logs = [one - max(logits).detach() - torch.log(total) for one in logits]
    target = [(1 - smoothing) * (person == int(label)) + smoothing / len(logits) for person in range(len(logits))]
    return -sum(share * log for share, log in zip(target, logs, strict=True))


def compare(free, value: LossValue, expected, *weights):
    assert value.loss.item() == pytest.approx(expected.item(), abs=1e-9)
    found = torch.autograd.grad(value.loss, [free, *weights], retain_graph=True)
    wanted = torch.autograd.grad(expected, [free, *weights])
    for one, other in zip(found, wanted, strict=True):
        assert float(other.abs().max()) > 1e-6
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_is_the_cross_entropy_of_a_linear_classifier(smoothing):
    free, embedding, loss = made("softmax", scale=8, label_smoothing=smoothing)
    weight, bias = loss.classifier.weight, loss.classifier.bias
    logits = [[8 * (row * weight[c]).sum() + bias[c] for c in range(PEOPLE)] for row in embedding]
    losses = [plain_cross_entropy(row, label, smoothing) for row, label in zip(logits, LABELS, strict=True)]
    value = loss({"embedding": embedding}, {"label": LABELS})
    compare(free, value, sum(losses) / len(losses), weight, bias)
    right = [max(range(PEOPLE), key=lambda c, row=row: row[c].item()) for row in logits]
    assert value.stats["accuracy"] == pytest.approx(
        sum(a == b for a, b in zip(right, LABELS.tolist(), strict=True)) / 8
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_weighs_by_how_wrong_a_sample_is(gamma):
    free, embedding, loss = made("focal", scale=8, gamma=gamma)
    weight, bias = loss.classifier.weight, loss.classifier.bias
    losses = []
    for row, label in zip(embedding, LABELS, strict=True):
        entropy = plain_cross_entropy([8 * (row * weight[c]).sum() + bias[c] for c in range(PEOPLE)], label)
        losses.append((1 - torch.exp(-entropy)) ** gamma * entropy)
    compare(free, loss({"embedding": embedding}, {"label": LABELS}), sum(losses) / len(losses), weight, bias)


def test_focal_without_gamma_is_softmax():
    _, embedding, focal = made("focal", gamma=0)
    _, _, softmax = made("softmax")
    batch = {"label": LABELS}
    assert focal({"embedding": embedding}, batch).loss.item() == softmax({"embedding": embedding}, batch).loss.item()


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_has_finite_gradients_where_all_is_certain(gamma):
    loss = make_spec("loss", "focal", {"gamma": gamma, "scale": 1000}).build(2, 2)
    with torch.no_grad():
        loss.classifier.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    embedding = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss({"embedding": embedding}, {"label": torch.tensor([0])}).loss.backward()
    assert torch.isfinite(embedding.grad).all()


def plain_arcface(cosine, margin):
    angle = torch.acos(cosine)
    return torch.cos(angle + margin) if angle <= math.pi - margin else cosine - margin * math.sin(margin)


def plain_combined(cosine, m1, m2, m3):
    angle = m1 * torch.acos(cosine) + m2
    turns = int(angle.item() // math.pi)
    return (-1) ** turns * torch.cos(angle) - 2 * turns - m3


MARGINS = {
    "arcface": ({"margin": 0.5}, lambda cosine: plain_arcface(cosine, 0.5)),
    "cosface": ({"margin": 0.35}, lambda cosine: cosine - 0.35),
    "combined": ({"m1": 1.4, "m2": 0.3, "m3": 0.2}, lambda cosine: plain_combined(cosine, 1.4, 0.3, 0.2)),
}


@pytest.mark.parametrize("name", MARGINS)
@pytest.mark.parametrize("seed", range(4))
def test_margins_change_the_right_persons_cosine(name, seed):
    options, with_margin = MARGINS[name]
    free, embedding, loss = made(name, seed, scale=6, **options)
    weight = loss.loss.W
    losses = []
    for row, label in zip(embedding, LABELS.tolist(), strict=True):
        logits = []
        for person in range(PEOPLE):
            column = weight[:, person]
            cosine = (row * column).sum() / torch.linalg.vector_norm(column)
            logits.append(6 * (with_margin(cosine) if person == label else cosine))
        losses.append(plain_cross_entropy(logits, label))
    compare(free, loss({"embedding": embedding}, {"label": LABELS}), sum(losses) / len(losses), weight)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("arcface", {}),
        ("cosface", {}),
        ("combined", {"m1": 1.0, "m2": 0.5, "m3": 0.35}),
        ("combined", {"m1": 3.0, "m2": 1.5, "m3": 0.9}),
    ],
)
def test_the_loss_rises_with_the_angle_from_0_to_pi(name, options):
    loss = make_spec("loss", name, {"scale": 4, **options}).build(2, 3).double()
    with torch.no_grad():
        loss.loss.W.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]))
    angle = torch.linspace(0.01, math.pi - 0.01, 400, dtype=torch.float64)
    embedding = torch.stack([torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)], 1)
    label = torch.tensor([0])
    values = [loss({"embedding": row[None]}, {"label": label}).loss.item() for row in embedding]
    assert all(later > before for before, later in itertools.pairwise(values))


@pytest.mark.parametrize("scale", [30.0, 64.0])
def test_combined_has_arcface_and_cosface_in_it(scale):
    _, embedding, arcface = made("arcface", scale=scale)
    _, _, cosface = made("cosface", scale=scale)
    _, _, with_angle = made("combined", scale=scale, m2=0.5, m3=0)
    _, _, with_cosine = made("combined", scale=scale, m2=0, m3=0.35)
    # The nearest person: no angle that the margin takes beyond π, where the two differ.
    batch = {"label": torch.argmax(embedding @ arcface.loss.W, dim=1)}
    for one, other in ((arcface, with_angle), (cosface, with_cosine)):
        outputs = {"embedding": embedding}
        assert one(outputs, batch).loss.item() == pytest.approx(other(outputs, batch).loss.item(), rel=1e-9)


@pytest.mark.parametrize("name", MARGINS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradients_are_finite_where_embedding_and_weight_agree_or_oppose(name, sign):
    loss = make_spec("loss", name, {}).build(3, 4)
    free = (sign * loss.loss.W.detach().T).clone().requires_grad_()
    embedding = torch.nn.functional.normalize(free, dim=1)
    value = loss({"embedding": embedding}, {"label": torch.arange(3)})
    assert torch.isfinite(value.loss)
    value.loss.backward()
    assert torch.isfinite(free.grad).all()
    assert torch.isfinite(loss.loss.W.grad).all()


@pytest.mark.parametrize("name", MARGINS)
def test_class_weights_start_short_and_are_drawn_from_torchs_generator(name):
    torch.manual_seed(1)
    first = make_spec("loss", name, {}).build(50, 64).loss.W
    torch.manual_seed(1)
    assert torch.equal(first, make_spec("loss", name, {}).build(50, 64).loss.W)
    assert float(first.detach().std()) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_sub_centers_the_nearest_weight_of_a_person_counts(seed):
    free, embedding, loss = made("arcface", seed, scale=6, margin=0.4, sub_centers=3)
    weight = loss.loss.W
    assert weight.shape == (SIZE, 3 * PEOPLE)
    losses = []
    for row, label in zip(embedding, LABELS.tolist(), strict=True):
        logits = []
        for person in range(PEOPLE):
            columns = [weight[:, 3 * person + number] for number in range(3)]
            cosine = max((row * column).sum() / torch.linalg.vector_norm(column) for column in columns)
            logits.append(6 * (plain_arcface(cosine, 0.4) if person == label else cosine))
        losses.append(plain_cross_entropy(logits, label))
    compare(free, loss({"embedding": embedding}, {"label": LABELS}), sum(losses) / len(losses), weight)


def test_sub_centers_have_finite_gradients_where_embedding_and_weight_agree():
    loss = make_spec("loss", "arcface", {"sub_centers": 2}).build(3, 4)
    free = loss.loss.W.detach().T[::2].clone().requires_grad_()
    loss({"embedding": torch.nn.functional.normalize(free, dim=1)}, {"label": torch.arange(3)}).loss.backward()
    assert torch.isfinite(free.grad).all()


def plain_adaface(cosine, quality, margin):
    angle = torch.acos(cosine) - margin * quality
    angle = min(max(angle, torch.tensor(1e-3)), torch.tensor(math.pi - 1e-3))
    return torch.cos(angle) - (margin + margin * quality)


@pytest.mark.parametrize("seed", range(4))
def test_adaface_has_a_margin_for_each_length(seed):
    free, embedding, loss = made("adaface", seed, scale=6, margin=0.4, concentration=0.6)
    mean = deviation = None
    for number in range(2):  # mean and deviation run on from one batch to the next
        norm = (number + 1) * free.detach().norm(dim=1)
        value = loss({"embedding": embedding, "norm": norm}, {"label": LABELS})
        was = (20.0, 100.0) if mean is None else (mean, deviation)
        mean = 0.01 * was[0] + 0.99 * float(norm.mean())
        deviation = 0.01 * was[1] + 0.99 * math.sqrt(sum((norm - norm.mean()) ** 2) / len(norm))
    losses = []
    for row, label, length in zip(embedding, LABELS.tolist(), norm.tolist(), strict=True):
        quality = max(-1.0, min(1.0, 0.6 * (length - mean) / (deviation + 1e-3)))
        logits = []
        for person in range(PEOPLE):
            cosine = (row * loss.weight[person]).sum() / torch.linalg.vector_norm(loss.weight[person])
            logits.append(6 * (plain_adaface(cosine, quality, 0.4) if person == label else cosine))
        losses.append(plain_cross_entropy(logits, label))
    compare(free, value, sum(losses) / len(losses), loss.weight)
    assert value.stats["norm"] == pytest.approx(float(norm.mean()))


@pytest.mark.parametrize(("length", "other"), [(1e-3, "arcface"), (30.0, "cosface")])
def test_adaface_of_poor_and_of_middling_captures_is_arcface_and_cosface(length, other):
    """Of lengths far below the running mean, and of those at it."""
    _, embedding, adaface = made("adaface", margin=0.3, scale=8)
    with torch.no_grad():
        adaface.mean.fill_(30)
        adaface.deviation.fill_(1)
    _, _, plain = made(other, margin=0.3, scale=8)
    with torch.no_grad():
        plain.loss.W.copy_(adaface.weight.T)
    batch = {"label": torch.argmax(embedding @ adaface.weight.T, dim=1)}
    outputs = {"embedding": embedding, "norm": torch.full((len(LABELS),), length, dtype=torch.float64)}
    wanted = plain({"embedding": embedding}, batch).loss.item()
    assert adaface.eval()(outputs, batch).loss.item() == pytest.approx(wanted, rel=1e-6)


def test_adaface_sends_no_gradient_to_lengths_and_stands_still_in_evaluation():
    _, embedding, loss = made("adaface")
    norm = torch.ones(len(LABELS), dtype=torch.float64, requires_grad=True)
    loss.eval()
    before = loss.mean.clone(), loss.deviation.clone()
    loss({"embedding": embedding, "norm": norm}, {"label": LABELS}).loss.backward()
    assert norm.grad is None
    assert (loss.mean, loss.deviation) == before


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_adaface_has_finite_gradients_where_embedding_and_weight_agree_or_oppose(sign):
    loss = make_spec("loss", "adaface", {}).build(3, 4)
    free = (sign * loss.weight.detach()).clone().requires_grad_()
    outputs = {"embedding": torch.nn.functional.normalize(free, dim=1), "norm": torch.tensor([0.0, 1.0, 1e6])}
    loss(outputs, {"label": torch.arange(3)}).loss.backward()
    assert torch.isfinite(free.grad).all()
    assert torch.isfinite(loss.weight.grad).all()


def test_accuracy_of_margins_is_without_the_margin():
    loss = make_spec("loss", "arcface", {}).build(2, 2)
    with torch.no_grad():
        loss.loss.W.copy_(torch.eye(2))
    embedding = torch.nn.functional.normalize(torch.tensor([[1.0, 0.9], [0.2, 1.0]]), dim=1)
    assert loss({"embedding": embedding}, {"label": torch.tensor([0, 0])}).stats["accuracy"] == 0.5
