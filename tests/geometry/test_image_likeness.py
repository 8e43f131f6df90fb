"""Low waves and correlation of images: blind to light, noise and small motions, not to another picture."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from face3d_data.geometry.image_likeness import DETAIL_PX, WAVES_PX, detail, likeness, low_waves, reduced


def picture(seed, size=96):
    rng = np.random.default_rng(seed)
    field = sum(s * gaussian_filter(rng.standard_normal((size, size)), s) for s in (2, 4, 8))
    return np.clip(128 + 60 * field[..., None] / np.abs(field).max() * [1, 0.9, 0.8] * 1.5, 0, 255).astype(np.uint8)


def details(image, side=DETAIL_PX):
    return detail(reduced(image, side)[None])


def apart(first, second):
    one, other = (low_waves(details(image, WAVES_PX))[0] for image in (first, second))
    return 1 - float(one @ other)


def turned(image):
    motion = cv2.getRotationMatrix2D((47.5, 47.5), 2.0, 1.02)
    motion[:, 2] += (1.5, -1.0)
    return cv2.warpAffine(image, motion, (96, 96), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: np.clip(image * 0.8 + 30, 0, 255).astype(np.uint8),
        lambda image: np.clip(image + np.linspace(-30, 30, 96)[:, None, None], 0, 255).astype(np.uint8),
        lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR),
        lambda image: cv2.resize(image, (160, 160)),
        lambda image: np.repeat(np.repeat(image, 6, 0), 6, 1),
        turned,
    ],
)
def test_copies_stay_near(change):
    for seed in range(3):
        image = picture(seed)
        copy = change(image)
        assert apart(image, copy) < 0.2
        assert likeness(details(image)[0], details(copy)[0]) > 0.975


def test_other_pictures_are_far():
    for seed in range(6):
        assert apart(picture(seed), picture(seed + 10)) > 0.4
        assert likeness(details(picture(seed))[0], details(picture(seed + 10))[0]) < 0.8


def test_an_image_of_one_colour_is_like_nothing():
    flat = np.full((96, 96, 3), 90, np.uint8)
    assert np.allclose(low_waves(details(flat)), 0, atol=1e-3)
    assert likeness(details(flat)[0], details(picture(0))[0]) == 0


def test_a_mean_is_taken_of_what_a_pixel_covers():
    image = np.zeros((64, 64, 3), np.uint8)
    image[::2] = 200
    assert np.allclose(reduced(image, 32), 100, atol=0.1)
