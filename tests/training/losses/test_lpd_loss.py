"""Loss of latent part detection."""

import math

import pytest
import torch

from face3d_data.errors import UserError
from face3d_training.registry import make_spec

NAN = math.nan
PEOPLE, SIZE = 5, 8


def loss(**options):
    torch.manual_seed(0)
    return make_spec("loss", "lpd", options).build(PEOPLE, 2 * SIZE)


def batch(ratios=(0.5, NAN, 1.0, NAN)):
    label = torch.tensor([0, 3, 1, 4])
    return {"label": label, "visible_ratio": torch.tensor(ratios)}


def outputs():
    noise = torch.Generator().manual_seed(1)
    return {
        "global_embedding": torch.randn(4, SIZE, generator=noise, requires_grad=True),
        "part_embedding": torch.randn(4, SIZE, generator=noise, requires_grad=True),
        "visible_ratio": torch.tensor([0.6, 0.2, 0.7, 0.9], requires_grad=True),
    }


def cross_entropy(embedding, weight, label, scale=None):
    """One sample at a time."""
    total = 0.0
    for vector, right in zip(embedding.tolist(), label.tolist(), strict=True):
        logits = []
        for row in weight.tolist():
            product = sum(a * b for a, b in zip(vector, row, strict=True))
            length = math.hypot(*vector) * math.hypot(*row)
            logits.append(product if scale is None else scale * product / length)
        total += math.log(sum(math.exp(each) for each in logits)) - logits[right]
    return total / len(label)


@pytest.mark.parametrize(("head", "scale"), [("linear", None), ("cosine", 20.0)])
def test_it_is_two_cross_entropies_and_the_error_of_the_known_ratios(head, scale):
    module = loss(head=head, **({"scale": scale} if scale else {}), ratio_weight=0.5)
    with torch.no_grad():
        module.global_weight.normal_()
        module.part_weight.normal_()
    made, found = outputs(), module(outputs(), batch())
    whole = cross_entropy(made["global_embedding"], module.global_weight, batch()["label"], scale)
    part = cross_entropy(made["part_embedding"], module.part_weight, batch()["label"], scale)
    ratio = (abs(0.6 - 0.5) + abs(0.7 - 1.0)) / 2
    assert found.loss.item() == pytest.approx(whole + part + 0.5 * ratio, abs=1e-5)
    assert found.stats["global"] == pytest.approx(whole, abs=1e-5)
    assert found.stats["part"] == pytest.approx(part, abs=1e-5)
    assert found.stats["ratio"] == pytest.approx(ratio, abs=1e-6)
    assert (found.stats["known_ratios"], found.stats["ratio_left_out"]) == (2, 0)


def test_without_a_known_ratio_its_term_is_left_out_and_counted():
    module, made = loss(), outputs()
    found = module(made, batch((NAN,) * 4)).read()
    assert "ratio" not in found.stats
    assert (found.stats["known_ratios"], found.stats["ratio_left_out"]) == (0, 1)
    assert found.loss.item() == pytest.approx(found.stats["global"] + found.stats["part"])
    found.loss.backward()
    assert not made["visible_ratio"].grad.any()
    assert made["global_embedding"].grad.abs().sum() > 0


def test_unknown_ratios_pull_at_nothing():
    made = outputs()
    loss()(made, batch()).loss.backward()
    torch.testing.assert_close(made["visible_ratio"].grad, torch.tensor([0.5, 0, -0.5, 0]))


def test_heads_start_undecided_and_learn_apart():
    module = loss()
    made = outputs()
    found = module(made, batch())
    assert found.stats["global"] == pytest.approx(math.log(PEOPLE), abs=0.01)
    assert not torch.equal(module.global_weight, module.part_weight)
    assert module.global_weight.shape == module.part_weight.shape == (PEOPLE, SIZE)
    found.loss.backward()
    assert module.global_weight.grad.abs().sum() > 0
    assert module.part_weight.grad.abs().sum() > 0


def test_cosines_do_not_see_lengths_and_products_do():
    longer = {name: 3 * value if "embedding" in name else value for name, value in outputs().items()}
    for head, same in (("cosine", True), ("linear", False)):
        module = loss(head=head)
        with torch.no_grad():
            module.global_weight.normal_()
        found, other = (module(made, batch()).read().stats["global"] for made in (outputs(), longer))
        assert (found == pytest.approx(other, abs=1e-5)) is same


def test_an_unknown_head_is_refused():
    with pytest.raises(UserError, match="loss lpd: 'head' = 'mlp'"):
        loss(head="mlp")


def test_it_says_what_it_needs():
    spec = make_spec("loss", "lpd", {})
    assert spec.needs == ("global_embedding", "part_embedding", "visible_ratio")
    assert spec.needs_labels == ("visible_ratio",)


@pytest.mark.slow
def test_the_network_and_its_loss_fit_together():
    torch.manual_seed(0)
    net = make_spec("model", "lpd", {"embedding_size": 2 * SIZE}).build()
    value = loss()(net(torch.randn(4, 3, 32, 32), full=True), batch())
    value.loss.backward()
    assert [name for name, weight in net.named_parameters() if not weight.grad.abs().sum() > 0] == []
