"""Operation `low_quality`: the coarse depth map of a cheap sensor, as in studies of low-quality 3D faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.depth_reading import DepthReading, readings
from face3d_data.augment.operation import ArrayNames, Record, draw_seed
from face3d_data.registry import register
from face3d_data.sample import Tag

WINDOW_PX = 3


@register
class LowQuality(DepthReading):
    """Add normal noise to every reading, then let the nearest of each 3 x 3 readings win.

    The recipe by which studies of low-quality 3D faces make such data of FRGC and Bosphorus scans: N(0, 4²) mm and a
    3 x 3 maximum filter of z. There z points to the viewer, so that the largest z is the nearest: the smallest depth.
    Pixels without a reading do not count, and get one where they touch a reading. Faces come nearer by 1.5 σ.
    """

    name: ClassVar[str] = "low_quality"
    draws: ClassVar[ArrayNames] = ("low_quality_mm", "low_quality_seed")
    strengths: ClassVar[ArrayNames] = ("low_quality_mm",)
    one_surface_mm: ClassVar[float] = 10.0

    low_quality_mm: float = Field(
        0.0, ge=0, le=100, description="σ of noise on depth before a 3 x 3 filter, mm; 4 in studies of cheap sensors"
    )

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return σ in mm and the seed of the noise."""
        return {"low_quality_mm": self.low_quality_mm, "low_quality_seed": draw_seed(rng)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return depth image and points, noisy and filtered."""
        return self.reread(arrays, record) if record["low_quality_mm"] else {}

    def noise(self, shape: tuple[int, int], focal_px: float | None, record: Record) -> np.ndarray:
        """Return independent normal noise f4 (H, W), mm."""
        rng = np.random.default_rng(int(record["low_quality_seed"]))
        return np.float32(record["low_quality_mm"]) * rng.standard_normal(shape, np.float32)

    def read(self, z_mm: np.ndarray, noise: np.ndarray, record: Record) -> np.ndarray:
        """Return depths with noise."""
        return z_mm + noise

    def read_image(self, depth: np.ndarray, noise: np.ndarray, record: Record) -> np.ndarray:
        """Return the nearest of the noisy readings in each window; a reading at or behind the camera is dropped."""
        noisy = depth + noise
        usable = readings(depth) & (noisy > 0)
        from scipy.ndimage import minimum_filter  # half a second that only this operation needs

        nearest = minimum_filter(np.where(usable, noisy, np.inf), size=WINDOW_PX, mode="nearest")
        return np.where(np.isfinite(nearest), nearest, 0).astype(np.float32)
