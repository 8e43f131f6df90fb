"""An occluder in a depth image: what is covered, what stays, and readings like the image's own."""

from dataclasses import replace

import numpy as np
import pytest
from cover_toys import (
    CENTRE,
    DISTANCE_MM,
    FROM_FACE,
    INTRINSICS,
    RADIUS_MM,
    SHAPE,
    TO_FACE,
    ball_depth,
    ball_view,
    met_naively,
    noisy,
    patch,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter

from face3d_data.wear.cover import View, cover


def covered_by(view: View, occluder, seed: int = 0, **options):
    return cover(view, occluder, np.random.default_rng(seed), **options)


def pixel_places() -> np.ndarray:
    v, u = np.mgrid[: SHAPE[0], : SHAPE[1]]
    x, y = (u - INTRINSICS[2]) / INTRINSICS[0], (v - INTRINSICS[3]) / INTRINSICS[1]
    return np.stack([x, y, np.ones(SHAPE)], -1).reshape(-1, 3)


def test_noise_free_readings_are_the_surface_itself_and_nothing_else_changes():
    view, occluder = ball_view(), patch(n=7)
    made = covered_by(view, occluder)
    some = np.random.default_rng(0).choice(np.flatnonzero(view.depth), 700, replace=False)
    met = met_naively(occluder, pixel_places()[some])
    assert (made.silhouette.ravel()[some] == met.found).all()
    assert 50 < met.found.sum() < 400
    assert np.allclose(made.depth.ravel()[some][met.found], met.z[met.found], atol=2e-3)
    assert (made.depth[~made.silhouette] == view.depth[~made.silhouette]).all()
    assert made.depth.dtype == np.float32


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    st.tuples(st.floats(-120, 120), st.floats(-120, 120)),
    st.floats(-30, 30),
    st.floats(0, 2),
    st.integers(0, 3),
)
def test_whatever_is_worn_all_outside_its_silhouette_stays(centre, off_mm, sigma_mm, seed):
    view = ball_view(sigma_mm=sigma_mm, wall_mm=900.0 if seed % 2 else 0.0, points=None)
    made = covered_by(view, patch(centre_mm=centre, off_mm=off_mm), seed, softening_px=seed / 2)
    assert (made.depth == view.depth)[~made.silhouette].all()
    reach = np.argwhere(made.silhouette)
    changed = np.argwhere((made.color != view.color).any(axis=2))
    if len(changed):
        apart = np.sqrt(((changed[:, None] - reach[None]) ** 2).sum(-1).min(axis=1))
        assert apart.max() <= seed / 2


def test_what_is_before_the_occluder_stays_and_what_is_barely_before_it_does_not():
    view, occluder = ball_view(), patch(off_mm=4)
    for nearer_mm, stays in ((20.0, True), (3.0, False)):
        depth = view.depth.copy()
        met = covered_by(view, occluder)
        hand = np.zeros(SHAPE, bool)
        hand[100:120, 90:110] = True
        depth[hand] = met.depth[hand] - nearer_mm
        made = covered_by(replace(view, depth=depth), occluder)
        assert met.silhouette[hand].all()
        assert (made.silhouette[hand] != stays).all()
        if stays:
            assert (made.depth[hand] == depth[hand]).all()
            assert (made.color[105:115, 95:105] == view.color[105:115, 95:105]).all()


def test_holes_under_the_occluder_are_read_and_holes_beside_it_stay():
    view = ball_view()
    depth = view.depth.copy()
    depth[::3] = 0
    made = covered_by(replace(view, depth=depth), patch())
    assert (made.depth[made.silhouette] > 0).all()
    assert (made.depth[::3][~made.silhouette[::3]] == 0).all()


def skin_of_the_ball() -> tuple[np.ndarray, np.ndarray]:
    whole = patch((79.0, 79.0), (0, 0), off_mm=0, n=81)
    return whole.vertices, whole.triangles


@pytest.mark.parametrize("readings", ["none", "all holes"])
def test_the_skin_hides_what_is_behind_it_where_nothing_is_read(readings):
    depth = None if readings == "none" else np.zeros(SHAPE, np.float32)
    view = ball_view(depth=depth, points=None)
    strap = patch(off_mm=-20.0)
    assert covered_by(view, strap).silhouette.any()
    skin = replace(view, skin=skin_of_the_ball())
    assert not covered_by(skin, strap).silhouette.any()
    assert covered_by(skin, patch()).silhouette.any()


def test_an_occluder_out_of_sight_leaves_the_images_as_they_are():
    view = ball_view(sigma_mm=1.0)
    for motion in (np.diag([1.0, 1.0, 1.0, 1.0]), TO_FACE @ np.diag([1, 1, -1, 1.0])):
        made = covered_by(replace(view, to_face=motion), patch())
        assert not made.silhouette.any()
        assert (made.depth == view.depth).all()
        assert (made.color == view.color).all()
        assert (made.points == view.points).all()


@pytest.mark.parametrize("shift", [(-75, 0), (75, 20), (0, 80), (-70, -70)])
def test_a_face_half_out_of_the_frame_is_covered_where_it_is_seen(shift):
    intrinsics = INTRINSICS + np.array([0, 0, *shift])
    view = View(TO_FACE, depth=ball_depth(intrinsics), intrinsics=intrinsics)
    made = covered_by(view, patch())
    assert made.silhouette.any()
    whole = covered_by(ball_view(points=None), patch()).silhouette
    moved = np.roll(whole, shift[::-1], axis=(0, 1))
    assert (made.silhouette & ~moved).sum() == 0
    assert (made.depth == view.depth)[~made.silhouette].all()


