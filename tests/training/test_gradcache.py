"""Gradients from parts of a batch: those of the whole batch, of the same random draws, and none where none are due."""

import copy

import pytest
import torch
from lightning_fabric import Fabric
from small_net import SmallNet, made_batch
from torch import nn

from face3d_training.gradcache import backward
from face3d_training.losses.loss_module import LossModule, LossValue
from face3d_training.losses.weighted import build_losses
from face3d_training.registry import make_spec

TRIPLETS = {"triplet": {"margin": 0.5, "mining": "all"}}
SUMS = {"triplet": {"margin": 0.5, "mining": "semihard"}, "arcface": {"weight": 0.1}, "center": {"weight": 0.5}}


def made(loss=SUMS, **options):
    torch.manual_seed(3)
    return SmallNet(**options).train(), build_losses(loss, 6, 8)


def plain_step(net, losses, batch):
    """What a large batch is: one forward pass, one loss, one backward pass."""
    outputs = net(batch["inputs"], full=True)
    value = losses(outputs, batch).read()
    value.loss.backward()
    return value


def gradients(*modules):
    return [
        torch.zeros_like(weight) if weight.grad is None else weight.grad
        for module in modules
        for weight in module.parameters()
    ]


@pytest.mark.parametrize("parts", [1, 2, 5, 8, 100])
@pytest.mark.parametrize("loss", [TRIPLETS, SUMS], ids=["triplet", "sum"])
def test_parts_give_the_gradients_of_the_whole_batch(parts, loss):
    net, losses = made(loss)
    twin, twin_losses = copy.deepcopy((net, losses))
    batch = made_batch()
    expected = plain_step(twin, twin_losses, batch)
    value = backward(net, losses, batch, parts)
    assert abs(value.loss.item() - expected.loss.item()) <= 1e-5
    assert value.stats == pytest.approx(expected.stats, rel=1e-5)
    found, wanted = gradients(net, losses), gradients(twin, twin_losses)
    largest = max(float(gradient.abs().max()) for gradient in wanted)
    assert largest > 1e-2
    for one, other in zip(found, wanted, strict=True):
        assert float((one - other).abs().max()) <= 1e-5 * max(1, largest)
    assert not value.loss.requires_grad


@pytest.mark.parametrize("name", ["pointnet_basic", "pointnet"])
def test_published_networks_with_group_norm_have_the_gradients_of_the_whole_batch(name):
    spec = make_spec("model", name, {"norm": "group", "widths": [8, 8, 8, 16, 32], "embedding_size": 8})
    torch.manual_seed(1)
    net, losses = spec.build().train(), build_losses(TRIPLETS, 6, 8)
    twin = copy.deepcopy(net)
    batch = made_batch(n_points=32)
    expected = plain_step(twin, losses, batch)
    value = backward(net, losses, batch, 4)
    assert abs(value.loss.item() - expected.loss.item()) <= 1e-5
    for one, other in zip(gradients(net), gradients(twin), strict=True):
        assert float((one - other).abs().max()) <= 1e-5


def test_gradients_are_added_to_those_that_are_there():
    net, losses = made(TRIPLETS)
    batch = made_batch()
    backward(net, losses, batch, 3)
    once = [gradient.clone() for gradient in gradients(net)]
    backward(net, losses, batch, 3)
    for one, twice in zip(once, gradients(net), strict=True):
        torch.testing.assert_close(twice, 2 * one)


def test_dropout_draws_the_same_both_times():
    """In float64 a step along the gradient changes the loss as the gradient says, only if the draws are the same."""
    net, losses = made(TRIPLETS, dropout=0.5)
    net.double()
    batch = made_batch(dtype=torch.float64)

    def loss_now():
        torch.manual_seed(11)
        return float(backward(net, losses, batch, 4).loss)

    start = loss_now()
    direction = [gradient.clone() for gradient in gradients(net)]
    slope = sum(float(gradient.square().sum()) for gradient in direction)
    step = 1e-6
    with torch.no_grad():
        for weight, gradient in zip(net.parameters(), direction, strict=True):
            weight -= step * gradient
    assert (start - loss_now()) / step == pytest.approx(slope, rel=1e-3)


