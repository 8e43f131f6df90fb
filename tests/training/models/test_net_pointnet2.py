"""PointNet++ in its three sizes."""

import itertools
from unittest import mock

import pytest
import torch

from face3d_data.errors import MissingDependency, UserError
from face3d_training import ops
from face3d_training.models.pointnet2 import BallScale
from face3d_training.models.pointnet2_net import BallNet
from face3d_training.registry import make_spec

NAMES = ("pointnet2_ssg", "pointnet2_ssg_elite", "pointnet2_msg")
SMALL = {"centers": (16, 8), "embedding_size": 12, "head": (20,)}


def net(name="pointnet2_ssg_elite", **options):
    torch.manual_seed(0)
    return make_spec("model", name, {**SMALL, **options}).build()


def clouds(n=3, points=40, channels=3, seed=1):
    drawn = torch.randn(n, points, channels, generator=torch.Generator().manual_seed(seed))
    return torch.cat([drawn[..., :3] / drawn[..., :3].norm(dim=2, keepdim=True), drawn[..., 3:]], dim=2)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def layers(*widths):
    """Weights, biases, and scale and shift of the norms of a chain of linear layers."""
    return sum(a * b + 3 * b for a, b in itertools.pairwise(widths))


def test_published_sizes():
    ssg, elite, msg = (make_spec("model", name, {"embedding_size": 40}).build() for name in NAMES)
    head = layers(1024, 512, 256) + 256 * 40 + 40
    levels = layers(3, 64, 64, 128) + layers(128 + 3, 128, 128, 256) + layers(256 + 3, 256, 512, 1024)
    assert parameters(ssg) == parameters(elite) == levels + head == 1_475_688
    first = layers(3, 32, 32, 64) + layers(3, 64, 64, 128) + layers(3, 64, 96, 128)
    second = layers(323, 64, 64, 128) + 2 * layers(323, 128, 128, 256)
    assert parameters(msg) == first + second + layers(640 + 3, 256, 512, 1024) + head == 1_747_368
    scales = [[(s.radius, s.neighbors) for s in part.scales] for part in (ssg.first, ssg.second, elite.first)]
    assert scales == [[(0.2, 64)], [(0.4, 64)], [(0.2, 22)]]
    assert [(s.radius, s.neighbors) for s in msg.second.scales] == [(0.2, 32), (0.4, 64), (0.8, 128)]
    assert (ssg.first.centers, ssg.second.centers) == (512, 128)


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_have_unit_length(name):
    found = net(name).eval()(clouds())
    assert found.shape == (3, 12)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert not torch.allclose(found[0], found[1], atol=1e-5)


def test_the_order_of_points_does_not_matter_where_no_ball_is_too_full():
    model, points = net(neighbors=(40, 16)).eval(), clouds()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(model(points[:, order]), model(points), atol=1e-5, rtol=1e-4)


def test_a_ball_net_is_the_layers_on_relative_places_and_features():
    torch.manual_seed(0)
    ball = BallNet(2, BallScale(0.7, 5, (6, 7)), "batch").train()
    xyz, features, centers = clouds(), clouds(seed=3)[..., :2], clouds(points=9)
    found = ball(xyz, features, centers)
    index = ops.ball_query(xyz, centers, 0.7, 5)
    relative = ops.gather_points(xyz, index) - centers[:, :, None]
    values = ball.first(torch.cat([relative, ops.gather_points(features, index)], dim=3))
    torch.testing.assert_close(found, ball.rest(torch.relu(ball.norm(values))), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name, norm):
    model = net(name, norm=norm, in_channels=5).train()
    model(clouds(channels=5))[:, :5].sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    # A bias before a norm over the batch only shifts what the norm takes off again.
    idle = [n for n, p in model.named_parameters() if not p.grad.any()]
    assert [n for n in idle if norm == "group" or not n.endswith(".bias")] == []


def test_with_group_norm_no_sample_depends_on_another():
    model = net(norm="group").train()
    torch.testing.assert_close(model(clouds())[:1], model(clouds()[:1]), atol=1e-6, rtol=1e-5)
    other = net(norm="batch").train()
    assert not torch.allclose(other(clouds())[:2], other(clouds()[:2]), atol=1e-3)


def test_extra_channels_are_read():
    model = net(in_channels=6).eval()
    points = clouds(channels=6)
    changed = points.clone()
    changed[..., 5] += 1
    assert model(points[:1]).shape == (1, 12)
    assert not torch.allclose(model(points), model(changed), atol=1e-5)


def test_not_a_number_is_not_hidden():
    points = clouds()
    points[1, 3, 0] = float("nan")
    found = net().eval()(points)
    assert found[1].isnan().all()
    assert found[[0, 2]].isfinite().all()


def test_the_seed_decides_everything():
    first, second = net(dropout=0.5).train(), net(dropout=0.5).train()
    torch.manual_seed(3)
    one = first(clouds())
    torch.manual_seed(3)
    assert torch.equal(one, second(clouds()))


def test_sampling_is_the_named_method_and_no_other():
    model = net(sampling="fast").eval()
    with mock.patch.dict(ops.KERNELS, {("farthest_points", "exact"): None}):
        assert model(clouds()).shape == (3, 12)
    with pytest.raises(MissingDependency, match="sampling 'pointnet2' cannot run"):
        net(sampling="pointnet2")(clouds())
    with pytest.raises(UserError, match=r"sampling.*no method 'exakt'.*did you mean 'exact'"):
        net(sampling="exakt")


def test_other_data_is_refused():
    with pytest.raises(UserError, match="pointnet2_ssg_elite needs 16 points a cloud or more, not 10"):
        net()(clouds(points=10))
    with pytest.raises(UserError, match="in_channels 3, but the data has 4"):
        net()(clouds(channels=4))
    with pytest.raises(UserError, match="radii"):
        net(radii=(0.1, -1.0))
