"""The noise of depth readings, estimated on known noise over known shapes."""

import numpy as np
import pytest
from cover_toys import ball_depth, noisy
from scipy.ndimage import gaussian_filter

from face3d_data.geometry.reading_noise import ReadingNoise, disparity_levels, estimate_noise, quantisation_step
from face3d_data.wear.cover_holes import HoleModel, lost_readings, measure_holes

FINE = np.array([800.0, 800.0, 119.5, 119.5])
SIZE = (240, 240)


def estimated(depth: np.ndarray, focal: float = 800.0) -> ReadingNoise:
    return estimate_noise(depth, (depth > 0) & (depth < 650), focal)


@pytest.mark.parametrize("step_mm", [0.0, 0.1, 0.25, 1.0])
def test_readings_without_noise_are_known_as_such(step_mm):
    depth = ball_depth(FINE, SIZE)
    depth = (np.round(depth / step_mm) * step_mm).astype(np.float32) if step_mm else depth
    noise = estimated(depth)
    assert noise.variances_mm2 == (0.0, 0.0, 0.0)
    assert noise.step_mm == step_mm
    assert not noise.field((5, 5), np.random.default_rng(0)).any()


@pytest.mark.parametrize("sigma_mm", [0.15, 0.6, 1.5])
@pytest.mark.parametrize("width_px", [0.0, 0.8])
@pytest.mark.parametrize("step_mm", [0.0, 0.1, 1.0])
def test_size_and_kind_of_noise_are_found(sigma_mm, width_px, step_mm):
    noise = estimated(noisy(ball_depth(FINE, SIZE), sigma_mm, width_px, step_mm, seed=2))
    # Steps larger than the noise hide it, or make it look larger.
    if step_mm <= 2 * sigma_mm:
        assert noise.sigma_mm == pytest.approx(np.hypot(sigma_mm, step_mm / np.sqrt(12)), rel=0.15)
        white, fine, _ = noise.variances_mm2
        assert (white > fine) == (width_px == 0)
    assert noise.step_mm == step_mm
    assert noise.reference_mm == pytest.approx(625, abs=25)


def test_noise_made_is_noise_found():
    made = ReadingNoise((0.3, 0.4, 0.2), 625.0, 0.0)
    field = made.field(SIZE, np.random.default_rng(0))
    assert field.std() == pytest.approx(made.sigma_mm, rel=0.03)
    again = estimated(np.where(ball_depth(FINE, SIZE) > 0, ball_depth(FINE, SIZE) + field, 0).astype(np.float32))
    assert again.sigma_mm == pytest.approx(made.sigma_mm, rel=0.12)


@pytest.mark.parametrize("width_px", [0.8, 1.6])
def test_smooth_fields_have_the_size_asked_for(width_px):
    variances = tuple(float(width == width_px) for width in (0.0, 0.8, 1.6))
    field = ReadingNoise(variances).field((300, 300), np.random.default_rng(1))
    assert field.std() == pytest.approx(1.0, rel=0.05)
    alike = (field[:, :-1] * field[:, 1:]).mean() / field.var()
    assert alike == pytest.approx(np.exp(-1 / (4 * width_px**2)), abs=0.05)


def test_curved_features_are_no_noise():
    depth = ball_depth(FINE, SIZE)
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    lumps = 6 * np.exp(-((u - 120) ** 2 + (v - 110) ** 2) / 200) + 3 * np.exp(-((u - 90) ** 2 + (v - 90) ** 2) / 60)
    bumpy = np.where(depth > 0, depth - lumps, 0).astype(np.float32)
    assert estimated(bumpy).variances_mm2 == (0.0, 0.0, 0.0)
    assert estimated(noisy(bumpy, 0.8)).sigma_mm == pytest.approx(0.8, rel=0.12)


def test_too_little_face_tells_nothing_but_the_step():
    empty = estimate_noise(np.zeros((40, 40), np.float32), np.zeros((40, 40), bool), 600.0)
    assert empty == ReadingNoise()
    strip = np.zeros(SIZE, bool)
    strip[::5] = True
    found = estimate_noise(noisy(ball_depth(FINE, SIZE), 1.0, step_mm=1.0), strip, 800.0)
    assert found.variances_mm2 == (0.0, 0.0, 0.0)
    assert found.step_mm == 1.0


