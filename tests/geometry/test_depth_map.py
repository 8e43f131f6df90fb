import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from face3d_data.geometry.depth_map import (
    BACK_MM,
    CELL_MM,
    CLIP_MM,
    GAP_MM,
    GRID,
    KERNEL_MM,
    UPPER,
    clipped_distance,
    filled,
    level,
    level_upper,
    resampled_map,
    smooth_map,
)
from face3d_data.geometry.surface_map import MapGrid, map_channels, surface_map


def surface(x, y):
    """A smooth face-like bowl, mm."""
    return -0.006 * x**2 - 0.004 * y**2 + 4 * np.sin(x / 15) * np.cos(y / 20)


def cloud(n, seed=0, wide=66.0):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-wide, wide, (n, 2))
    return np.column_stack([xy, surface(*xy.T)])


def test_a_map_is_that_of_the_surface_in_the_grid_s_cells():
    points = np.vstack([cloud(4000), [[0.0, 0.0, BACK_MM], [200.0, 0.0, 0.0], [0.0, -300.0, 5.0]]])
    found = smooth_map(points)
    assert found.dtype == np.float32
    grid = MapGrid(CELL_MM, 60, 60, -75.0 - CELL_MM / 2, 75.0 + CELL_MM / 2)
    whole = surface_map(points, grid, KERNEL_MM, GAP_MM).height
    x, y = np.meshgrid(grid.x_mm(), grid.y_mm())
    want = {(a, b): height for a, b, height in zip(x.ravel(), y.ravel(), whole.ravel(), strict=True)}
    assert found == pytest.approx([want[a, b] for a, b in GRID.tolist()], abs=1e-3, nan_ok=True)


@pytest.mark.parametrize("channels", ["slopes", "normals"])
def test_a_map_of_other_cells_gives_nearly_the_same(channels):
    grid = MapGrid(2.0, 64, 64, -64.0, 66.0)
    points = cloud(30_000, wide=75.0)
    image = map_channels(surface_map(points, grid, 1.4, 4.0), channels)
    found = resampled_map(image, grid.cell_mm, grid.left_mm, grid.top_mm)
    inside = (np.abs(GRID[:, 1]) < 60) & (np.abs(GRID[:, 0]) < 58)
    assert np.abs(found - smooth_map(points))[inside].max() < 0.2
    small = resampled_map(image[:, :20], grid.cell_mm, grid.left_mm, grid.top_mm)
    assert np.isnan(small[GRID[:, 1] < 22]).all(), "where the other map ends, nothing is"


def test_a_sparse_cloud_gives_the_surface():
    found = smooth_map(cloud(2048))
    assert np.isfinite(found).mean() > 0.98
    off = found - surface(*GRID.T)
    assert np.sqrt(np.nanmean(off**2)) < 0.5


def test_a_dense_cloud_gives_the_surface_cell_by_cell():
    x, y = np.meshgrid(np.arange(-66, 66, 0.5), np.arange(-70, 70, 0.5))
    found = smooth_map(np.column_stack([x.ravel(), y.ravel(), surface(x, y).ravel()]))
    assert np.abs(found - surface(*GRID.T)).max() < 0.1


@pytest.mark.parametrize("n", [100, 300])
def test_a_cloud_of_a_few_hundred_points_still_gives_a_face(n):
    found = smooth_map(cloud(n))
    assert np.isfinite(found).mean() > 0.6
    assert np.sqrt(np.nanmean((found - surface(*GRID.T)) ** 2)) < 2


def test_no_points_give_an_empty_map():
    assert np.isnan(smooth_map(np.zeros((0, 3)))).all()


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
