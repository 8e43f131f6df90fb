"""The shipped checks of networks and losses themselves: each breach of the contract is found, and said."""

from __future__ import annotations

import itertools
from typing import ClassVar

import pytest
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from face3d_data.errors import ContractError, UserError
from face3d_training.losses.base import LossSpec
from face3d_training.losses.loss_module import LossModule, LossValue
from face3d_training.losses.plain import spec_of_loss
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.models.plain import spec_of_network
from face3d_training.models.shared_mlp import check_points
from face3d_training.testing import check_loss, check_model

counter = itertools.count()


class Mean(ModelSpec):
    """The mean of what each point becomes; `fault` names a breach."""

    name: ClassVar[str] = "mean_net"
    inputs: ClassVar[str] = "points"
    in_channels: ClassVar[int] = 3
    fault: str = Field("", description="what to do wrong")

    def build(self):
        return MeanNet(self)

    def count_weights(self):
        return super().count_weights() + (self.fault == "count")


class MeanNet(EmbeddingNet):
    def __init__(self, spec):
        super().__init__()
        self.fault, self.embedding_size = spec.fault, spec.embedding_size
        self.first, self.second = nn.Linear(3, 16), nn.Linear(16, spec.embedding_size)
        self.drop = nn.Dropout(0.5)
        if self.fault == "seed":
            self.first.weight.data += next(counter)
        if self.fault == "unused":
            self.third = nn.Linear(2, 2)
        self.hidden = torch.randn(16) if self.fault == "state" else torch.zeros(16)

    def compute(self, inputs):
        if self.fault == "raises" and inputs.shape[2] != 3:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        if self.fault == "lines" and inputs.shape[2] != 3:
            raise UserError("two\nlines")
        if self.fault != "channels":
            check_points(inputs, "mean_net", 3)
        features = torch.relu(self.first(inputs[..., :3]) + self.hidden)
        if self.fault == "drops":
            features = functional.dropout(features, 0.5, training=True)
        if self.fault == "detached":
            features = features.detach()
        pooled = features[:, 0] if self.fault == "order" else features.mean(1)
        if self.fault == "batch":
            pooled = pooled - pooled.mean(0)
        embedding = self.second(pooled)
        return {"embedding": embedding[:, 1:] if self.fault == "size" else embedding}

    def forward(self, inputs, full=False):
        outputs = self.compute(inputs)
        if self.fault != "length":
            outputs["embedding"] = functional.normalize(outputs["embedding"], dim=1)
        if self.fault == "first":
            outputs["penalty"] = torch.zeros(1)
        if self.fault == "mapping" and full:
            return outputs["embedding"]
        return outputs if full else outputs["embedding"]


MODEL_BREACHES = {
    "seed": "one seed builds two networks",
    "mapping": "full=True gives no mapping with 'embedding'",
    "size": r"embeddings have the shape \(3, 7\), not \(3, 8\)",
    "length": "embeddings are not of unit length",
    "first": r"the outputs \['penalty'\] do not have the batch first",
    "unused": r"no gradient reaches \['third.weight', 'third.bias'\]",
    "detached": r"no gradient reaches \['first.weight', 'first.bias'\]",
    "drops": "in evaluation one input gives two embeddings",
    "batch": "in evaluation an embedding rests on the others of its batch",
    "order": "the order of points moves an embedding by",
    "channels": "it takes 4 channels and declares 3",
    "raises": "other channels than it declares end as RuntimeError",
    "lines": "refused in several lines",
    "state": "its state_dict does not hold all that it is",
    "count": "count_weights gives 201, it has 200",
}


def test_a_good_network_passes():
    embeddings = check_model(Mean(embedding_size=8))
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("fault", MODEL_BREACHES)
def test_every_breach_of_a_network_is_found(fault):
    with pytest.raises(ContractError, match=rf"model 'mean_net': .*{MODEL_BREACHES[fault]}"):
        check_model(Mean(embedding_size=8, fault=fault))


class Bare(Mean):
    """Says nothing of its option."""

    width: int = 3


class Silent(Mean):
    name: ClassVar[str] = "silent"


@pytest.mark.parametrize(
    ("spec", "said"), [(Bare(), "field 'width' has no description"), (Silent(), "no docstring: its first line")]
)
def test_texts_are_checked(spec, said):
    with pytest.raises(ContractError, match=said):
        check_model(spec)