@pytest.mark.parametrize("step_mm", [1.0, 0.5, 0.25, 0.125, 0.1])
def test_steps_are_the_coarsest_that_fit(step_mm):
    z = np.random.default_rng(0).integers(4000, 9000, 500) * step_mm
    assert quantisation_step(z.astype(np.float32)) == step_mm


def test_no_step_fits_floats():
    assert quantisation_step(np.random.default_rng(0).uniform(500, 700, 500).astype(np.float32)) == 0
    assert quantisation_step(np.empty(0, np.float32)) == 0


def test_gaps_are_counted_on_surfaces_and_at_edges():
    depth = np.full((100, 100), 600, np.float32)
    depth[:, 50:] = 700
    assert measure_holes(depth) == HoleModel(0.0, 0.0)
    rng = np.random.default_rng(0)
    holed = np.where(rng.random(depth.shape) < 0.05, 0, depth).astype(np.float32)
    assert measure_holes(holed).share == pytest.approx(0.05, abs=0.01)
    holed[:, 49:52] = 0
    assert measure_holes(holed).edge_px == pytest.approx(3, abs=0.3)
    assert measure_holes(np.zeros((3, 3), np.float32)) == HoleModel(0.0, 0.0)


def test_readings_are_lost_beside_the_far_side_only():
    z = np.full((60, 60), 900, np.float32)
    on = np.zeros(z.shape, bool)
    on[20:40, 20:40] = True
    z[on] = 600
    z[:, :20] = 605  # on this side something near continues
    lost = lost_readings(z, on, HoleModel(0.0, 4.0), np.random.default_rng(0))
    assert not lost[~on].any()
    assert lost[22:38, 38:40].all()
    assert not lost[22:38, 20:38].any()
    assert lost[20:22, 20:40].all()
    assert not lost_readings(z, on, HoleModel(), np.random.default_rng(0)).any()
    some = lost_readings(z, on, HoleModel(0.2, 0.0), np.random.default_rng(0))
    assert some[on].mean() == pytest.approx(0.2, abs=0.05)


def test_widths_are_those_of_gaussian_filters():
    white = np.random.default_rng(0).standard_normal((400, 400))
    smooth = gaussian_filter(white, 1.6)
    assert (smooth[:, 2:] * smooth[:, :-2]).mean() / smooth.var() == pytest.approx(np.exp(-4 / (4 * 1.6**2)), abs=0.02)


def kinect(depth: np.ndarray, sigma_steps: float, steps_a_px: int = 8) -> np.ndarray:
    """Whole millimetres of disparities in eighths of a pixel, as the first Kinect reads."""
    disparity = 580 * 75 / np.maximum(depth, 1) + np.random.default_rng(0).normal(0, sigma_steps, SIZE) / steps_a_px
    return np.where(depth > 0, np.round(580 * 75 / (np.round(disparity * steps_a_px) / steps_a_px)), 0).astype("f4")


@pytest.mark.parametrize("sigma_steps", [0.0, 0.6, 1.0])
def test_steps_of_disparity_are_found_and_kept(sigma_steps):
    far = ball_depth(FINE, SIZE) + np.float32(400)
    read = kinect(np.where(far > 400, far, 0), sigma_steps)
    on = (read > 0) & (read < 1050)
    noise = estimate_noise(read, on, 800.0)
    assert noise.levels is not None
    assert noise.levels[1] == pytest.approx(1 / (580 * 75 * 8), rel=0.01)
    true = np.random.default_rng(1).uniform(read[on].min() + 5, read[on].max() - 5, 4000)
    made = noise.readings(true, np.zeros(4000, np.float32))
    missing = set(made.tolist()) - set(read[on].tolist())
    assert len(missing) <= 0.05 * len(set(made.tolist()))
    assert np.abs(made - true).max() <= noise.coarsest_mm * 0.75 + 0.5
    if sigma_steps:
        alone = sigma_steps * 1020**2 / (580 * 75 * 8)
        assert noise.sigma_mm == pytest.approx(np.hypot(alone, noise.coarsest_mm / np.sqrt(12)), rel=0.3)


def test_fine_disparities_are_no_levels():
    read = kinect(ball_depth(FINE, SIZE), 0.5, steps_a_px=32)
    assert estimate_noise(read, (read > 0) & (read < 650), 800.0).levels is None
    assert disparity_levels(np.round(np.random.default_rng(0).uniform(500, 700, 500)), 1.0) is None
    assert disparity_levels(np.arange(5.0), 1.0) is None
