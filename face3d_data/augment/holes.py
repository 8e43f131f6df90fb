"""Operation `holes`: whole patches of points are removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record, draw_seed, take_rows, uniform
from face3d_data.registry import register
from face3d_data.sample import MAPS, PER_POINT, Tag


@register
class Holes(Operation):
    """Cut round holes: every point within a radius of some points of the face is removed.

    Their number is drawn evenly from 0 to `holes`, and one radius for all from half of `hole_radius_mm` to the whole. A
    ball round a point of a face cuts about what a disc on its surface would.
    """

    name: ClassVar[str] = "holes"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = ("points", *PER_POINT)
    removes: ClassVar[ArrayNames] = MAPS
    draws: ClassVar[ArrayNames] = ("holes", "hole_radius_mm", "holes_seed")
    strengths: ClassVar[ArrayNames] = ("holes",)

    holes: int = Field(0, ge=0, le=100, description="maximum number of round holes to cut")
    hole_radius_mm: float = Field(
        12.0, gt=0, le=200, description="largest radius of a hole, mm; the least is half of it"
    )

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the number of holes, their radius in mm, and the seed that says where."""
        return {
            "holes": int(rng.integers(self.holes + 1)),
            "hole_radius_mm": uniform(rng, self.hole_radius_mm / 2, self.hole_radius_mm),
            "holes_seed": draw_seed(rng),
        }

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return points and per-point arrays without those in a hole."""
        points = arrays["points"]
        finite = np.flatnonzero(np.isfinite(points).all(axis=1))
        rng = np.random.default_rng(int(record["holes_seed"]))
        if not len(finite) or record["holes"] == 0:
            return {}
        kept = np.ones(len(points), bool)
        for centre in points[rng.choice(finite, int(record["holes"]))]:
            offset = points - centre
            kept &= ~(np.einsum("ij,ij->i", offset, offset) <= float(record["hole_radius_mm"]) ** 2)
        return take_rows(arrays, kept)
