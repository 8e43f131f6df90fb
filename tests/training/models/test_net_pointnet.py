"""PointNet with and without its transforms."""

import itertools

import pytest
import torch

from face3d_data.errors import UserError
from face3d_training.models.embedding_net import norm_layer
from face3d_training.models.pointnet_net import orthogonality_error
from face3d_training.registry import make_spec

SMALL = {"widths": (8, 16, 32), "embedding_size": 12}


def net(name="pointnet_basic", **options):
    torch.manual_seed(0)
    return make_spec("model", name, {**SMALL, **options}).build()


def clouds(n=4, points=32, channels=3):
    return torch.randn(n, points, channels, generator=torch.Generator().manual_seed(1))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def layers(widths, norm_after_last=True):
    """Weights, biases, and scale and shift of the norms of a chain of linear layers."""
    pairs = list(itertools.pairwise(widths))
    return sum(a * b + b for a, b in pairs) + 2 * sum(widths[1:] if norm_after_last else widths[1:-1])


@pytest.mark.parametrize("name", ["pointnet_basic", "pointnet"])
def test_embeddings_have_unit_length_whatever_the_order_of_points(name):
    model, points = net(name).eval(), clouds()
    found = model(points)
    assert found.shape == (4, 12)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(4))
    shuffled = points[:, torch.randperm(32, generator=torch.Generator().manual_seed(2))]
    torch.testing.assert_close(model(shuffled), found, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(found[0], found[1], atol=1e-3)


def test_published_sizes():
    basic = make_spec("model", "pointnet_basic", {"embedding_size": 40}).build()
    assert parameters(basic) == layers([3, 64, 64, 64, 128, 1024]) + layers([1024, 512, 256, 40], False) == 819_624
    assert round(parameters(basic) / 1e6, 1) == 0.8  # "PointNet (vanilla)" in table 6 of Qi et al. 2017
    full = make_spec("model", "pointnet", {"embedding_size": 40}).build()
    input_transform = layers([3, 64, 128, 1024]) + layers([1024, 512, 256, 9], False)
    feature_transform = layers([64, 64, 128, 1024]) + layers([1024, 512, 256, 64 * 64], False)
    assert parameters(full) - parameters(basic) == input_transform + feature_transform
    assert round(parameters(full) / 1e6, 1) == 3.5  # with 40 classes, Qi et al. 2017, table 6


def test_a_small_net_has_a_small_head():
    small = net(widths=(32, 64, 256), embedding_size=64)
    assert parameters(small) == layers([3, 32, 64, 256]) + layers([256, 128, 64, 64], False)
    direct = net(widths=(32, 64, 256), embedding_size=64, head=())
    assert parameters(direct) == layers([3, 32, 64, 256]) + 256 * 64 + 64


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("name", ["pointnet_basic", "pointnet"])
def test_every_parameter_learns(name, norm):
    model = net(name, norm=norm).train()
    for transform in (getattr(model, "input_transform", None), getattr(model, "feature_transform", None)):
        if transform is not None:  # it starts with weights of zero, through which nothing flows back
            torch.nn.init.normal_(transform.head[-1].weight, std=0.1)
    outputs = model(clouds(), full=True)
    (outputs["embedding"][:, :5].sum() + outputs.get("penalty", torch.zeros(1)).sum()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    # A bias before a norm over the batch only shifts what the norm takes off again.
    idle = [n for n, p in model.named_parameters() if not p.grad.any()]
    assert [n for n in idle if norm == "group" or not n.endswith(".bias")] == []


def test_transforms_start_as_the_identity_and_are_kept_near_rotations():
    model = net("pointnet").eval()
    assert torch.equal(model.input_transform(clouds()), torch.eye(3).expand(4, 3, 3))
    assert model(clouds(), full=True)["penalty"].tolist() == [0.0] * 4
    turned = torch.linalg.qr(torch.randn(2, 5, 5))[0]
    torch.testing.assert_close(orthogonality_error(turned), torch.zeros(2), atol=1e-9, rtol=0)
    assert orthogonality_error(2 * torch.eye(3)[None]).tolist() == [27.0]  # 3 entries of (1 - 4)²
    with torch.no_grad():
        model.feature_transform.head[-1].bias.mul_(2)
    torch.testing.assert_close(model(clouds(), full=True)["penalty"], torch.full((4,), 0.001 * 9 * 16))


def test_with_group_norm_no_sample_depends_on_another():
    model = net("pointnet", norm="group").train()
    points = clouds()
    torch.testing.assert_close(model(points)[:1], model(points[:1]), atol=1e-6, rtol=1e-5)
    other = net("pointnet", norm="batch").train()
    assert not torch.allclose(other(points)[:2], other(points[:2]), atol=1e-3)


def test_a_group_of_a_norm_holds_channels_enough_to_tell_vectors_apart():
    groups = {channels: norm_layer("group", channels, 1).num_groups for channels in (3, 16, 48, 64, 96, 512, 2048)}
    assert groups == {3: 1, 16: 1, 48: 3, 64: 4, 96: 6, 512: 32, 2048: 32}
    assert norm_layer("group", 8, 1)(torch.randn(1, 8)).abs().max() > 0.1


def test_extra_channels_are_read_and_not_turned():
    model = net("pointnet", in_channels=6).eval()
    points = clouds(channels=6)
    changed = points.clone()
    changed[..., 5] += 1
    assert model(points[:1]).shape == (1, 12)
    assert not torch.allclose(model(points), model(changed), atol=1e-3)


def test_the_seed_decides_weights_and_dropout():
    first, second = net(dropout=0.5).train(), net(dropout=0.5).train()
    torch.manual_seed(3)
    one = first(clouds())
    torch.manual_seed(3)
    assert torch.equal(one, second(clouds()))
    assert not torch.equal(one, second(clouds()))
    assert torch.equal(first.eval()(clouds()), first(clouds()))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 8, 6), "in_channels 3, but the data has 6"), ((2, 3, 8, 8), "takes points"), ((2, 0, 3), "n_points")],
)
def test_other_data_is_refused(shape, message):
    with pytest.raises(UserError, match=message):
        net()(torch.zeros(shape))
    with pytest.raises(UserError, match="pointnet_basic"):
        net()(torch.zeros(shape))


