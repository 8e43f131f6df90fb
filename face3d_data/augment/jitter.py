"""Operation `jitter`: noise on every point, the same in every direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record, draw_seed
from face3d_data.registry import register
from face3d_data.sample import MAPS, Tag

CLIP = 3.0
"""Largest shift of a coordinate, in σ: one far point would decide a cloud's size."""


@register
class Jitter(Operation):
    """Move every point by normal noise of a fixed σ on each coordinate, clipped at 3 σ.

    After PointNet's training (Qi et al., CVPR 2017), which clips too. Landmarks, normals and pose stay as they are: the
    face has not moved, its measurement has.
    """

    name: ClassVar[str] = "jitter"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = ("points",)
    removes: ClassVar[ArrayNames] = MAPS
    draws: ClassVar[ArrayNames] = ("jitter_mm", "jitter_seed")
    strengths: ClassVar[ArrayNames] = ("jitter_mm",)

    jitter_mm: float = Field(0.0, ge=0, le=100, description="σ of the noise on each coordinate of each point, mm")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return σ in mm and the seed of the noise."""
        return {"jitter_mm": self.jitter_mm, "jitter_seed": draw_seed(rng)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the noisy points."""
        if record["jitter_mm"] == 0:
            return {}
        noise = clipped_normal(int(record["jitter_seed"]), arrays["points"].shape)
        return {"points": arrays["points"] + np.float32(record["jitter_mm"]) * noise}


def clipped_normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return float32 standard normal noise of a seed, clipped at ± 3."""
    noise = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return np.clip(noise, -CLIP, CLIP, out=noise)
