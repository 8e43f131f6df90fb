"""Operation `scale`: make a face larger or smaller, equally in every direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.motion import MOVED, about, face_centre, move
from face3d_data.augment.operation import ArrayNames, Operation, Record, uniform
from face3d_data.registry import register
from face3d_data.sample import MAPS, Tag


@register
class Scale(Operation):
    """Scale the face about its nose tip by one factor: a factor an axis would make another face of it."""

    name: ClassVar[str] = "scale"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = MOVED
    removes: ClassVar[ArrayNames] = MAPS
    draws: ClassVar[ArrayNames] = ("scale",)
    strengths: ClassVar[ArrayNames] = ("scale",)

    scale: float = Field(0.0, ge=0, le=0.5, description="largest change of size, ± this share, the same for all axes")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the factor, 1 = as it is."""
        return {"scale": uniform(rng, 1 - self.scale, 1 + self.scale)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return points, landmarks and pose after scaling; normals keep their length."""
        factor = float(record["scale"])
        return move(arrays, about(face_centre(arrays), factor * np.eye(3))) if factor != 1 else {}
