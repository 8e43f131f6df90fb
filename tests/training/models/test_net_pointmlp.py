"""PointMLP in its three sizes."""

import pytest
import torch

from face3d_data.errors import UserError
from face3d_training import ops
from face3d_training.models.pointmlp_net import LocalGrouper, deviations
from face3d_training.registry import make_spec

NAMES = ("pointmlp", "pointmlp_elite", "pointmlp_elite8")
SMALL = {"neighbors": (5, 5, 4, 3), "embedding_size": 12, "head": (20,)}


def net(name="pointmlp_elite8", **options):
    torch.manual_seed(0)
    return make_spec("model", name, {**SMALL, **options}).build()


def clouds(n=3, points=48, channels=3, seed=1):
    return torch.randn(n, points, channels, generator=torch.Generator().manual_seed(seed))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def published(embed, expansion, dims, blocks, classes=40):
    """Count the parameters as the published network has them: no bias but in the head."""
    total, channels = 3 * embed + 2 * embed, embed
    for factor, count in zip(dims, blocks, strict=True):
        out = channels * factor
        inner = int(out * expansion)
        block = 2 * out * inner + 2 * inner + 2 * out
        total += 2 * channels + 2 * channels * out + 2 * out + 2 * count * block
        channels = out
    return total + (channels * 512 + 512 + 1024) + (512 * 256 + 256 + 512) + 256 * classes + classes


def test_published_sizes():
    full, elite, elite8 = (make_spec("model", name, {"embedding_size": 40}).build() for name in NAMES)
    assert parameters(full) == published(64, 1.0, (2, 2, 2, 2), (2, 2, 2, 2)) == 13_238_504
    assert parameters(elite) == published(32, 0.25, (2, 2, 2, 1), (1, 1, 2, 1)) == 716_232
    assert parameters(elite8) == published(8, 0.25, (2, 2, 2, 1), (1, 1, 2, 1)) == 205_392
    assert [stage.group.neighbors for stage in full.stages] == [24] * 4


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_have_unit_length_whatever_the_order_of_points(name):
    model, points = net(name).eval(), clouds()
    found = model(points)
    assert found.shape == (3, 12)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert not torch.allclose(found[0], found[1], atol=1e-5)
    order = torch.randperm(48, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(model(points[:, order]), found, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model(points[:1]), found[:1], atol=1e-5, rtol=1e-4)


def affine_groups(grouper, xyz, features):
    """Compute a stage's groups as the paper writes them, with the deviation of its code."""
    chosen = ops.farthest_points(xyz, xyz.shape[1] // grouper.reducer)
    centers = ops.gather_points(xyz, chosen)
    anchors = ops.gather_points(features, chosen)[:, :, None]
    groups = ops.gather_points(features, ops.nearest_points(xyz, centers, grouper.neighbors))
    sigma = (groups - anchors).flatten(1).std(dim=1)[:, None, None, None]
    scaled = grouper.alpha * (groups - anchors) / (sigma + 1e-5) + grouper.beta
    return grouper.linear(torch.cat([scaled, anchors.expand_as(groups)], dim=3))


def test_groups_are_the_geometric_affine_module_of_the_paper():
    torch.manual_seed(0)
    grouper = LocalGrouper(6, 10, neighbors=5, reducer=2, sampling=ops.FarthestSampling())
    torch.nn.init.normal_(grouper.alpha)
    torch.nn.init.normal_(grouper.beta)
    xyz, features = clouds(), (clouds(channels=6, seed=3) + 2).requires_grad_()
    outputs, gradients = [], []
    for compute in (lambda: grouper(xyz, features)[1], lambda: affine_groups(grouper, xyz, features)):
        outputs.append(compute())
        weights = torch.linspace(-1, 1, outputs[-1].numel()).view_as(outputs[-1])
        gradients.append(torch.autograd.grad((outputs[-1] * weights).sum(), [features, *grouper.parameters()]))
    torch.testing.assert_close(outputs[0], outputs[1], atol=1e-5, rtol=1e-4)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)


def test_points_that_are_all_alike_have_no_infinite_gradient():
    features = torch.ones(2, 8, 3, requires_grad=True)
    index = torch.arange(4).expand(2, 3, 4)
    found = deviations(features, features[:, :3], index)
    assert found.tolist() == pytest.approx([1e-5] * 2)
    assert torch.autograd.grad(found.sum(), features)[0].isfinite().all()


def test_centers_begin_at_the_first_point_where_published_weights_expect_it():
    points = clouds()
    groupers = [net(NAMES[2], fps_start=start).stages[0].group for start in (None, 0)]
    chosen = [grouper.sampling(points, 5)[:, 0].tolist() for grouper in groupers]
    assert chosen == [ops.farthest_points(points, 5)[:, 0].tolist(), [0, 0, 0]]
    assert chosen[0] != chosen[1]


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("name", NAMES[1:])
def test_every_parameter_learns(name, norm):
    model = net(name, norm=norm, in_channels=5).train()
    model(clouds(channels=5))[:, :5].sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []
    idle = [n for n, p in model.named_parameters() if not p.grad.any()]
    assert [n for n in idle if norm == "group" or not n.endswith(".bias")] == []


def test_with_group_norm_no_sample_depends_on_another():
    model = net(norm="group").train()
    torch.testing.assert_close(model(clouds())[:1], model(clouds()[:1]), atol=1e-5, rtol=1e-4)
    other = net(norm="batch").train()
    assert not torch.allclose(other(clouds())[:2], other(clouds()[:2]), atol=1e-3)


def test_extra_channels_are_read():
    model = net(in_channels=6).eval()
    points = clouds(channels=6)
    changed = points.clone()
    changed[..., 5] += 1
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


def test_a_cloud_needs_a_whole_group_at_every_stage():
    assert make_spec("model", "pointmlp", {}).build().least == 192
    assert net().least == 24  # 3 neighbours where an eighth of the points is left
    assert net().eval()(clouds(points=25)).shape == (3, 12)
    with pytest.raises(
        UserError, match=r"pointmlp_elite8 needs 24 points a cloud or more, not 23: raise data\.n_points"
    ):
        net()(clouds(points=23))
    assert net(neighbors=(1, 1, 1, 1)).least == 16


def test_stages_are_described_alike():
    with pytest.raises(UserError, match="one number for each stage"):
        net(dims=(2, 2))
    with pytest.raises(UserError, match="no method 'random'"):
        net(sampling="random")
