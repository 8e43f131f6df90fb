import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from face3d_data.geometry.depth_map import (
    BACK_MM,
    CELL_MM,
    CLIP_MM,
    GRID,
    KERNEL_MM,
    LEAST_WEIGHT,
    REACH_CELLS,
    UPPER,
    cell_means,
    clipped_distance,
    filled,
    level,
    level_upper,
    smooth_map,
)


def surface(x, y):
    """A smooth face-like bowl, mm."""
    return -0.006 * x**2 - 0.004 * y**2 + 4 * np.sin(x / 15) * np.cos(y / 20)


def cloud(n, seed=0):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-66, 66, (n, 2))
    return np.column_stack([xy, surface(*xy.T)])


def naive(points, spread):
    """Map of points cell by cell, each point's place rounded to its nearest cell."""
    found = np.full(len(GRID), np.nan)
    at = np.rint((points[:, :2] - GRID.min(0)) / CELL_MM) * CELL_MM + GRID.min(0)
    for cell, centre in enumerate(GRID):
        weight = 0.0
        total = 0.0
        for point, own in zip(points, at, strict=True):
            if point[2] <= BACK_MM or np.abs(own - centre).max() > (REACH_CELLS if spread else 0) * CELL_MM + 1e-6:
                continue
            w = np.exp(-((point[:2] - centre) ** 2).sum() / (2 * KERNEL_MM**2)) if spread else 1.0
            weight, total = weight + w, total + w * point[2]
        if weight > 0 and (not spread or weight >= LEAST_WEIGHT):
            found[cell] = total / weight
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("make", "spread"), [(cell_means, False), (smooth_map, True)])
def test_maps_equal_a_loop_over_cells_and_points(make, spread):
    points = np.vstack([cloud(60), [[0.0, 0.0, BACK_MM], [200.0, 0.0, 0.0], [0.0, -300.0, 5.0]]])
    points = points - np.append(GRID.min(0) % CELL_MM, 0)
    found = make(points)
    assert found.dtype == np.float32
    assert found == pytest.approx(naive(points, spread), abs=1e-4, nan_ok=True)
    assert 0 < np.isnan(found).mean() < 1


def test_a_sparse_cloud_gives_the_surface():
    found = smooth_map(cloud(2048))
    assert np.isfinite(found).mean() > 0.98
    off = found - surface(*GRID.T)
    assert np.sqrt(np.nanmean(off**2)) < 0.5


def test_a_dense_cloud_gives_the_surface_cell_by_cell():
    x, y = np.meshgrid(np.arange(-66, 66, 0.5), np.arange(-70, 70, 0.5))
    found = cell_means(np.column_stack([x.ravel(), y.ravel(), surface(x, y).ravel()]))
    assert np.abs(found - surface(*GRID.T)).max() < 0.5


def test_no_points_give_an_empty_map():
    for make in (cell_means, smooth_map):
        assert np.isnan(make(np.zeros((0, 3)))).all()


def test_level_removes_what_shifts_most_of_a_map():
    maps = np.stack([surface(*GRID.T)] * 3) + np.array([[0.0], [7.0], [-3.0]])
    maps[1, :300] += 40
    maps[2, 5:9] = np.nan
    flat = level(maps, surface(*GRID.T))
    assert np.abs(flat[0] - surface(*GRID.T)).max() < 1e-9
    assert np.abs(flat[1, 300:] - surface(*GRID.T)[300:]).max() < 1e-9
    assert np.isnan(flat[2]).sum() == 4
    assert np.array_equal(filled(flat, surface(*GRID.T))[2, 5:9], surface(*GRID.T)[5:9])
    assert filled(maps)[2, 5] == pytest.approx(np.mean(maps[:2, 5]))


def test_a_mask_does_not_shift_a_face_that_is_levelled_by_its_upper_part():
    face = surface(*GRID.T)
    maps = np.stack([face, face + 9, face, face, np.full_like(face, np.nan)])
    maps[1, ~UPPER] += 25
    maps[2, UPPER] = np.nan
    found = level_upper(maps)
    assert found[1, UPPER] == pytest.approx(found[0, UPPER])
    assert found[1, ~UPPER] == pytest.approx(found[0, ~UPPER] + 25)
    assert np.nanmedian(found[2]) == 0
    assert np.isnan(found[4]).all()
    assert 0.3 < UPPER.mean() < 0.5


HEIGHTS = st.one_of(st.just(np.nan), st.integers(-20, 20).map(float))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float64, (3, 5), elements=HEIGHTS), hnp.arrays(np.float64, 5, elements=HEIGHTS))
def test_clipped_distance_is_the_mean_over_common_cells(maps, other):
    before = maps.copy()
    for row, found in zip(maps, clipped_distance(maps, other), strict=True):
        both = [min(abs(a - b), CLIP_MM) for a, b in zip(row, other, strict=True) if a == a and b == b]
        assert found == pytest.approx(np.mean(both) if both else CLIP_MM)
    assert np.array_equal(maps, before, equal_nan=True)


def test_clipped_distance_takes_pairs_of_maps_too():
    maps = np.random.default_rng(0).normal(0, 5, (4, 9)).astype(np.float32)
    found = clipped_distance(maps, maps[::-1], 3.0)
    assert found.dtype == np.float32
    assert found == pytest.approx([clipped_distance(maps[i : i + 1], maps[3 - i], 3.0)[0] for i in range(4)])