def test_not_a_number_is_not_hidden():
    points = clouds()
    points[1, 3, 0] = float("nan")
    found = net().eval()(points)
    assert found[1].isnan().all()
    assert found[0].isfinite().all()


def test_the_triplet_network_has_the_published_weights_but_for_a_norm_without_use_and_biases():
    # Published: 4,263,625, of which 2 × 2 × 512 are of a norm that nothing passes; its head has no biases.
    net = make_spec("model", "pointnet_triplet", {})
    assert net.count_weights() == net.default_weights == 4_263_625 - 2 * 2 * 512 + (512 + 256 + 512)


@pytest.mark.parametrize("name", ["pointnet_basic", "pointnet", "pointnet_triplet"])
def test_logistic_outputs_and_embeddings_of_any_length(name):
    points = clouds()
    plain, logistic = (net(name, normalized=False, sigmoid=sigmoid).eval() for sigmoid in (False, True))
    raw = plain(points)
    assert not torch.allclose(raw.norm(dim=1), torch.ones(4), atol=1e-3)
    torch.testing.assert_close(logistic(points), torch.sigmoid(raw))
    both = net(name, sigmoid=True).eval()
    outputs = both(points, full=True)
    torch.testing.assert_close(outputs["embedding"], torch.nn.functional.normalize(torch.sigmoid(raw)))
    torch.testing.assert_close(outputs["norm"], torch.sigmoid(raw).norm(dim=1))


def test_the_networks_of_transforms_have_a_head_of_their_own():
    assert parameters(net("pointnet", transform_head=(4,)).input_transform.head) == layers([32, 4, 9], False)
    assert parameters(net("pointnet").input_transform.head) == layers([32, 16, 8, 9], False)
