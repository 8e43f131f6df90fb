"""Operation `resampling`: another sample of a fixed number of points from the same surface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record, draw_seed, take_rows
from face3d_data.geometry.farthest import fast_farthest
from face3d_data.geometry.thinning import poisson_points, random_points
from face3d_data.registry import register
from face3d_data.sample import PER_POINT, Tag

MOST_POINTS = 1_000_000
"""Clouds of more points than any scanner's are a slip of the pen, and would take all memory."""


@register
class Resampling(Operation):
    """Resample to a fixed number of points: copies are samplings of one surface, and share its origin.

    `fast` is farthest point sampling from a random first point, `poisson` is Poisson-disk sampling in a random order,
    `random` is a uniform draw. If a surface has fewer finite points, all are kept and some are repeated, so that the
    number stays fixed where points were dropped before.
    """

    name: ClassVar[str] = "resampling"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = ("points", *PER_POINT)
    draws: ClassVar[ArrayNames] = ("resample_points", "resample_method", "resample_seed")
    strengths: ClassVar[ArrayNames] = ("resample_points",)

    resample_points: int = Field(
        0, ge=0, le=MOST_POINTS, description="number of points to resample to; 0: keep the points as they are"
    )
    resample_method: Literal["fast", "poisson", "random"] = Field(
        "fast", description="sampling method: farthest points from a random start, Poisson-disk, or random points"
    )

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the number of points, the method, and the seed of the choice."""
        return {
            "resample_points": self.resample_points,
            "resample_method": self.resample_method,
            "resample_seed": draw_seed(rng),
        }

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the chosen points and their rows of per-point arrays."""
        points, n_points = arrays["points"], int(record["resample_points"])
        finite = np.flatnonzero(np.isfinite(points).all(axis=1))
        if n_points == 0 or not len(finite):
            return {}
        rng = np.random.default_rng(int(record["resample_seed"]))
        if len(finite) <= n_points:
            return take_rows(arrays, np.resize(rng.permutation(finite), n_points))
        return take_rows(arrays, finite[choose(points[finite], n_points, str(record["resample_method"]), rng)])


def choose(points: np.ndarray, n_points: int, method: str, rng: np.random.Generator) -> np.ndarray:
    """Return the indices (n_points,) of a drawn choice among more points than that, all finite."""
    if method == "poisson":
        return poisson_points(points, n_points, rng)
    if method == "random":
        return random_points(points, n_points, rng)
    return fast_farthest(points, n_points, start=int(rng.integers(len(points))))
