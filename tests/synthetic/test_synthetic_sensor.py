import numpy as np
import pytest

from face3d_data.synthetic.sensors.stereo import BASELINE_MM, SUBPIXEL, shadowed, stereo_depth

FOCAL = 615.0


def plane(depth_mm, height=80, width=120):
    return np.full((height, width), depth_mm, np.float32)


def sense(depth, seed=0, **options):
    return stereo_depth(depth, FOCAL, np.random.default_rng(seed), **options)


def test_nothing_in_gives_nothing_out():
    assert not sense(np.zeros((20, 30), np.float32)).any()


def test_readings_are_whole_millimetres_and_finite():
    seen = sense(plane(640.0))
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    assert np.array_equal(seen, np.round(seen))
    assert (seen > 0).mean() > 0.99


def test_only_quantised_disparities_occur():
    gain = FOCAL * BASELINE_MM
    seen = np.unique(sense(plane(640.0)))
    possible = np.round(gain / (np.arange(1, 64 * SUBPIXEL) / SUBPIXEL))
    assert np.isin(seen[seen > 0], possible).all()


def test_noise_grows_with_the_square_of_the_distance():
    near, far = (np.std(sense(plane(z))) for z in (1000.0, 2000.0))
    assert 3.5 < far / near < 4.5


def test_a_nearer_edge_shadows_what_lies_to_its_left():
    depth = plane(1000.0)
    depth[:, 60:90] = 500.0
    dark = shadowed(depth, FOCAL * BASELINE_MM)
    shift = FOCAL * BASELINE_MM * (1 / 500 - 1 / 1000)
    assert dark.any(axis=0)[:60].sum() == pytest.approx(shift, abs=2.0)
    assert not dark[:, 60:].any()
    assert not sense(depth)[dark].any()


def test_jumps_in_depth_are_holes():
    depth = plane(1000.0)
    depth[:, 60:] = 600.0
    assert not sense(depth)[:, 59:61].any()


def test_strength_scales_the_noise():
    assert np.std(sense(plane(640.0), strength=3.0)) > 2 * np.std(sense(plane(640.0)))
