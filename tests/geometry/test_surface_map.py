"""Surface maps: equal to a loop over cells, exact on planes, close on curved faces; holes stay holes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion

from face3d_data.geometry.surface_map import (
    BACK_MM,
    REACH_SIGMAS,
    ROUGH_MEDIANS,
    ROUGH_MM,
    THINNEST_CELLS,
    MapGrid,
    closed,
    map_channels,
    mirrored_map,
    nearest_seen,
    surface_map,
)

GRID = MapGrid(2.0, 64, 64, -64.0, 66.0)
SMALL = MapGrid(2.0, 12, 10, -9.0, 13.0)
X, Y = np.meshgrid(GRID.x_mm(), GRID.y_mm())


def cloud(n, height, seed=0, wide=72.0):
    xy = np.random.default_rng(seed).uniform(-wide, wide, (n, 2))
    return np.column_stack([xy, height(*xy.T)]).astype(np.float32)


def bowl(x, y):
    """A smooth face-like surface, mm."""
    return -0.006 * x**2 - 0.004 * y**2 + 4 * np.sin(x / 15) * np.cos(y / 20)


def naive_fit(points, values, places, cells, sigma, reach):
    """Return of each cell (row, column) the plane by least squares, or None where the points tell no slope."""
    found = {}
    for row, column in cells:
        near = (np.abs(places[:, 0] - column) <= reach) & (np.abs(places[:, 1] - row) <= reach)
        if not near.any():
            continue
        away = places[near] - [column, row]
        weight = np.exp(-0.5 * (away**2).sum(axis=1) / sigma**2)
        own = points[near] - [column, row]
        centre = np.average(own, axis=0, weights=weight)
        spread = np.cov((own - centre).T, aweights=weight, bias=True, ddof=0) if near.sum() > 1 else np.zeros((2, 2))
        tells = np.linalg.det(spread) > THINNEST_CELLS**2 * max(np.trace(spread), 1e-12)
        basis = np.column_stack([np.ones(near.sum()), own]) if tells else np.ones((near.sum(), 1))
        root = np.sqrt(weight)
        plane = np.linalg.lstsq(basis * root[:, None], values[near] * root, rcond=None)[0]
        left = values[near] - basis @ plane
        rms = np.sqrt(np.average(left**2, weights=weight))
        plane = plane if tells else np.array([plane[0], 0.0, 0.0])
        found[row, column] = (*plane, rms, tells)
    return found


def naive_map(points, grid, sigma_mm, gap_mm):
    """Return the map cell by cell, from the definition; none of the points may hide another."""
    reach = max(1, int(np.ceil(REACH_SIGMAS * sigma_mm / grid.cell_mm)))
    border = 2 * reach
    wide, high = grid.columns + 2 * border, grid.rows + 2 * border
    at = np.column_stack([points[:, 0] - grid.left_mm, grid.top_mm - points[:, 1]]) / grid.cell_mm + border - 0.5
    places = np.rint(at).astype(int)
    inside = ((places >= 0) & (places < [wide, high])).all(axis=1) & (points[:, 2] > BACK_MM)
    at, places, z = at[inside], places[inside], points[inside, 2].astype(float)
    cells = [(row, column) for row in range(high) for column in range(wide)]
    sigma = sigma_mm / grid.cell_mm
    first = naive_fit(at, z, places, cells, sigma, reach)
    left = []
    for place, (column, row), value in zip(at, places, z, strict=True):
        height, across, down, _, _ = first[row, column]
        tells = first[row, column][4]
        left.append((value - height - across * (place[0] - column) - down * (place[1] - row)) * tells)
    more = naive_fit(at, np.array(left), places, cells, sigma, reach)
    there = np.zeros((high, wide), bool)
    there[places[:, 1], places[:, 0]] = True
    full = closed(there, round(gap_mm / grid.cell_mm / 2))
    typical = [first[cell][3] for cell in first if there[cell] and first[cell][4]]
    limit = max(ROUGH_MM, ROUGH_MEDIANS * np.median(typical)) if typical else ROUGH_MM
    out = np.full((3, grid.rows, grid.columns), np.nan)
    for row, column in cells:
        fit = first.get((row, column))
        r, c = row - border, column - border
        if fit and full[row, column] and fit[4] and fit[3] <= limit and 0 <= r < grid.rows and 0 <= c < grid.columns:
            rest = more[row, column]
            out[:, r, c] = fit[0] + rest[0], (fit[1] + rest[1]) / grid.cell_mm, -(fit[2] + rest[2]) / grid.cell_mm
    return out


@pytest.mark.slow
@pytest.mark.parametrize(("n", "sigma"), [(150, 1.4), (60, 2.2), (400, 0.9)])
def test_a_map_equals_a_loop_over_cells(n, sigma):
    points = cloud(n, bowl, seed=n, wide=14.0)
    points = np.vstack([points, [[300.0, 0, 0], [0, -300.0, 5], [1, 1, BACK_MM - 1]]]).astype(np.float32)
    found = surface_map(points, SMALL, sigma, 4.0)
    want = naive_map(points, SMALL, sigma, 4.0)
    for image, one in zip((found.height, found.slope_x, found.slope_y), want, strict=True):
        assert image.dtype == np.float32
        assert image == pytest.approx(one, abs=2e-4, nan_ok=True)
    assert found.seen.mean() > 0.2


@pytest.mark.parametrize("n", [20_000, 4_000])
def test_planes_come_out_exactly_however_unevenly_points_lie(n):
    points = cloud(n, lambda x, y: 0.8 * x - 1.3 * y - 20, seed=1)
    points = points[(np.abs(points[:, 0] % 7) > 2.2) | (points[:, 1] > 0)]
    points[:, 2] = 0.8 * points[:, 0] - 1.3 * points[:, 1]
    found = surface_map(points, GRID, 1.4, 4.0)
    seen = found.seen & (np.abs(found.height) < 80)
    assert seen.mean() > 0.3
    assert np.abs(found.height - (0.8 * X - 1.3 * Y))[seen].max() < 1e-3
    assert np.abs(found.slope_x - 0.8)[seen].max() < 1e-3
    assert np.abs(found.slope_y + 1.3)[seen].max() < 1e-3


def test_a_sphere_is_within_a_tenth_of_a_millimetre():
    radius = 80.0

    def height(x, y):
        return np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0)) - radius

    found = surface_map(cloud(20_000, height, seed=2, wide=70.0), GRID, 1.4, 4.0)
    near = np.hypot(X, Y) < 60
    assert found.seen[near].all()
    assert np.abs(found.height - height(X, Y))[near].max() < 0.1
    depth = np.sqrt(radius**2 - X**2 - Y**2, where=near, out=np.ones_like(X))
    assert np.abs(found.slope_x + X / depth)[near].max() < 0.1
    assert np.abs(found.slope_y + Y / depth)[near].max() < 0.1


def test_slopes_are_those_of_the_height_x_to_the_right_and_y_upwards():
    found = surface_map(cloud(20_000, bowl), GRID, 1.4, 4.0)
    inside = (np.abs(X) < 60) & (np.abs(Y) < 60)
    across = -0.012 * X + 4 / 15 * np.cos(X / 15) * np.cos(Y / 20)
    up = -0.008 * Y - 4 / 20 * np.sin(X / 15) * np.sin(Y / 20)
    assert np.abs(found.slope_x - across)[inside].max() < 0.05
    assert np.abs(found.slope_y - up)[inside].max() < 0.05
    assert np.abs(found.height - bowl(X, Y))[inside].max() < 0.1


def test_holes_stay_holes_and_nothing_grows_beyond_the_points():
    points = cloud(40_000, bowl)
    points = points[(np.hypot(points[:, 0] - 20, points[:, 1]) > 9) & (points[:, 1] > -40)]
    seen = surface_map(points, GRID, 1.4, 4.0).seen
    assert not seen[np.hypot(X - 20, Y) < 6].any()
    assert seen[np.hypot(X - 20, Y) > 12][np.abs(Y[np.hypot(X - 20, Y) > 12]) < 38].all()
    assert not seen[Y < -42].any()


def test_gaps_belong_to_the_surface_where_they_are_said_to():
    points = cloud(40_000, bowl)
    points = points[(np.abs(points[:, 0] - 20) > 3) | (points[:, 1] < 0)]
    within = (np.abs(X - 20) < 2) & (Y > 4) & (Y < 60)
    assert not surface_map(points, GRID, 1.4, 2.0).seen[within].any()
    found = surface_map(points, GRID, 1.4, 8.0)
    assert found.seen[within].all()
    assert np.abs(found.height - bowl(X, Y))[within].max() < 0.3


def test_the_nearer_surface_hides_what_is_behind_it():
    behind = cloud(20_000, lambda x, y: bowl(x, y) - 30, seed=3)
    before = cloud(30_000, bowl, seed=4)
    before = before[before[:, 0] < 0]
    found = surface_map(np.vstack([behind, before]), GRID, 1.4, 4.0)
    left, right = (X < -4) & (np.abs(X) < 60), (X > 4) & (np.abs(X) < 60)
    assert np.abs(found.height - bowl(X, Y))[left].max() < 0.2
    assert np.abs(found.height - bowl(X, Y) + 30)[right].max() < 0.5
    edge = found.height[(np.abs(X) < 4)]
    off = np.minimum(np.abs(edge - bowl(X, Y)[np.abs(X) < 4]), np.abs(edge - bowl(X, Y)[np.abs(X) < 4] + 30))
    assert np.nanmax(off) < 6, "no smear from one to the other"


def test_a_few_readings_that_fly_in_front_hide_nothing():
    points = cloud(40_000, bowl)
    rng = np.random.default_rng(5)
    flying = points[rng.permutation(len(points))[:60]] + np.float32([0, 0, 25])
    found = surface_map(np.vstack([points, flying]), GRID, 1.4, 4.0)
    clean = surface_map(points, GRID, 1.4, 4.0)
    inside = (np.abs(X) < 60) & (np.abs(Y) < 60)
    assert np.nanmax(np.abs(found.height - clean.height)[inside]) < 0.5
    assert found.seen[inside].mean() > 0.99


def test_noise_does_not_make_holes_of_a_face():
    points = cloud(20_000, bowl)
    points[:, 2] += np.random.default_rng(6).normal(0, 4, len(points))
    inside = (np.abs(X) < 60) & (np.abs(Y) < 60)
    found = surface_map(points, GRID, 1.8, 4.0)
    assert found.seen[inside].mean() > 0.97
    assert np.sqrt(np.nanmean((found.height - bowl(X, Y))[inside] ** 2)) < 2


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((0, 3)),
        np.zeros((1, 3)),
        np.zeros((500, 3)),
        np.full((9, 3), np.nan),
        np.full((9, 3), np.inf),
        np.column_stack([np.linspace(-60, 60, 500), np.zeros(500), np.zeros(500)]),
        np.full((9, 3), -1e30),
    ],
    ids=["none", "one", "one place", "nan", "inf", "line", "far"],
)
def test_points_that_show_no_surface_give_an_empty_map(points):
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        found = surface_map(points.astype(np.float32), GRID, 1.4, 4.0, np.zeros(len(points)))
    assert not found.seen.any()
    assert np.isnan(found.shares).all()
    assert not map_channels(found, "normals").any()


def test_cells_may_be_as_large_as_the_face():
    found = surface_map(cloud(2_000, bowl), MapGrid(20.0, 8, 8, -80.0, 80.0), 1.4, 4.0)
    assert found.seen.any()
    assert np.abs(found.height[found.seen]).max() < 80


def test_shares_are_those_of_the_points_around():
    points = cloud(20_000, bowl)
    found = surface_map(points, GRID, 1.4, 4.0, points[:, 1] < 0)
    assert found.shares[Y < -6][found.seen[Y < -6]] == pytest.approx(1)
    assert found.shares[Y > 6][found.seen[Y > 6]] == pytest.approx(0, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 3))
def test_closing_fills_gaps_up_to_twice_the_radius_and_takes_nothing(seed, radius):
    there = np.random.default_rng(seed).random((9, 11)) < 0.3
    found = closed(there, radius)
    assert (found | there == found).all()
    assert np.array_equal(closed(found, radius), found)
    line = np.zeros((1, 20), bool)
    line[0, [3, 4 + 2 * radius]] = True
    assert closed(line, radius)[0, 3 : 5 + 2 * radius].all()
    assert closed(line, radius).sum() == 2 + 2 * radius


def test_channels_are_heights_slopes_or_normals_and_validity():
    found = surface_map(cloud(20_000, bowl, wide=40.0), GRID, 1.4, 4.0)
    slopes, normals = map_channels(found, "slopes"), map_channels(found, "normals")
    assert slopes.shape == (4, 64, 64)
    assert normals.shape == (5, 64, 64)
    assert np.array_equal(slopes[-1] > 0, found.seen)
    assert not slopes[:, ~found.seen].any()
    assert not normals[:, ~found.seen].any()
    assert np.linalg.norm(normals[1:4], axis=0)[found.seen] == pytest.approx(1, abs=1e-6)
    assert (-normals[1] / normals[3])[found.seen] == pytest.approx(slopes[1][found.seen], abs=1e-4)


def test_the_map_of_a_mirrored_face_is_the_mirrored_map():
    points = cloud(20_000, bowl)
    there = map_channels(surface_map(points, GRID, 1.4, 4.0), "slopes")
    turned = map_channels(surface_map(points * np.float32([-1, 1, 1]), GRID, 1.4, 4.0), "slopes")
    assert mirrored_map(there) == pytest.approx(turned, abs=1e-4)


def test_filling_takes_the_nearest_cell():
    seen = np.zeros((4, 5), bool)
    seen[0, 0] = seen[3, 4] = True
    filled = nearest_seen(np.arange(20.0).reshape(1, 4, 5), seen)[0]
    assert filled[1, 1] == 0
    assert filled[3, 3] == 19
    assert set(np.unique(filled)) == {0, 19}


@pytest.mark.slow
@pytest.mark.parametrize("yaw_deg", [0, 35])
def test_the_map_of_a_rendered_face_is_its_height(yaw_deg):
    """A mesh whose height is known, seen by a pinhole camera: what it did not see is not there."""
    from face3d_data.geometry.open3d_lazy import open3d
    from face3d_data.registration.template import own_template

    o3d, face = open3d(), own_template()
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor(face.vertices.astype(np.float32)), o3d.core.Tensor(face.triangles.astype(np.uint32))
    )

    def cast(starts, ways):
        rays = np.concatenate([np.broadcast_to(starts, ways.shape), ways], axis=1).astype(np.float32)
        return scene.cast_rays(o3d.core.Tensor(rays), nthreads=1)["t_hit"].numpy()

    above = np.column_stack([X.ravel(), Y.ravel(), np.full(X.size, 200.0)])
    true = 200 - cast(above, np.broadcast_to([0.0, 0, -1], above.shape)).reshape(X.shape)
    turn = np.radians(yaw_deg)
    eye = 600 * np.array([np.sin(turn), 0, np.cos(turn)])
    right, up = np.array([np.cos(turn), 0, -np.sin(turn)]), np.array([0, 1.0, 0])
    column, row = (part.ravel()[:, None] / 570 for part in np.meshgrid(np.arange(-140, 141), np.arange(-140, 141)))
    ways = -eye / 600 + column * right + row * up
    depth = cast(eye, ways)
    points = (eye + ways * depth[:, None])[np.isfinite(depth)]
    found = surface_map(points, GRID, 1.4, 4.0)
    inside = binary_erosion(found.seen & np.isfinite(true), np.ones((3, 3)))
    error = np.abs(found.height - true)[inside]
    assert np.median(error) < 0.025
    assert np.mean(error < 0.1) > 0.85, "the rest is creases: lips, lids, wings of the nose"
    assert np.percentile(error, 99) < 0.6
    assert found.seen.mean() > (0.95 if yaw_deg == 0 else 0.75)
    hidden = np.isfinite(true) & ~found.seen
    if yaw_deg:
        assert np.median(X[hidden]) < -20, "the side turned away"
