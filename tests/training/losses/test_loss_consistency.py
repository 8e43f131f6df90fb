"""Consistency loss against plain loops: who is drawn to whom, and what gets no gradient."""

import pytest
import torch
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_training.registry import make_spec

PAIR = torch.tensor([4, 4, -1, 7, 9, 7, -1, 5])
MASKED = torch.tensor([False, True, True, True, False, False, False, True])
"""Two pairs, a masked and a plain one that have no partner by number, and one of each whose partner is not here."""


def made(seed=0):
    torch.manual_seed(seed)
    free = torch.randn(len(PAIR), 5, dtype=torch.float64, requires_grad=True)
    return free, functional.normalize(free, dim=1), {"pair": PAIR, "masked": MASKED, "label": torch.arange(8)}


def partner_of(place):
    return next(
        (other for other in range(8) if PAIR[other] == PAIR[place] >= 0 and not MASKED[other] and MASKED[place]), None
    )


def compare(free, found, expected):
    assert found.item() == pytest.approx(expected.item(), abs=1e-12)
    one, other = (torch.autograd.grad(value, free, retain_graph=True)[0] for value in (found, expected))
    assert float(other.abs().max()) > 1e-3
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("seed", range(3))
def test_a_masked_face_is_drawn_to_its_own_plain_one(seed):
    free, embedding, batch = made(seed)
    value = make_spec("loss", "consistency", {}).build(8, 5)({"embedding": embedding}, batch)
    terms = [
        1 - (embedding[place] * embedding[partner_of(place)].detach()).sum()
        for place in range(8)
        if partner_of(place) is not None
    ]
    assert len(terms) == value.stats["pairs"] == 2
    compare(free, value.loss, sum(terms) / 2)
    gradient = torch.autograd.grad(value.loss, free)[0]
    assert torch.equal(gradient.any(dim=1), torch.tensor([False, True, False, True, False, False, False, False]))


@pytest.mark.parametrize("seed", range(3))
def test_with_a_teacher_both_of_a_pair_are_drawn_to_what_it_makes_of_the_plain_one(seed):
    free, embedding, batch = made(seed)
    teacher = functional.normalize(torch.randn(8, 5, dtype=torch.float64), dim=1)
    teacher[MASKED] = 0
    loss = make_spec("loss", "consistency", {"teacher": "some.pt"}).build(8, 5)
    value = loss({"embedding": embedding}, batch | {"teacher_embedding": teacher})
    terms = []
    for place in range(8):
        other = partner_of(place)
        if other is not None:
            terms += [1 - (embedding[place] * teacher[other]).sum(), 1 - (embedding[other] * teacher[other]).sum()]
    compare(free, value.loss, sum(terms) / 4)


def test_nothing_is_learnt_without_a_pair():
    _, embedding, batch = made()
    value = make_spec("loss", "consistency", {}).build(8, 5)(
        {"embedding": embedding}, batch | {"masked": torch.zeros(8, dtype=torch.bool)}
    )
    assert value.read().loss is None
    assert value.stats["pairs"] == 0


def test_a_teacher_of_another_length_is_refused():
    _, embedding, batch = made()
    loss = make_spec("loss", "consistency", {"teacher": "some.pt"}).build(8, 5)
    with pytest.raises(UserError, match=r"set model\.embedding_size to 7"):
        loss({"embedding": embedding}, batch | {"teacher_embedding": torch.zeros(8, 7)})
    with pytest.raises(UserError, match="no 'teacher_embedding'"):
        loss({"embedding": embedding}, batch)
