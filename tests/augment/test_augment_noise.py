"""Jitter and depth noise: how much, in which direction, and never farther than the clip."""

import numpy as np
import pytest
from augment_examples import strong

from face3d_data.augment.depth_noise import DepthNoise
from face3d_data.augment.jitter import Jitter
from face3d_data.augment.rotation import Rotation
from face3d_data.augment.scale import Scale
from face3d_data.testing.contract_augmentation import tiny_arrays

RECORD = {"depth_noise_mm": 2.0, "depth_noise_seed": 3}


def rays(n: int = 20_000, z_mm: float = 1000.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-0.2, 0.2, (2, n))
    return {"points": (np.column_stack([x, y, np.ones(n)]) * z_mm).astype(np.float32)}


def test_jitter_is_normal_with_the_sigma_asked_for_and_clipped():
    arrays = rays()
    moved = Jitter().apply(arrays, Jitter(jitter_mm=0.5).draw(np.random.default_rng(0)))["points"] - arrays["points"]
    np.testing.assert_allclose(moved.std(axis=0), 0.5, rtol=0.03)
    np.testing.assert_allclose(moved.mean(axis=0), 0, atol=0.02)
    assert np.abs(moved).max() == pytest.approx(1.5, abs=1e-3)
    np.testing.assert_allclose(np.corrcoef(moved.T), np.eye(3), atol=0.03)


@pytest.mark.parametrize(("z_mm", "sigma_mm"), [(500, 0.5), (1000, 2.0), (2000, 8.0)])
def test_depth_noise_grows_with_the_square_of_the_depth(z_mm, sigma_mm):
    arrays = rays(z_mm=z_mm)
    moved = DepthNoise().apply(arrays, RECORD)["points"] - arrays["points"]
    assert moved[:, 2].std() == pytest.approx(sigma_mm, rel=0.03)
    assert np.abs(moved[:, 2]).max() <= 3 * sigma_mm + 1e-3


def test_depth_noise_moves_along_the_ray_only():
    arrays = rays()
    noisy = DepthNoise().apply(arrays, RECORD)["points"]
    before, after = (p[:, :2] / p[:, 2:] for p in (arrays["points"], noisy))
    np.testing.assert_allclose(after, before, atol=1e-6)


@pytest.mark.parametrize("motion", [Rotation(yaw_deg=60, pitch_deg=40), Scale(scale=0.3)])
def test_depth_noise_is_the_cameras_in_whatever_frame_the_points_are(motion):
    arrays = tiny_arrays()
    record = motion.draw(np.random.default_rng(1))
    noise_first = {**arrays, **DepthNoise().apply(arrays, RECORD)}
    moved_first = {**arrays, **motion.apply(arrays, record)}
    one = motion.apply(noise_first, record)["points"]
    two = DepthNoise().apply(moved_first, RECORD)["points"]
    np.testing.assert_allclose(one, two, atol=2e-3)


def test_a_scan_without_a_camera_gets_the_noise_of_one_metre_along_z():
    points = np.random.default_rng(0).uniform(-80, 80, (20_000, 3)).astype(np.float32)
    moved = DepthNoise().apply({"points": points}, RECORD)["points"] - points
    assert moved[:, 2].std() == pytest.approx(2.0, rel=0.03)
    assert np.abs(moved[:, :2]).max() < 0.02


def test_points_that_are_not_finite_spoil_no_others():
    arrays = tiny_arrays()
    holed = arrays["points"].copy()
    holed[::7] = np.nan
    for name in ("jitter", "depth_noise"):
        record = strong(name).draw(np.random.default_rng(0))
        clean, spoiled = (strong(name).apply({"points": p}, record)["points"] for p in (arrays["points"], holed))
        finite = np.isfinite(holed[:, 0])
        np.testing.assert_array_equal(np.isfinite(spoiled[:, 0]), finite)
        np.testing.assert_array_equal(spoiled[finite], clean[finite])
