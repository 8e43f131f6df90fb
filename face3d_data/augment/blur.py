"""Operation `blur`: a photograph out of focus, or blurred by movement of head or camera."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record, uniform
from face3d_data.registry import register
from face3d_data.sample import Tag

SAMPLES_PER_PX = 8


@register
class Blur(Operation):
    """Blur the image by a Gaussian, and along a straight line.

    σ is drawn evenly from 0 to `blur_px`, the length of the line from 0 to `motion_blur_px`, and its direction evenly.
    """

    name: ClassVar[str] = "blur"
    needs: ClassVar[ArrayNames] = ("color",)
    acts_on: ClassVar[ArrayNames] = ("color",)
    draws: ClassVar[ArrayNames] = ("blur_px", "motion_blur_px", "motion_blur_deg")
    strengths: ClassVar[ArrayNames] = ("blur_px", "motion_blur_px")

    blur_px: float = Field(0.0, ge=0, le=50, description="largest σ of a Gaussian blur of the image, px")
    motion_blur_px: float = Field(0.0, ge=0, le=100, description="largest length of a motion blur, px")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return σ and length in px, and the direction in degrees from the image's x towards its y."""
        return {
            "blur_px": uniform(rng, 0, self.blur_px),
            "motion_blur_px": uniform(rng, 0, self.motion_blur_px),
            "motion_blur_deg": uniform(rng, 0, 180, digits=2),
        }

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the blurred image, mirrored at its edges to have what is beyond them."""
        sigma_px, length_px = float(record["blur_px"]), float(record["motion_blur_px"])
        if (sigma_px == 0 and length_px == 0) or "color" not in arrays or not arrays["color"].size:
            return {}
        import cv2

        blurred = np.ascontiguousarray(arrays["color"])
        if sigma_px:
            blurred = cv2.GaussianBlur(blurred, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
        if length_px:
            kernel = line_kernel(length_px, float(record["motion_blur_deg"]))
            blurred = cv2.filter2D(blurred, -1, kernel, borderType=cv2.BORDER_REFLECT)
        return {"color": blurred}


def line_kernel(length_px: float, direction_deg: float) -> np.ndarray:
    """Return the weights of a blur along a line through the middle, every part of it spread over the nearest pixels.

    Args:
        length_px: length of the line, px.
        direction_deg: from x (right) towards y (down), degrees.

    Returns:
        f4 (K, K), K odd, sum 1.
    """
    n_samples = int(np.ceil(length_px * SAMPLES_PER_PX)) + 1
    along = (np.arange(n_samples) + 0.5) / n_samples * length_px - length_px / 2
    angle = np.deg2rad(direction_deg)
    reach = int(np.ceil(length_px / 2)) + 1
    x, y = along * np.cos(angle) + reach, along * np.sin(angle) + reach
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for right in (0, 1):
        for below in (0, 1):
            weight = np.abs(1 - right - (x - left)) * np.abs(1 - below - (y - top))
            np.add.at(kernel, (np.minimum(top + below, 2 * reach), np.minimum(left + right, 2 * reach)), weight)
    return (kernel / kernel.sum()).astype(np.float32)
