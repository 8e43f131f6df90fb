"""A person's skin over the unrolled head: fitted to points, filled where there are none, its features found."""

import numpy as np
import pytest

from face3d_data.wear.head_map import grid_ab, mean_head, radius_normals, roll_up, sample_map, unroll
from face3d_data.wear.skin import face_oval, fit_skin, mean_skin

NOSE = 2


def scan_of(radius, step=1.0, noise=0.0, seed=0):
    """Points of a radius map between brow and chin, as a scanner would see them from the front."""
    ab = np.stack(np.meshgrid(np.arange(-90, 90, step), np.arange(-60, 100, step)), axis=-1).reshape(-1, 2)
    ab = ab.astype(np.float32)
    r = sample_map(radius, ab) + np.random.default_rng(seed).normal(0, 1, len(ab)).astype(np.float32) * noise
    return roll_up(ab, r), ab


def test_no_points_give_the_mean_head():
    skin = mean_skin()
    np.testing.assert_array_equal(skin.radius, mean_head().radius)
    np.testing.assert_allclose(skin.to_person(grid_ab()), grid_ab(), atol=1e-4)


def test_the_skin_follows_a_scan_and_goes_on_where_it_ends():
    bulge = 6 * np.exp(-(((grid_ab() - [30, 20]) / 20) ** 2).sum(-1)) + 3
    truth = (mean_head().radius + bulge).astype(np.float32)
    points, ab = scan_of(truth)
    skin = fit_skin(points, mean_head().landmarks)
    error = sample_map(skin.radius, ab) - sample_map(truth, ab)
    assert np.abs(error).max() < 1.0
    beyond = np.array([[-130.0, 20.0], [130.0, 0.0]], np.float32)  # before the ears, where no reading was
    np.testing.assert_allclose(sample_map(skin.radius, beyond) - sample_map(mean_head().radius, beyond), 3, atol=0.7)


def test_noise_is_smoothed():
    points, ab = scan_of(mean_head().radius, noise=1.5)
    error = sample_map(fit_skin(points, mean_head().landmarks).radius, ab) - sample_map(mean_head().radius, ab)
    assert np.sqrt(np.mean(error**2)) < 0.6


def test_hair_and_shoulders_are_no_skin():
    points, ab = scan_of(mean_head().radius)
    stray = roll_up(ab[:4000], sample_map(mean_head().radius, ab[:4000]) + np.float32(45))
    skin = fit_skin(np.concatenate([points, stray]), mean_head().landmarks)
    error = sample_map(skin.radius, ab) - sample_map(mean_head().radius, ab)
    assert np.abs(error).max() < 1.0


def test_nothing_of_a_clean_scan_stands_out_of_the_guard():
    ridge = 3.0 * (np.abs(grid_ab()[..., 1] % 12) < 2)  # finer than the smoothing
    truth = (mean_head().radius + ridge).astype(np.float32)
    points, _ = scan_of(truth, step=0.7)
    skin = fit_skin(points, mean_head().landmarks)
    ab, r = unroll(points)
    assert (r - sample_map(skin.radius, ab)).max() > 1.2
    assert np.percentile(r - sample_map(skin.guard, ab), 99.9) < 1.5  # within the stand-off and 1 mm


def test_features_of_a_broader_longer_face_are_where_it_has_them():
    head = mean_head()
    ab, r = unroll(head.landmarks)
    longer = np.where(ab[:, 1:] < ab[NOSE, 1], 1.15, 1.0)
    stretched = (ab - ab[NOSE]) * np.concatenate([np.full_like(longer, 1.1), longer], axis=1) + ab[NOSE]
    landmarks = roll_up(stretched.astype(np.float32), r)
    skin = fit_skin(np.zeros((0, 3), np.float32), landmarks)
    mapped = skin.to_person(ab.astype(np.float64))
    np.testing.assert_allclose(mapped[:2, 0], stretched[:2, 0], atol=0.1)
    np.testing.assert_allclose(mapped[3:, 1], stretched[3:, 1], atol=0.1)


def test_person_and_mean_maps_undo_each_other():
    landmarks = mean_head().landmarks + np.array([[0, 4, 0], [0, 4, 0], [0, 0, 0], [0, -5, 0], [0, -5, 0]], np.float32)
    skin = fit_skin(np.zeros((0, 3), np.float32), landmarks)
    assert not np.allclose(skin.heights[0], skin.heights[1])
    np.testing.assert_allclose(skin.to_mean(skin.to_person(grid_ab())), grid_ab(), atol=1e-3)


def test_an_open_mouth_lowers_the_chin():
    ab = grid_ab()
    jaw = 12.0
    low = np.stack([ab[..., 0], ab[..., 1] + jaw], axis=-1)
    dropped = np.where(ab[..., 1] < -12, sample_map(mean_head().radius, low), mean_head().radius).astype(np.float32)
    points, _ = scan_of(dropped)
    skin = fit_skin(points, mean_head().landmarks)
    assert skin.heights[1, 0] - skin.heights[0, 0] == pytest.approx(-jaw, abs=3)


def test_unknown_landmarks_are_those_of_the_mean_head():
    landmarks = mean_head().landmarks.copy()
    landmarks[3] = np.nan
    np.testing.assert_allclose(fit_skin(np.zeros((0, 3), np.float32), landmarks).heights, mean_skin().heights)


def test_the_oval_lies_on_the_skin_from_hairline_to_chin():
    points, normals = face_oval(mean_skin())
    ab, r = unroll(points)
    np.testing.assert_allclose(r, sample_map(mean_head().radius, ab), atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    menton, tip = mean_head().menton, mean_head().landmarks[NOSE]
    assert points[:, 1].min() == pytest.approx(menton[1], abs=6)
    assert 90 < points[:, 1].max() - tip[1] < 112
    assert radius_normals(mean_head().radius).shape == (151, 161, 3)


def test_the_guard_reaches_the_top_of_steep_skin_but_not_noises():
    """Beside a wall 12 mm high, as a nose wing, the guard is not the mean of foot and top; noise does not lift it."""
    wall = 12.0 / (1 + np.exp(-(grid_ab()[..., 0] - 20.7) / 0.8))
    truth = (mean_head().radius + wall).astype(np.float32)
    points, _ = scan_of(truth, step=0.7)
    skin = fit_skin(points, mean_head().landmarks)
    ab, r = unroll(points)
    near = (np.abs(ab[:, 0] - 20.7) < 6) & (np.abs(ab[:, 1]) < 50)
    assert np.percentile((r - sample_map(skin.guard, ab))[near], 99.5) < 2.0
    noisy, places = scan_of(mean_head().radius, noise=1.5)
    lifted = sample_map(fit_skin(noisy, mean_head().landmarks).guard, places) - sample_map(mean_head().radius, places)
    assert np.median(lifted) < 0.6
