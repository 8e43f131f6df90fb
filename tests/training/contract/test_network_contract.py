"""Every network and loss of the registry, held to the contract. A new one needs an entry only where it is slow."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from face3d_training.registry import NETWORKS, specs
from face3d_training.testing import check_loss, check_model

pytestmark = pytest.mark.slow
SMALL_POINTS = {"embedding_size": 16}
MODELS = {
    "ir50": {"embedding_size": 16, "image_size_px": 32},
    "ir_se50": {"embedding_size": 16, "image_size_px": 32},
    "inception_resnet_v2": {"embedding_size": 16},
    "pointmlp": {"embedding_size": 16, "embed": 16},
    "pointnet2_msg": {"embedding_size": 16, "centers": (128, 32)},
    "pointnet2_ssg": {"embedding_size": 16, "centers": (128, 32)},
    "pointnet2_ssg_elite": {"embedding_size": 16, "centers": (128, 32)},
}
"""Options that keep the check fast, or that a network has to have."""
SAME_CLASS = {"resnet34": "resnet18", "resnet101": "resnet50", "resnet152": "resnet50", "ir_se50": "ir50"}
"""Networks that differ from a checked one in depth, or in one kind of block, alone: they share its class."""
INPUTS = {"inception_resnet_v2": (2, 3, 96, 96), **dict.fromkeys(("pointnet2_msg", "pointnet2_ssg"), (2, 160, 3))}
"""Shapes of the inputs, where the check's own are too small or slow."""
PARTS = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(2))
LOSSES = {
    "lpd": {
        "global_embedding": PARTS[0],
        "part_embedding": PARTS[1],
        "visible_ratio": torch.linspace(0.2, 0.9, 12),
    },
    "occlusion": {"occlusion": torch.randn(12, 4, 4, generator=torch.Generator().manual_seed(3))},
}
"""Outputs that a loss needs beside the embedding, where shapes other than its own are wanted."""


def ours(kind):
    return {name: cls for name, cls in specs(kind).items() if cls.__module__.startswith("face3d_training.")}


@pytest.mark.parametrize("name", [name for name in ours("model") if name not in SAME_CLASS])
def test_every_network_keeps_the_contract(name):
    spec = ours("model")[name](**MODELS.get(name, SMALL_POINTS))
    shape = INPUTS.get(name)
    check_model(spec, None if shape is None else torch.randn(shape, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize(("name", "other"), SAME_CLASS.items())
def test_networks_that_are_not_checked_share_the_class_of_one_that_is(name, other):
    with torch.device("meta"):
        one, two = (ours("model")[each]().build() for each in (name, other))
    assert type(one) is type(two), f"remove {name!r} from SAME_CLASS, so that check_model runs on it"


@pytest.mark.parametrize("name", ours("loss"))
def test_every_loss_keeps_the_contract(name):
    check_loss(ours("loss")[name](), LOSSES.get(name))


def test_the_entries_above_are_of_networks_that_exist():
    assert {*MODELS, *SAME_CLASS, *SAME_CLASS.values(), *INPUTS} <= ours("model").keys()


def test_every_kind_of_training_component_is_checked_here():
    text = Path(__file__).read_text("utf-8")
    for kind in NETWORKS.kinds:
        assert f'ours("{kind}")' in text, f"write a test here that runs the contract check over ours({kind!r})"
