"""Stage `subsample`: reduce points to a fixed, evenly distributed number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Reject
from face3d_data.geometry.normals import normals_and_curvature
from face3d_data.geometry.sampling import DRAWING_METHODS, Method, sample_points
from face3d_data.registry import register
from face3d_data.sample import PER_POINT, Sample
from face3d_data.stage import Inputs, Names, Stage

CURVATURE_NEIGHBOURS = 16


@register
class Subsample(Stage):
    """Keep a fixed number of evenly distributed points."""

    name: ClassVar[str] = "subsample"
    version: ClassVar[int] = 1
    inputs: ClassVar[Inputs] = ("points",)
    optional: ClassVar[Names] = PER_POINT
    outputs: ClassVar[Names] = ("points", *PER_POINT)
    reasons: ClassVar[dict[str, str]] = {"too_few_points": "the scan has fewer distinct points than requested"}

    n_points: int = Field(2048, gt=0, description="number of points to keep per scan")
    method: Method = Field("fast", description="sampling method")
    pad: bool = Field(False, description="repeat points of a scan with too few, instead of rejecting it")

    @property
    def random(self) -> bool:  # type: ignore[override]
        """True only for the methods that draw, so that a new seed re-runs no other."""
        return self.method in DRAWING_METHODS

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with `n_points` points and their per-point arrays."""
        points = sample.arrays["points"]
        chosen = sample_points(points, self.n_points, self.method, rng, self._curvature(sample))
        if len(chosen) < self.n_points:
            if not self.pad or not len(chosen):
                raise Reject("too_few_points", f"{len(chosen)} < {self.n_points}")
            chosen = np.resize(chosen, self.n_points)
        yield sample.take(chosen)

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores, with normals."""
        return 32 * self.n_points

    def _curvature(self, sample: Sample) -> np.ndarray | None:
        if self.method != "curvature":
            return None
        if "curvature" in sample.arrays:
            return sample.arrays["curvature"]
        points = sample.arrays["points"]
        finite = np.isfinite(points).all(axis=1)
        curvature = np.zeros(len(points), np.float32)
        if finite.sum() >= 3:
            curvature[finite] = normals_and_curvature(points[finite], CURVATURE_NEIGHBOURS, np.zeros(3))[1]
        return curvature