class Pull(LossSpec):
    """Cross-entropy of a linear classifier; `fault` names a breach."""

    name: ClassVar[str] = "pull"
    needs: ClassVar[tuple[str, ...]] = ("quality",)
    needs_labels: ClassVar[tuple[str, ...]] = ("visible_ratio",)
    fault: str = Field("", description="what to do wrong")

    def build(self, n_classes, embedding_size):
        return PullLoss(self, n_classes, embedding_size)


class PullLoss(LossModule):
    def __init__(self, spec, n_classes, embedding_size):
        super().__init__()
        self.fault, self.weight = spec.fault, nn.Parameter(torch.randn(n_classes, embedding_size))
        if self.fault == "unused":
            self.other = nn.Parameter(torch.zeros(2))

    def forward(self, outputs, batch):
        embedding, label = outputs["embedding"], batch["label"]
        if self.fault == "write":
            embedding += 1
        if self.fault == "labels":
            label[:] = 0
        if self.fault == "crash":
            label.unique()[1]
        if self.fault == "nothing":
            return LossValue(None)
        used = {name: value.detach() for name, value in outputs.items()} if self.fault == "detached" else outputs
        each = functional.cross_entropy(used["embedding"] @ self.weight.T, label, reduction="none")
        each = each + (0 if self.fault == "detached" else outputs["quality"] * batch["visible_ratio"])
        if self.fault == "order":
            each = each * torch.arange(len(each))
        if self.fault == "counts":
            each = each + next(counter)
        loss = each if self.fault == "several" else each.mean()
        if self.fault == "nan":
            loss = loss * float("nan")
        if self.fault == "same":
            loss = loss / (embedding - embedding.mean(0)).square().sum()
        if self.fault == "root":
            loss = loss + (embedding - embedding.mean(0)).square().sum().sqrt()
        return LossValue(loss, {"mean": loss if self.fault == "stats" else 1.0})


class Unsaid(Pull):
    """Needs an output, and does not say so."""

    name: ClassVar[str] = "unsaid"
    needs: ClassVar[tuple[str, ...]] = ()


LOSS_BREACHES = {
    "write": r"it writes into \['embedding'\]",
    "labels": "it writes into the labels",
    "crash": "one person: IndexError",
    "nothing": "finds nothing to learn from",
    "detached": "no gradient reaches the embeddings",
    "unused": r"no gradient reaches its own \['other'\]",
    "order": "the batch in another order gives",
    "counts": "the same batch gives another value",
    "several": "give one finite number",
    "nan": "give one finite number",
    "same": "one embedding many times gives (inf|nan)",
    "root": "one embedding many times gives gradients that are not finite",
    "stats": "its stats are neither numbers nor detached tensors",
}


def test_a_good_loss_passes():
    assert 0 < check_loss(Pull()) < 10


@pytest.mark.parametrize("fault", LOSS_BREACHES)
def test_every_breach_of_a_loss_is_found(fault):
    with pytest.raises(ContractError, match=rf"loss 'pull': .*{LOSS_BREACHES[fault]}"):
        check_loss(Pull(fault=fault))


def test_outputs_that_a_loss_needs_are_asked_for():
    with pytest.raises(ContractError, match=r"give outputs for \['quality'\]"):
        check_loss(Pull(), {})
    with pytest.raises(KeyError, match="quality"):
        check_loss(Unsaid())


class Plain(nn.Module):
    """A torch module without a spec.

    Args:
        width: channels of each point.
    """

    def __init__(self, embedding_size: int = 8, width: int = 16):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, embedding_size))

    def forward(self, points):
        return self.layers(points).mean(1)


def closeness(embeddings, labels, margin: float = 0.1):
    """Distance to the mean of one's own person."""
    own = labels[:, None] == labels
    means = (own.float() @ embeddings) / own.sum(1, keepdim=True)
    return ((embeddings - means).square().sum(1) - margin).mean()


def test_plain_modules_and_functions_keep_the_contract_too():
    network = spec_of_network(Plain, "mine:Plain")
    assert network.model_fields["width"].description == "channels of each point"
    check_model(network(width=4))
    check_loss(spec_of_loss(closeness, "mine:closeness")(margin=0.3))
