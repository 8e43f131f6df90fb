"""Operation `translation`: shift a face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.motion import MOVED, move
from face3d_data.augment.operation import ArrayNames, Operation, Record, uniform
from face3d_data.registry import register
from face3d_data.sample import MAPS, Tag


@register
class Translation(Operation):
    """Shift the face along each axis by an amount drawn evenly: what a detector or an alignment may be off."""

    name: ClassVar[str] = "translation"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = MOVED
    removes: ClassVar[ArrayNames] = MAPS
    draws: ClassVar[ArrayNames] = ("translation_x_mm", "translation_y_mm", "translation_z_mm")
    strengths: ClassVar[ArrayNames] = ("translation_mm",)

    translation_mm: float = Field(0.0, ge=0, le=1000, description="largest shift along each axis, ± this, mm")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the shift along x, y and z in mm."""
        return {name: uniform(rng, -self.translation_mm, self.translation_mm) for name in self.draws}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return points, landmarks and pose after the shift."""
        motion = np.eye(4)
        motion[:3, 3] = [float(record[name]) for name in self.draws]
        return {name: array for name, array in move(arrays, motion).items() if name != "normals"}
