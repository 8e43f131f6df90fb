import cv2
import numpy as np
import pytest

from face3d_data.detectors.pyramid import PYRAMID_STEP, pyramid, shrink


def test_levels_span_the_sizes_asked_for():
    windows = 12 / pyramid(480, 640, 20)
    assert windows[0] == pytest.approx(20)
    np.testing.assert_allclose(windows[:-1] / windows[1:], PYRAMID_STEP)
    assert 480 * PYRAMID_STEP <= windows[-1] <= 480
    assert len(pyramid(100, 100, 101)) == 0


def test_a_bounded_pyramid_is_the_part_of_the_free_one_that_is_needed():
    free, bounded = 12 / pyramid(480, 640, 20), 12 / pyramid(480, 640, 20, (84, 200))
    assert set(bounded) < set(free)
    assert 84 * PYRAMID_STEP**0.5 <= bounded[0] <= 84 / PYRAMID_STEP**0.5
    assert 200 / PYRAMID_STEP**0.5 <= bounded[-1] <= 200 / PYRAMID_STEP**1.5
    assert len(12 / pyramid(480, 640, 20, (900, 1200))) == 0


@pytest.mark.parametrize("scale", [1.0, 0.6, 0.5, 0.4254, 1 / 3, 0.0757])
@pytest.mark.parametrize("shape", [(480, 640), (163, 201)])
def test_shrinking_equals_opencvs_area_interpolation(shape, scale):
    image = np.random.default_rng(8).random((*shape, 3), np.float32) * 2 - 1
    want = cv2.resize(image, (int(shape[1] * scale), int(shape[0] * scale)), interpolation=cv2.INTER_AREA)
    got = shrink(image, scale)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, atol=2e-6)