def test_the_generator_goes_on_after_the_first_pass():
    net, losses = made(TRIPLETS, dropout=0.5)
    batch = made_batch()
    torch.manual_seed(5)
    backward(net, losses, batch, 3)
    after = torch.rand(1)
    torch.manual_seed(5)
    with torch.no_grad():
        for piece in batch["inputs"].tensor_split(3):
            net(piece)
    assert torch.equal(torch.rand(1), after)


@pytest.mark.parametrize("parts", [1, 3])
def test_running_statistics_are_moved_once_by_each_part(parts):
    net, losses = made(TRIPLETS, norm="batch")
    twin = copy.deepcopy(net)
    batch = made_batch()
    backward(net, losses, batch, parts)
    with torch.no_grad():
        for piece in batch["inputs"].tensor_split(parts):
            twin(piece)
    for one, other in zip(net.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("parts", [1, 3])
def test_no_valid_triplet_leaves_everything_as_it_is(parts):
    net, losses = made(TRIPLETS, norm="batch")
    batch = made_batch()
    before = copy.deepcopy(net.state_dict())
    value = backward(net, losses, batch | {"label": torch.zeros_like(batch["label"])}, parts)
    assert value.loss is None
    assert value.stats["triplet.valid_triplets"] == 0
    assert all(weight.grad is None for weight in net.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


class UsesNoPenalty(LossModule):
    def forward(self, outputs, batch):
        return LossValue(outputs["embedding"][:, 0].sum())


@pytest.mark.parametrize("parts", [1, 2])
def test_outputs_without_a_part_in_the_loss_get_gradients_of_zero(parts):
    net, _ = made(TRIPLETS)
    backward(net, UsesNoPenalty(), made_batch(), parts)
    assert float(net.ratio.weight.grad.abs().max()) == 0


def test_offline_triplets_are_places_in_the_whole_batch():
    net, losses = made(TRIPLETS)
    twin, twin_losses = copy.deepcopy((net, losses))
    batch = made_batch() | {"triplet": torch.tensor([[0, 1, 20], [21, 22, 3], [4, 5, 12]])}
    expected = plain_step(twin, twin_losses, batch)
    value = backward(net, losses, batch, 4)
    assert value.stats == pytest.approx(expected.stats)
    for one, other in zip(gradients(net), gradients(twin), strict=True):
        assert float((one - other).abs().max()) <= 1e-5


class FakeScaler:
    """Scales as torch's scaler for 16-mixed does, without a GPU."""

    def scale(self, tensor):
        return tensor * 1024.0


@pytest.mark.parametrize("parts", [1, 3])
def test_a_scaler_scales_all_gradients_alike(parts):
    net, losses = made(SUMS)
    twin, twin_losses = copy.deepcopy((net, losses))
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    fabric._strategy.precision.scaler = FakeScaler()
    batch = made_batch()
    backward(fabric.setup_module(net), losses, batch, parts, fabric)
    plain = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    backward(plain.setup_module(twin), twin_losses, batch, parts, plain)
    for one, other in zip(gradients(net, losses), gradients(twin, twin_losses), strict=True):
        torch.testing.assert_close(one, 1024 * other, rtol=2e-2, atol=1e-1)


def test_mixed_precision_comes_near_full_precision():
    net, losses = made(TRIPLETS)
    twin, twin_losses = copy.deepcopy((net, losses))
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    batch = made_batch()
    value = backward(fabric.setup_module(net), losses, batch, 3, fabric)
    expected = backward(twin, twin_losses, batch, 3)
    assert float(value.loss) == pytest.approx(float(expected.loss), rel=0.05)
    found, wanted = (nn.utils.parameters_to_vector(gradients(module)) for module in (net, twin))
    assert float(torch.cosine_similarity(found, wanted, dim=0)) > 0.9
