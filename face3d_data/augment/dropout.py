"""Operation `dropout`: points are removed, independently of each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record, draw_seed, take_rows, uniform
from face3d_data.registry import register
from face3d_data.sample import PER_POINT, Tag


@register
class Dropout(Operation):
    """Remove points independently of each other, their expected share drawn evenly from 0 to the strength.

    As in PointNet++'s training (Qi et al., NeurIPS 2017), but the points do go, and with them the rows of every
    per-point array: `resample_points` brings a cloud back to a fixed number.
    """

    name: ClassVar[str] = "dropout"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = ("points", *PER_POINT)
    draws: ClassVar[ArrayNames] = ("dropout", "dropout_seed")
    strengths: ClassVar[ArrayNames] = ("dropout",)

    dropout: float = Field(0.0, ge=0, lt=1, description="largest share of points to remove at random")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the share of points to remove and the seed that says which."""
        return {"dropout": uniform(rng, 0, self.dropout), "dropout_seed": draw_seed(rng)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return points and per-point arrays without those that are dropped."""
        rng = np.random.default_rng(int(record["dropout_seed"]))
        kept = rng.random(len(arrays["points"])) >= float(record["dropout"])
        return {} if kept.all() else take_rows(arrays, kept)