def test_steps_of_the_readings_are_kept():
    for step in (1.0, 0.25, 0.1):
        view = ball_view(depth=noisy(ball_depth(), 0.5, step_mm=step), points=None)
        made = covered_by(view, patch())
        z = made.depth[made.silhouette]
        assert np.allclose(z / step, np.round(z / step), atol=1e-2)
        assert len(np.unique(z)) > 5


def roughness(depth: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """Return the size of the noise about a smooth surface, and how alike neighbours are."""
    inner = gaussian_filter(where.astype(float), 3) > 0.95
    smooth = gaussian_filter(np.where(where, depth, 0.0), 3) / np.maximum(gaussian_filter(where.astype(float), 3), 1e-6)
    noise = np.where(inner, depth - smooth, np.nan)
    noise -= np.nanmean(noise)
    return float(np.nanstd(noise)), float(np.nanmean(noise[:, :-1] * noise[:, 1:]) / np.nanvar(noise))


@pytest.mark.parametrize(
    ("sigma_mm", "width_px", "step_mm"), [(1.0, 0.0, 1.0), (0.8, 0.8, 0.0), (1.3, 1.2, 1.0), (0.3, 0.8, 0.1)]
)
def test_readings_are_as_noisy_and_hang_together_as_those_of_the_face(sigma_mm, width_px, step_mm):
    intrinsics = np.array([800.0, 800.0, 119.5, 119.5])
    true = ball_depth(intrinsics, (240, 240))
    depth = noisy(true, sigma_mm, width_px, step_mm, seed=3)
    made = covered_by(View(TO_FACE, depth=depth, intrinsics=intrinsics), patch((40, 35), (0, 0)))
    size, alike = roughness(depth - true, (true > 0) & (true < 640))
    there = made.silhouette & (made.depth > 0)
    surface = covered_by(View(TO_FACE, depth=true, intrinsics=intrinsics), patch((40, 35), (0, 0))).depth
    size_on, alike_on = roughness(made.depth - surface, there)
    assert size_on == pytest.approx(size, rel=0.12)
    assert alike_on == pytest.approx(alike, abs=0.1)


def test_noise_grows_with_the_square_of_the_depth():
    view = ball_view(sigma_mm=1.0, points=None)
    flat = patch((40, 40), (0, 0))
    for behind_mm in (-100.0, 250.0):
        board = replace(flat, vertices=(flat.vertices * [1, 1, 0] - [0, 0, behind_mm]).astype(np.float32))
        # Only a ring of the ball's readings is left, so that the board is seen through it.
        ring = np.where(np.hypot(*np.mgrid[-99:101, -99:101]) < 30, 0, view.depth)
        made = covered_by(replace(view, depth=ring), board)
        z = made.depth[92:108, 92:108]
        assert z.mean() == pytest.approx(DISTANCE_MM + behind_mm, abs=0.4)
        sigma = view.noise.sigma_mm * ((DISTANCE_MM + behind_mm) / view.noise.reference_mm) ** 2
        assert z[z > 0].std() == pytest.approx(sigma, rel=0.15)


def test_readings_are_lost_as_often_as_elsewhere_and_never_where_none_are():
    true = ball_depth(wall_mm=900.0)
    rng = np.random.default_rng(0)
    depth = np.where(rng.random(SHAPE) < 0.04, 0, noisy(true, 0.8)).astype(np.float32)
    jump = np.hypot(*np.gradient((true > 800) * 1.0)) > 0
    depth[jump] = 0
    made = covered_by(View(TO_FACE, depth=depth, intrinsics=INTRINSICS), patch((70, 20), (0, 0), off_mm=30))
    inside = distance_transform_edt(made.silhouette)
    assert (made.depth[inside > 3] == 0).mean() == pytest.approx(0.04, abs=0.012)
    # The gap of the ball's own edge is 2 px wide, half of it the nearer side's.
    assert (made.depth[inside == 1] == 0).mean() > 0.5
    assert (made.depth[inside == 2] == 0).mean() < 0.3
    clean = covered_by(View(TO_FACE, depth=np.where(jump, 0, true), intrinsics=INTRINSICS), patch())
    assert (clean.depth[clean.silhouette] > 0).all()


def test_the_same_draw_gives_the_same_bytes_and_another_another():
    view = ball_view(sigma_mm=1.0)
    first, again, other = (covered_by(view, patch(), seed) for seed in (1, 1, 2))
    for name in ("depth", "color", "points"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert (first.depth != other.depth).any()
    assert (first.silhouette == other.silhouette).all()


def test_the_view_is_left_as_it_was():
    view = ball_view(sigma_mm=1.0)
    for array in (view.color, view.depth, view.points, view.intrinsics):
        array.flags.writeable = False
    before = view.depth.copy(), view.color.copy(), view.points.copy()
    covered_by(view, patch())
    assert all((a == b).all() for a, b in zip(before, (view.depth, view.color, view.points), strict=True))


def test_the_toys_are_what_they_say():
    assert ball_depth()[99:101, 99:101].mean() == pytest.approx(600, abs=0.1)
    assert np.allclose(CENTRE @ TO_FACE[:3, :3].T + TO_FACE[:3, 3], [0, 0, -RADIUS_MM])
    assert np.allclose(FROM_FACE @ TO_FACE, np.eye(4))
