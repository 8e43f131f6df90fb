"""Light on a face, estimated from its own pixels: how bright white cloth would be there, for every slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GAMMA = 2.2
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
SKIN_ALBEDO = (0.05, 0.6)
"""Luminance of human skin in linear light, darkest to lightest."""
WHITE_LEVEL = 1.05
"""Linear value of an ideal white surface that faces the light, in a well exposed photograph, before it is bent."""
FEWEST = 50
AMBIENT_SHARES = (0.2, 1.0)
"""Share of the light on what faces the lamp that comes from everywhere: a lamp alone is never all there is."""
DARK_SHARE = 0.25
"""Pixels darker than this share of the median are brows, nostrils and hair."""
SHOULDER = 0.75
UNCLIPPED = (12, 243)
NORMAL_QUARTILE = 0.31864
"""First quartile of the absolute value of a standard normal variable."""


@dataclass(frozen=True)
class Light:
    """A lamp and light from everywhere, times exposure.

    Attributes:
        ambient: linear value that an ideal white surface shows which the lamp does not reach.
        lamp: how much more it shows when it faces the lamp.
        toward: f8 (3,), unit, from the face to the lamp; in the frame of the normals.
    """

    ambient: float = 0.4
    lamp: float = 0.5
    toward: tuple[float, float, float] = (0.0, -0.5, -0.866)

    def on(
        self, normals: np.ndarray, lamp_share: np.ndarray | float = 1.0, openness: np.ndarray | float = 1.0
    ) -> np.ndarray:
        """Return the linear value f4 (N,) that an ideal white surface shows.

        Args:
            normals: f4 (N, 3), unit.
            lamp_share: (N,), how much of the lamp reaches it past what is between.
            openness: (N,), how much of the light from everywhere does.
        """
        facing = np.maximum(normals @ np.asarray(self.toward, np.float32), 0)
        return np.float32(self.ambient) * openness + np.float32(self.lamp) * facing * lamp_share


def to_linear(colors: np.ndarray) -> np.ndarray:
    """Return linear light f4 of u1 colours, by a power law."""
    return _LINEAR[colors]


def to_display(light: np.ndarray) -> np.ndarray:
    """Return colours f4 0..255 of linear light 0..1, not rounded."""
    return (255 * np.clip(light, 0, 1) ** (1 / GAMMA)).astype(np.float32)


def bent(light: np.ndarray) -> np.ndarray:
    """Return linear light as cameras show it: what is bright is softly bent below white."""
    shown = np.array(light)
    bright = shown > SHOULDER
    over = np.maximum(shown[bright] - SHOULDER, 0) / (1 - SHOULDER)
    shown[bright] = SHOULDER + (1 - SHOULDER) * np.tanh(over)
    return shown


def estimate_light(colors: np.ndarray, normals: np.ndarray, up: np.ndarray) -> Light:
    """Estimate the light on a face from its colours and slopes.

    Luminance is regressed on the normals, robustly, as brows, lips, beard and shadows are no skin: first linearly, to
    first order in spherical harmonics (Basri and Jacobs 2003, PAMI 25(2)), which gives the lamp's direction, then on
    the cosine to it. Skin's albedo is unknown: the light is scaled so that white that faces it is as bright as in a
    well exposed photograph, as far as that makes the skin neither darker nor lighter than skin is.

    Args:
        colors: u1 (N, 3), RGB of the face.
        normals: f4 (N, 3), unit, there; any frame, which `Light` then keeps.
        up: (3,), unit, the face's upward direction there. Lamps are not sought below: hair shades foreheads.

    Returns:
        The light; an average one where there are too few pixels.
    """
    luminance = to_linear(colors) @ LUMINANCE
    kept = luminance > DARK_SHARE * np.median(luminance) if len(luminance) else np.zeros(0, bool)
    if np.count_nonzero(kept) < FEWEST:
        return Light()
    luminance, normals = luminance[kept], normals[kept]
    slope = _robust_fit(np.column_stack([np.ones(len(normals)), normals]), luminance)[1:]
    slope = slope - min(float(slope @ up), 0.0) * up
    if not np.linalg.norm(slope) > 0:
        return Light()
    toward = slope / np.linalg.norm(slope)
    cosines = np.maximum(normals @ toward, 0)
    ambient, lamp = _robust_fit(np.column_stack([np.ones(len(normals)), cosines]), luminance)
    facing = max(ambient + lamp, 1e-4)
    ambient = np.clip(ambient / facing, *AMBIENT_SHARES) * facing
    white = np.clip(WHITE_LEVEL, facing / SKIN_ALBEDO[1], facing / SKIN_ALBEDO[0])
    scale = white / facing
    return Light(float(ambient * scale), float((facing - ambient) * scale), tuple(toward.tolist()))


def image_grain(color: np.ndarray) -> float:
    """Return the standard deviation of an image's noise, 0..255; 0 where it is too small or clipped to tell.

    Immerkaer 1996, Fast Noise Variance Estimation: a mask that takes out planes; the first quartile for the mean, as
    hair and brows are no noise.
    """
    import cv2

    if min(color.shape[:2]) < 8:
        return 0.0
    gray = color[..., 1].astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    found = np.abs(cv2.filter2D(gray, -1, kernel)[1:-1, 1:-1])
    middle = gray[1:-1, 1:-1]
    found = found[(middle > UNCLIPPED[0]) & (middle < UNCLIPPED[1])]
    return float(np.quantile(found, 0.25)) / NORMAL_QUARTILE / 6.0 if len(found) else 0.0


def _robust_fit(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the coefficients (K,) of a fit by iteratively reweighted least squares (Tukey's biweight)."""
    weights = np.ones(len(values))
    coefficients = np.zeros(design.shape[1])
    # A little ridge: a flat face has one normal.
    ridge = 1e-3 * len(values) * np.diag([1e-6] + [1.0] * (design.shape[1] - 1))
    for _ in range(6):
        weighted = design * weights[:, None]
        coefficients = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ values)
        residuals = values - design @ coefficients
        scale = max(1.4826 * float(np.median(np.abs(residuals))), 1e-4)
        weights = np.maximum(1 - (residuals / (4 * scale)) ** 2, 0) ** 2
    return coefficients


_LINEAR = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)
