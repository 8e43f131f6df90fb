"""Operation `color_jitter`: different lighting, and the colours of a different camera."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record, uniform
from face3d_data.registry import register
from face3d_data.sample import Tag

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in a grey value (ITU-R BT.601)."""
COLORED: ArrayNames = ("color", "grid_color", "point_colors")
FACTORS: ArrayNames = ("brightness", "contrast", "saturation")


@register
class ColorJitter(Operation):
    """Change brightness, contrast, saturation and hue, in this order, as torchvision's ColorJitter does.

    Brightness, contrast and saturation are factors, drawn evenly from 1 - strength to 1 + strength: of the colour
    itself, of its distance from the image's mean grey, and of its distance from its own grey. The colours of the points
    and of a scanner's grid change with the image.
    """

    name: ClassVar[str] = "color_jitter"
    acts_on: ClassVar[ArrayNames] = COLORED
    draws: ClassVar[ArrayNames] = (*FACTORS, "hue_deg")
    strengths: ClassVar[ArrayNames] = draws

    brightness: float = Field(
        0.0, ge=0, le=1, description="largest change of brightness: multiply colours by 1 ± up to this"
    )
    contrast: float = Field(
        0.0,
        ge=0,
        le=1,
        description="largest change of contrast: multiply distances from the mean grey by 1 ± up to this",
    )
    saturation: float = Field(
        0.0, ge=0, le=1, description="largest change of saturation: multiply distances from grey by 1 ± up to this"
    )
    hue_deg: float = Field(0.0, ge=0, le=180, description="largest shift of hue, ± this, degrees")

    def groups(self) -> tuple[ArrayNames, ...]:
        """Return what there may be to colour."""
        return tuple((name,) for name in COLORED)

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the three factors (1 = unchanged) and the shift of the hue in degrees."""
        factors = {name: uniform(rng, 1 - getattr(self, name), 1 + getattr(self, name)) for name in FACTORS}
        return {**factors, "hue_deg": uniform(rng, -self.hue_deg, self.hue_deg)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the image and the colours of the grid and the points, all with the same change."""
        brightness, contrast, saturation, hue_deg = (float(record[name]) for name in self.draws)
        names = [name for name in COLORED if name in arrays and arrays[name].size]
        if not names or (brightness == contrast == saturation == 1 and hue_deg == 0):
            return {}
        # All are views of one scene, so that one mean serves: the image's, where there is one.
        mean = np.clip(arrays[names[0]] * np.float32(brightness), 0, 255) @ LUMA
        pivot = float(mean.mean(dtype=np.float64))
        return {name: recolored(arrays[name], brightness, contrast, saturation, hue_deg, pivot) for name in names}


def recolored(
    colors: np.ndarray, brightness: float, contrast: float, saturation: float, hue_deg: float, pivot: float
) -> np.ndarray:
    """Return colours after the four changes, each clipped to 0..255 before the next.

    Args:
        colors: u1 (..., 3), RGB.
        brightness: factor of the colour.
        contrast: factor of the distance from `pivot`, a grey value.
        saturation: factor of the distance from the colour's own grey.
        hue_deg: shift of the hue, degrees.
        pivot: the mean grey after the change of brightness.

    Returns:
        u1 (..., 3).
    """
    changed = colors.astype(np.float32)
    if brightness != 1:
        changed = np.clip(changed * np.float32(brightness), 0, 255)
    if contrast != 1:
        changed = np.clip(np.float32(pivot) + (changed - np.float32(pivot)) * np.float32(contrast), 0, 255)
    if saturation != 1:
        grey = (changed @ LUMA)[..., None]
        changed = np.clip(grey + (changed - grey) * np.float32(saturation), 0, 255)
    if hue_deg != 0:
        changed = turned_hue(changed, hue_deg)
    return np.rint(changed).astype(np.uint8)


def turned_hue(colors: np.ndarray, hue_deg: float) -> np.ndarray:
    """Return float32 colours (..., 3) in 0..255 with their hue turned; lightest and darkest component stay."""
    import cv2

    hsv = cv2.cvtColor(colors.reshape(-1, 1, 3), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + np.float32(hue_deg)) % np.float32(360)
    return np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, 255).reshape(colors.shape)
