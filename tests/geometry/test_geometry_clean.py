"""Neighbours, flying pixels, outliers and pieces, against slow twins and planted faults."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.geometry import clean, normals
from face3d_data.geometry.clean import (
    depth_step,
    flying_pixels,
    largest_component,
    nearest_neighbours,
    statistical_outliers,
)
from face3d_data.geometry.normals import normals_and_curvature


def raster(n: int = 40, spacing: float = 1.2, slope: float = 0.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(n) * spacing, np.arange(n) * spacing)
    return np.stack([x - x.mean(), y - y.mean(), 600 + slope * x], axis=-1).reshape(-1, 3).astype(np.float32)


def test_nearest_neighbours_equal_a_brute_search():
    points = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    found = nearest_neighbours(points, 5)
    squares = ((points[:, None].astype(np.float64) - points) ** 2).sum(-1)
    np.fill_diagonal(squares, np.inf)
    nearest = np.sqrt(np.sort(squares, axis=1)[:, :5])
    index, distance = found.of(points)
    np.testing.assert_allclose(distance, nearest, rtol=1e-5)
    np.testing.assert_array_equal(np.take_along_axis(squares, index, axis=1) ** 0.5, nearest)
    np.testing.assert_allclose(found.nearest, nearest[:, 0], rtol=1e-5)
    np.testing.assert_allclose(found.middle, nearest[:, 2], rtol=1e-5)
    np.testing.assert_allclose(found.mean, nearest.mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_clouds_smaller_than_k_are_no_error(n):
    points = np.zeros((n, 3), np.float32)
    found = nearest_neighbours(points, 8)
    assert found.k == n - 1
    assert not flying_pixels(points, found, np.zeros(3), 6.0).any()
    assert not statistical_outliers(found, 3.0).any()
    assert largest_component(points, np.ones(n, bool), 8.0).sum() == n
    assert not largest_component(points, np.zeros(n, bool), 8.0).any()


@pytest.mark.parametrize("slope", [0.0, 1.0, 4.0])
def test_no_surface_however_steep_is_taken_for_flying_pixels(slope):
    points = raster(slope=slope)
    points[:, 2] += np.random.default_rng(1).normal(0, 0.5, len(points)).astype(np.float32)
    assert not flying_pixels(points, nearest_neighbours(points, 8), np.zeros(3), 6.0).any()


def test_readings_spread_along_the_ray_at_an_edge_are_flying():
    face = raster()
    edge = face[face[:, 0] == face[:, 0].max()]
    stretch = 1 + np.random.default_rng(2).uniform(0.05, 0.2, len(edge)).astype(np.float32)
    cloud = np.vstack([face, (edge + np.array([1.2, 0, 0])) * stretch[:, None]]).astype(np.float32)
    flying = flying_pixels(cloud, nearest_neighbours(cloud, 8), np.zeros(3), 6.0)
    assert not flying[: len(face)].any()
    assert flying[len(face) :].mean() > 0.9


def test_statistical_outliers_equal_the_definition():
    points = np.random.default_rng(3).normal(size=(300, 3)).astype(np.float32)
    found = nearest_neighbours(points, 6)
    mean = [sum(row) / 6 for row in found.of(points)[1].tolist()]
    limit = np.mean(mean) + 2.0 * np.std(mean)
    np.testing.assert_array_equal(statistical_outliers(found, 2.0), np.array(mean) > limit)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_largest_component_is_the_largest_piece(pieces, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.permutation(np.arange(pieces) * 10 + 20)
    blobs = [rng.uniform(0, 5, (size, 3)) + np.array([100.0 * i, 0, 0]) for i, size in enumerate(sizes)]
    label = np.repeat(np.arange(pieces), sizes)
    order = rng.permutation(len(label))
    points, label = np.vstack(blobs)[order].astype(np.float32), label[order]
    kept = largest_component(points, np.ones(len(points), bool), 10.0)
    np.testing.assert_array_equal(kept, label == int(sizes.argmax()))


def test_points_that_do_not_count_do_not_connect():
    line = np.stack([np.arange(30.0), np.zeros(30), np.zeros(30)], axis=1).astype(np.float32)
    kept = np.ones(30, bool)
    assert largest_component(line, kept, 2.4).all()
    kept[9:14] = False
    np.testing.assert_array_equal(np.flatnonzero(largest_component(line, kept, 2.4)), np.arange(14, 30))


@pytest.mark.parametrize("seed", range(5))
def test_joining_is_sure_below_half_a_gap_and_never_beyond_twice(seed):
    rng = np.random.default_rng(seed)
    way = np.cumsum(rng.normal(size=(400, 3)), axis=0)
    way *= 3.9 / np.linalg.norm(np.diff(way, axis=0), axis=1).max()
    assert largest_component(way.astype(np.float32), np.ones(400, bool), 8.0).all()
    apart = np.vstack([way, way[:100] + np.ptp(way, axis=0) + 16.0]).astype(np.float32)
    np.testing.assert_array_equal(largest_component(apart, np.ones(500, bool), 8.0), np.arange(500) < 400)


def test_a_dense_scan_in_whole_millimetres_is_one_piece():
    """All neighbours of a point lie on its own terrace of equal depth: the terraces are one surface all the same."""
    x, y = np.meshgrid(np.arange(-60, 60, 0.3), np.arange(-60, 60, 0.3))
    z = np.round(300 + (x**2 + y**2) / 120)
    points = np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)
    assert largest_component(points, np.ones(len(points), bool), 8.0).all()


@pytest.mark.parametrize("step", [0.5, 1.0, 8.0])
def test_the_step_of_depth_is_found_in_spite_of_rounding_and_far_readings(step):
    rng = np.random.default_rng(0)
    depth = np.round(rng.uniform(600, 740, 5000) / step) * step + rng.normal(0, 1e-4, 5000)
    assert depth_step(np.append(depth, [400.0, 790.0]).astype(np.float32)) == pytest.approx(step, abs=0.01)


def test_a_wall_behind_changes_no_step():
    depth = np.concatenate([np.arange(600, 740, 8.0).repeat(300), np.full(4000, 2000.0)])
    assert depth_step(depth) == 8.0


def test_fine_depth_has_no_step():
    depth = np.random.default_rng(0).uniform(600, 740, 5000)
    assert depth_step(depth) < 0.1
    assert depth_step(np.linspace(600, 740, 50_000)) == 0.0
    assert depth_step(depth[:1]) == depth_step(depth[:0]) == 0.0


def test_points_very_far_away_are_no_error():
    points = np.array([[0, 0, 0], [1, 0, 0], [1e12, 1e12, -1e12]], np.float32)
    assert largest_component(points, np.ones(3, bool), 8.0).tolist() == [True, True, False]


def test_blocks_change_nothing(monkeypatch):
    points = raster(slope=0.5)
    points[:, 2] += np.random.default_rng(1).normal(0, 3, len(points)).astype(np.float32)
    points[::40, 2] += 40
    view = np.zeros(3)

    def judged():
        found = nearest_neighbours(points, 8)
        normals = normals_and_curvature(points, 12, view)
        return (found.mean, flying_pixels(points, found, view, 4.0), statistical_outliers(found, 2.0), *normals)

    whole = judged()
    assert whole[1].any()
    assert whole[2].any()
    monkeypatch.setattr(clean, "BLOCK", 100)
    monkeypatch.setattr(normals, "BLOCK", 70)
    for one, two in zip(whole, judged(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_many_points_take_little_memory_for_their_neighbours():
    points = np.random.default_rng(0).uniform(0, 100, (100_000, 3)).astype(np.float32)
    tracemalloc.start()
    nearest_neighbours(points, 64)
    normals_and_curvature(points, 30, np.zeros(3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 108e6, "all of them at once take 112 MB in the one, and 151 MB in the other"
