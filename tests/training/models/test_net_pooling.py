"""The maximum of a layer over its points is that of the layer computed on every point."""

import copy

import pytest
import torch
from torch import nn

from face3d_training.models import pooling
from face3d_training.models.pooling import GroupMLP, MaximumLayer, cloud_mlp
from face3d_training.models.shared_mlp import shared_mlp


def layer(norm="batch", seed=0):
    torch.manual_seed(seed)
    made = MaximumLayer(6, 10, norm)
    with torch.no_grad():  # some scales negative: where a maximum becomes a minimum
        made.norm.norm.weight.copy_(torch.linspace(-2, 2, 10))
        made.norm.norm.bias.normal_()
    return made


def plainly(made, values):
    """Compute every point, then the maximum: what the layer is defined as."""
    return torch.relu(made.norm(made.linear(values))).amax(dim=-2)


def values(*shape, seed=1):
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return (drawn + 3).requires_grad_()


def learnt(compute, made, given):
    """Return output, gradients and running statistics after a step's backward pass."""
    made, given = copy.deepcopy(made), given.detach().requires_grad_()
    found = compute(made, given)
    weights = torch.linspace(-1, 1, found.numel()).view_as(found)
    gradients = torch.autograd.grad((found * weights).sum(), [given, *made.parameters()])
    return [found, *gradients, *made.buffers()]


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("shape", [(5, 9, 6), (3, 4, 7, 6), (20, 1, 6)])
def test_output_gradients_and_statistics_are_those_of_all_points(shape, norm):
    for made in (layer(norm).train(), layer(norm).eval()):
        ours, twin = learnt(lambda m, v: m(v), made, values(*shape)), learnt(plainly, made, values(*shape))
        for one, other in zip(ours, twin, strict=True):
            torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


def test_groups_in_parts_are_the_same(monkeypatch):
    whole = layer()(values(7, 9, 6))
    monkeypatch.setattr(pooling, "PRODUCTS", 2 * 9 * 10)
    assert torch.equal(layer()(values(7, 9, 6)), whole)


@pytest.mark.parametrize("momentum", [0.3, None])
def test_running_statistics_move_as_the_norm_moves_them(momentum):
    made = layer()
    made.norm.norm.momentum = momentum
    twin = copy.deepcopy(made)
    for step in range(3):
        made(values(4, 8, 6, seed=step))
        plainly(twin, values(4, 8, 6, seed=step))
    for one, other in zip(made.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    assert made.norm.norm.num_batches_tracked == 3


def test_without_running_statistics_it_uses_those_of_the_batch():
    made = layer().eval()
    made.norm.norm = nn.BatchNorm1d(10, track_running_stats=False).eval()
    torch.testing.assert_close(made(values(4, 8, 6)), plainly(made, values(4, 8, 6)), atol=1e-5, rtol=1e-4)


def test_other_norms_are_computed_as_they_are():
    made = layer()
    made.norm.norm = nn.InstanceNorm1d(10)
    made.norm.forward = lambda rows: rows * 2
    torch.testing.assert_close(made(values(4, 8, 6)), 2 * torch.relu(made.linear(values(4, 8, 6))).amax(1))


def test_one_row_has_no_variance():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        layer().train()(values(1, 1, 6))


def test_half_precision_has_statistics_in_float32():
    made, given = layer().train(), values(4, 200, 6)
    full = copy.deepcopy(made)(given)
    with torch.autocast("cpu", torch.bfloat16):
        found = made(given)
    torch.testing.assert_close(found.float(), full, atol=0.1, rtol=0.05)
    assert made.norm.norm.running_mean.dtype == torch.float32


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_chains_end_in_a_maximum(norm):
    given = values(2, 5, 7, 3)
    torch.manual_seed(0)
    groups = GroupMLP(3, (4, 6), norm).eval()
    torch.manual_seed(0)
    layers = shared_mlp(3, (4, 6), norm).eval()
    torch.testing.assert_close(groups(given), layers(given).amax(2))
    torch.manual_seed(0)
    cloud = cloud_mlp(3, (4, 6), norm).eval()
    torch.testing.assert_close(cloud(given[:, 0]), layers(given[:, 0]).amax(1))
