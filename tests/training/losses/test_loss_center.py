"""Center loss and its centres against plain loops."""

import copy

import pytest
import torch

from face3d_training.losses.center import Center

LABELS = torch.tensor([0, 0, 0, 2, 3, 3])


def made(alpha=0.5):
    torch.manual_seed(0)
    loss = Center(alpha=alpha).build(5, 4).double().train()
    loss.centers.copy_(torch.randn(5, 4, dtype=torch.float64))
    free = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    return loss, free, torch.nn.functional.normalize(free, dim=1)


def test_value_and_gradient_are_those_of_a_plain_loop():
    loss, free, embedding = made()
    centers = loss.centers.clone()
    value = loss({"embedding": embedding}, {"label": LABELS})
    terms = [((row - centers[label]) ** 2).sum() / 2 for row, label in zip(embedding, LABELS, strict=True)]
    expected = sum(terms) / 6
    assert value.loss.item() == pytest.approx(expected.item(), abs=1e-12)
    one, other = (torch.autograd.grad(loss, free, retain_graph=True)[0] for loss in (value.loss, expected))
    torch.testing.assert_close(one, other)
    distances = [torch.linalg.vector_norm(row - centers[label]) for row, label in zip(embedding, LABELS, strict=True)]
    assert value.stats["distance"] == pytest.approx((sum(distances) / 6).item())


@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_centers_follow_by_the_papers_rule(alpha):
    loss, _, embedding = made(alpha)
    centers = loss.centers.clone()
    loss({"embedding": embedding}, {"label": LABELS})
    for person in range(5):
        mine = [row.detach() for row, label in zip(embedding, LABELS, strict=True) if label == person]
        delta = sum((centers[person] - row for row in mine), torch.zeros(4, dtype=torch.float64)) / (1 + len(mine))
        torch.testing.assert_close(loss.centers[person], centers[person] - alpha * delta)


def test_centers_stay_in_evaluation_and_travel_with_the_weights():
    loss, _, embedding = made()
    before = loss.centers.clone()
    loss.eval()({"embedding": embedding}, {"label": LABELS})
    assert torch.equal(loss.centers, before)
    other = Center().build(5, 4).double()
    other.load_state_dict(copy.deepcopy(loss.state_dict()))
    assert torch.equal(other.centers, before)
    assert not list(loss.parameters())
