"""The light on a face from its pixels."""

import numpy as np
import pytest

from face3d_data.wear.light import (
    SKIN_ALBEDO,
    WHITE_LEVEL,
    Light,
    bent,
    estimate_light,
    image_grain,
    to_display,
    to_linear,
)

UP = np.array([0.0, -1.0, 0.0])


def face_normals(n: int = 3000, seed: int = 0) -> np.ndarray:
    """Normals of a rounded front, camera frame."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(n, 3)) * [0.5, 0.5, 0] + [0, 0, -1]
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)


def shown(level: np.ndarray) -> np.ndarray:
    return np.rint(to_display(np.repeat(level[:, None], 3, axis=1))).astype(np.uint8)


@pytest.mark.parametrize("albedo", [0.08, 0.25, 0.5])
@pytest.mark.parametrize("toward", [(0.6, -0.3, -0.7), (-0.5, -0.5, -0.7), (0.0, 0.0, -1.0), (0.9, 0.0, -0.4)])
def test_direction_and_share_of_a_lamp_are_found(toward, albedo):
    toward = np.array(toward) / np.linalg.norm(toward)
    normals = face_normals()
    level = albedo * (0.4 + 0.6 * np.maximum(normals @ toward, 0))
    spots = np.random.default_rng(1).random(len(level)) < 0.1
    level = np.where(spots, 0.3 * level, level)  # brows, lips, beard
    light = estimate_light(shown(level), normals, UP)
    assert np.array(light.toward) @ toward > 0.97
    assert light.ambient / (light.ambient + light.lamp) == pytest.approx(0.4, abs=0.1)
    facing = light.ambient + light.lamp
    assert facing == pytest.approx(np.clip(WHITE_LEVEL, albedo / SKIN_ALBEDO[1], albedo / SKIN_ALBEDO[0]), rel=0.12)


def test_bright_skin_lifts_the_light_and_dark_skin_does_not_put_it_out():
    normals = face_normals()
    bright = estimate_light(shown(np.full(len(normals), 0.9)), normals, UP)
    assert bright.ambient + bright.lamp >= 0.9 / SKIN_ALBEDO[1] * 0.98
    night = estimate_light(shown(np.full(len(normals), 0.004)), normals, UP)
    assert 0.02 < night.ambient + night.lamp < 0.2


def test_no_lamp_is_sought_below_the_face():
    normals = face_normals()
    level = 0.3 * (0.4 + 0.6 * np.maximum(normals @ np.array([0.5, 0.6, -0.62]), 0))  # hair over the forehead
    light = estimate_light(shown(level), normals, UP)
    assert light.toward[1] < 0.05
    assert light.toward[0] > 0.3


def test_few_or_flat_pixels_give_some_light():
    assert estimate_light(np.zeros((3, 3), np.uint8), np.zeros((3, 3), np.float32), UP) == Light()
    flat = np.tile(np.float32([0, 0, -1]), (500, 1))
    light = estimate_light(np.full((500, 3), 120, np.uint8), flat, UP)
    assert np.isfinite([light.ambient, light.lamp, *light.toward]).all()
    black = estimate_light(np.zeros((500, 3), np.uint8), flat, UP)
    assert np.isfinite([black.ambient, black.lamp, *black.toward]).all()


def test_light_falls_by_the_cosine_and_less_where_it_is_kept_off():
    light = Light(0.2, 0.5, (0.0, 0.0, -1.0))
    normals = np.array([[0, 0, -1], [0, 0.8, -0.6], [0, 0, 1]], np.float32)
    assert light.on(normals) == pytest.approx([0.7, 0.5, 0.2])
    assert light.on(normals, np.array([0.0, 1, 1]), np.array([0.5, 1, 1])) == pytest.approx([0.1, 0.5, 0.2])


def test_display_and_linear_light_are_each_other_s_inverse():
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(np.rint(to_display(to_linear(every))), every)
    ramp = np.linspace(0, 3, 200)
    assert (np.diff(bent(ramp)) >= 0).all()
    assert bent(ramp).max() <= 1
    assert bent(np.array([0.5])) == 0.5


@pytest.mark.parametrize("sigma", [0.0, 1.5, 4.0])
def test_grain_is_told_from_shading(sigma):
    v, u = np.mgrid[:120, :120]
    noise = np.random.default_rng(0).normal(0, max(sigma, 1e-9), (120, 120, 3))
    color = np.clip(np.rint((80 + 0.5 * u + 20 * np.sin(v / 9))[..., None] + noise), 0, 255).astype(np.uint8)
    assert image_grain(color) == pytest.approx(sigma, rel=0.2, abs=0.5)
    assert image_grain(color[:4]) == 0
