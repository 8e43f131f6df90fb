"""The light on a face, from the face's own pixels: how bright white cloth would be there, for every slope of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GAMMA = 2.2
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
SKIN_ALBEDO = (0.05, 0.6)
"""Luminance of human skin in linear light, darkest to lightest."""
WHITE_LEVEL = 0.95
"""Linear value at which a well exposed photograph shows an ideal white surface that faces the light."""
FEWEST = 50
LEAST_SHARE = 0.12
"""No slope gets less than this share of the mean light: light comes back from everywhere."""
SHOULDER = 0.75


@dataclass(frozen=True)
class Light:
    """Irradiance to first order in spherical harmonics, times exposure (Basri and Jacobs 2003, PAMI 25(2)).

    Attributes:
        ambient: linear value that an ideal white surface shows, on average over its slopes.
        toward: f8 (3,), how much more when its normal points along each axis; in the frame of the normals.
        tint: f8 (3,), colour of the light, its luminance 1.
    """

    ambient: float = 0.6
    toward: tuple[float, float, float] = (0.0, -0.15, -0.3)
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def on(self, normals: np.ndarray) -> np.ndarray:
        """Return linear light f4 (N, 3) that an ideal white surface with these unit normals (N, 3) shows."""
        level = self.ambient + normals @ np.asarray(self.toward, np.float32)
        level = np.maximum(level, LEAST_SHARE * self.ambient)
        return level[:, None] * np.asarray(self.tint, np.float32)


def to_linear(colors: np.ndarray) -> np.ndarray:
    """Return linear light f4 of u1 colours, by a power law."""
    return _LINEAR[colors]


def to_display(light: np.ndarray) -> np.ndarray:
    """Return colours f4 0..255 of linear light 0..1, not rounded."""
    return (255 * np.clip(light, 0, 1) ** (1 / GAMMA)).astype(np.float32)


def bent(light: np.ndarray) -> np.ndarray:
    """Return linear light as cameras show it: what is bright is softly bent below white."""
    over = np.maximum(light - SHOULDER, 0) / (1 - SHOULDER)
    return np.where(over > 0, SHOULDER + (1 - SHOULDER) * np.tanh(over), light)


def estimate_light(colors: np.ndarray, normals: np.ndarray) -> Light:
    """Estimate the light on a face from its colours and slopes.

    Luminance is regressed on the normals, robustly, as brows, lips, beard and shadows are no skin. Skin's albedo is
    unknown: the light is scaled so that white faces it at the level of a well exposed photograph, as far as that makes
    the skin neither darker nor lighter than skin is.

    Args:
        colors: u1 (N, 3), RGB of the face.
        normals: f4 (N, 3), unit, there; any frame, which `Light` then keeps.

    Returns:
        The light; an average one where there are too few pixels.
    """
    if len(colors) < FEWEST:
        return Light()
    linear = to_linear(colors)
    luminance = linear @ LUMINANCE
    kept = luminance > 0.25 * np.median(luminance)
    design = np.column_stack([np.ones(len(normals), np.float32), normals])[kept]
    coefficients = _robust_fit(design, luminance[kept])
    facing = coefficients[0] + float(np.linalg.norm(coefficients[1:]))
    facing = max(facing, 1e-3)
    white = np.clip(WHITE_LEVEL, facing / SKIN_ALBEDO[1], facing / SKIN_ALBEDO[0])
    scale = white / facing
    ambient = max(coefficients[0] * scale, 0.15 * white)
    return Light(float(ambient), tuple((coefficients[1:] * scale).tolist()))


def image_grain(color: np.ndarray) -> float:
    """Return the standard deviation of an image's noise, 0..255, from the flattest half of its surroundings.

    Immerkaer 1996, Fast Noise Variance Estimation: a mask that takes out planes, with a median for the mean.
    """
    import cv2

    if min(color.shape[:2]) < 8:
        return 0.0
    gray = color[..., 1].astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    found = np.abs(cv2.filter2D(gray, -1, kernel)[1:-1, 1:-1])
    return float(np.median(found)) * 1.4826 / 6.0


def _robust_fit(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the coefficients of a fit by iteratively reweighted least squares (Tukey's biweight)."""
    weights = np.ones(len(values))
    ridge = 1e-3 * len(values) * np.diag([0.0, 1.0, 1.0, 1.0])
    coefficients = np.zeros(4)
    for _ in range(6):
        weighted = design * weights[:, None]
        coefficients = np.linalg.solve(weighted.T @ design + ridge + 1e-9 * np.eye(4), weighted.T @ values)
        residuals = values - design @ coefficients
        scale = max(1.4826 * float(np.median(np.abs(residuals))), 1e-4)
        weights = np.maximum(1 - (residuals / (4 * scale)) ** 2, 0) ** 2
    return coefficients


_LINEAR = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)
