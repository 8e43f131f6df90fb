"""Operations on points give the indices of plain loops: with ties, with equal points, in every part of a batch."""

import sys
from unittest import mock

import numpy as np
import plain_loops
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from face3d_data.errors import MissingDependency, UserError
from face3d_training import ops
from face3d_training.ops import farthest, neighbors

GRID = st.integers(-3, 3).map(lambda i: np.float32(i) / np.float32(2))
"""Few values, so that there are equal points and equal distances."""
ANY = st.floats(-4, 4, width=32)


def batches(most=12):
    shape = st.tuples(st.integers(1, 3), st.integers(1, most), st.just(3))
    return st.one_of(hnp.arrays(np.float32, shape, elements=values) for values in (GRID, ANY))


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(batches(), st.data())
def test_farthest_points_are_those_of_a_loop(clouds, data):
    n_points = data.draw(st.integers(1, clouds.shape[1]))
    start = data.draw(hnp.arrays(np.int64, len(clouds), elements=st.integers(0, clouds.shape[1] - 1)))
    found = ops.farthest_points(torch.from_numpy(clouds), n_points, start=torch.from_numpy(start))
    assert found.tolist() == [plain_loops.farthest(c, n_points, s) for c, s in zip(clouds, start, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 65, 100, 127])
@pytest.mark.parametrize("step", [0, 0.5])
def test_a_maximum_in_two_steps_is_the_same(size, step, monkeypatch):
    clouds = normal(2, size, 3)
    clouds = (clouds / step).round() * step if step else clouds
    monkeypatch.setattr(farthest, "TWO_STEPS", 0)
    found = ops.farthest_points(clouds, size, start=torch.tensor([size - 1, 0]))
    assert found.tolist() == [
        plain_loops.farthest(c.numpy(), size, s) for c, s in zip(clouds, (size - 1, 0), strict=True)
    ]


def test_without_a_start_it_is_the_farthest_from_the_centroid_whatever_the_order():
    clouds = normal(3, 50, 3)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    found, shuffled = ops.farthest_points(clouds, 9), ops.farthest_points(clouds[:, order], 9)
    distance = (clouds - clouds.mean(1, keepdim=True)).norm(dim=2)
    assert found[:, 0].tolist() == distance.argmax(1).tolist()
    assert torch.equal(order[shuffled], found)


def test_after_all_distinct_points_comes_the_first():
    cloud = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0]])
    assert ops.farthest_points(cloud[None], 4, start=torch.tensor([2])).tolist() == [[2, 0, 0, 0]]


def covering_radius(cloud, chosen):
    return torch.cdist(cloud, cloud[chosen]).amin(1).max()


def test_fast_covers_a_cloud_as_exact_does():
    clouds = torch.nn.functional.normalize(normal(3, 600, 3), dim=2)
    exact, fast = (ops.farthest_points(clouds, 64, method) for method in ("exact", "fast"))
    for cloud, one, other in zip(clouds, exact, fast, strict=True):
        assert len(set(other.tolist())) == 64
        assert covering_radius(cloud, other) <= 1.15 * covering_radius(cloud, one)
        assert covering_radius(cloud, torch.arange(64)) > 1.15 * covering_radius(cloud, one)
    assert torch.equal(fast, ops.farthest_points(clouds, 64, "fast"))


def test_fast_gives_every_point_where_all_are_asked_for():
    assert sorted(ops.farthest_points(normal(1, 40, 3), 40, "fast")[0].tolist()) == list(range(40))


def test_pointnet2_says_what_it_lacks():
    with pytest.raises(MissingDependency, match=r"CUDA device.*pip install.*model\.sampling"):
        ops.farthest_points(normal(1, 8, 3), 4, "pointnet2")
    with pytest.raises(ValueError, match="starts at index 0"):
        ops.farthest_points(normal(1, 8, 3), 4, "pointnet2", start=torch.zeros(1, dtype=torch.int64))


def test_pointnet2_uses_its_kernel():
    kernel = mock.Mock(return_value=torch.tensor([[0, 2]], dtype=torch.int32))
    modules = {"pointnet2_ops": mock.Mock(), "pointnet2_ops.pointnet2_utils": mock.Mock(furthest_point_sample=kernel)}
    points = mock.Mock(device=torch.device("cuda"))
    with mock.patch.dict(sys.modules, modules):
        found = ops.find_kernel("farthest_points", "pointnet2")(points, 2, None)
    assert found.tolist() == [[0, 2]]
    assert found.dtype == torch.int64
    with mock.patch.dict(sys.modules, {"pointnet2_ops": None}), pytest.raises(MissingDependency, match="pip install"):
        ops.find_kernel("farthest_points", "pointnet2")(points, 2, None)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(batches(), st.data())
def test_neighbors_are_those_of_loops(clouds, data):
    batch, size, _ = clouds.shape
    centers = data.draw(hnp.arrays(np.float32, (batch, data.draw(st.integers(1, 4)), 3), elements=GRID | ANY))
    k, radius = data.draw(st.integers(1, size)), data.draw(st.sampled_from([0.0, 0.5, 1.0, 1.7, 20.0]))
    points, at = torch.from_numpy(clouds), torch.from_numpy(centers)
    pairs = list(zip(clouds, centers, strict=True))
    assert ops.nearest_points(points, at, k).tolist() == [[plain_loops.nearest(c, q, k) for q in qs] for c, qs in pairs]
    loops = [[plain_loops.ball(c, q, radius, k + 2) for q in qs] for c, qs in pairs]
    assert ops.ball_query(points, at, radius, k + 2).tolist() == loops


@pytest.mark.parametrize("step", [0, 0.5, 2])
def test_nearest_points_found_by_blocks_are_those_of_a_loop(step, monkeypatch):
    points, centers = normal(2, 48, 3), normal(2, 6, 3, seed=1)
    if step:  # many equal distances and equal points
        points, centers = (points / step).round() * step, (centers / step).round() * step
    monkeypatch.setattr(neighbors, "BLOCKS_FROM", 4)
    found = ops.nearest_points(points, centers, 9)
    pairs = zip(points.numpy(), centers.numpy(), strict=True)
    assert found.tolist() == [[plain_loops.nearest(cloud, q, 9) for q in qs] for cloud, qs in pairs]


@pytest.mark.parametrize("chunk", [1, 40, 130, 400])
def test_a_batch_in_parts_is_the_same(chunk, monkeypatch):
    points, centers = normal(5, 40, 3), normal(5, 7, 3, seed=1)
    balls, nearest = ops.ball_query(points, centers, 0.8, 6), ops.nearest_points(points, centers, 6)
    monkeypatch.setattr(neighbors, "CPU_CHUNK", chunk)
    assert torch.equal(ops.ball_query(points, centers, 0.8, 6), balls)
    assert torch.equal(ops.nearest_points(points, centers, 6), nearest)


def test_a_ball_takes_the_first_points_not_the_nearest():
    points = torch.tensor([[[0.9, 0, 0], [5, 0, 0], [0.5, 0, 0], [0, 0, 0]]])
    centers = torch.tensor([[[0.0, 0, 0], [9, 0, 0]]])
    assert ops.ball_query(points, centers, 1.0, 2).tolist() == [[[0, 2], [1, 1]]]
    assert ops.ball_query(points, centers, 0.6, 4).tolist() == [[[2, 3, 2, 2], [1, 1, 1, 1]]]


def test_rows_are_gathered_and_their_gradients_added():
    features = normal(3, 6, 4).requires_grad_()
    index = torch.tensor([[[0, 5], [5, 5]], [[1, 1], [2, 3]], [[4, 0], [0, 0]]])
    found = ops.gather_points(features, index)
    assert torch.equal(found, torch.stack([f[i] for f, i in zip(features, index, strict=True)]))
    found.sum().backward()
    counts = torch.stack([torch.bincount(i.flatten(), minlength=6) for i in index])
    assert torch.equal(features.grad, counts[..., None].expand(-1, -1, 4).float())
    assert torch.equal(ops.gather_points(features, index[:, 0, 0]), found[:, 0, 0])


def test_features_are_carried_by_inverse_squared_distance():
    points, known, features = normal(2, 9, 3), normal(2, 5, 3, seed=1), normal(2, 5, 4, seed=2).requires_grad_()
    found = ops.interpolate_three(points, known, features)
    loops = [
        plain_loops.interpolated(*(p.detach().numpy() for p in parts))
        for parts in zip(points, known, features, strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(np.array(loops), dtype=torch.float32), atol=1e-5, rtol=1e-5)
    assert torch.autograd.grad(found.sum(), features)[0].sum().item() == pytest.approx(2 * 9 * 4, rel=1e-5)
    torch.testing.assert_close(ops.interpolate_three(known, known, features), features, atol=1e-4, rtol=0)
    one = ops.interpolate_three(points, known[:, :1], features[:, :1])
    torch.testing.assert_close(one, features[:, :1].expand(-1, 9, -1))


def test_what_cannot_be_done_is_said():
    points = normal(1, 5, 3)
    with pytest.raises(ValueError, match="6 of 5"):
        ops.farthest_points(points, 6)
    with pytest.raises(ValueError, match="0 of 5"):
        ops.farthest_points(points, 0)
    with pytest.raises(ValueError, match="6 nearest of 5"):
        ops.nearest_points(points, points, 6)
    with pytest.raises(UserError, match=r"no method 'exat' \(known: exact, fast, pointnet2\): did you mean 'exact'"):
        ops.farthest_points(points, 2, "exat")


def test_a_kernel_of_another_package_is_used_where_it_is_named():
    with mock.patch.dict(ops.KERNELS):

        @ops.kernel("farthest_points", "last")
        def last(points, n_points, start):
            return torch.arange(points.shape[1] - n_points, points.shape[1]).expand(len(points), -1)

        assert ops.farthest_points(normal(1, 5, 3), 2, "last").tolist() == [[3, 4]]
        with pytest.raises(ValueError, match="two methods of farthest_points are named 'last'"):
            ops.kernel("farthest_points", "last")(lambda points, n_points, start: None)
    with pytest.raises(UserError, match="no method 'last'"):
        ops.farthest_points(normal(1, 5, 3), 2, "last")
