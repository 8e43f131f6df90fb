"""Stage `normals`: the surface normal at every point, and its curvature on request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Reject
from face3d_data.geometry.camera import viewpoint_of
from face3d_data.geometry.normals import normals_and_curvature
from face3d_data.geometry.sampling import distinct
from face3d_data.registry import register
from face3d_data.sample import Sample
from face3d_data.stage import Inputs, Names, Stage


@register
class Normals(Stage):
    """Estimate unit normals that point to the camera, and optionally curvature."""

    name: ClassVar[str] = "normals"
    version: ClassVar[int] = 2
    inputs: ClassVar[Inputs] = ("points",)
    optional: ClassVar[Names] = ("pose",)
    outputs: ClassVar[Names] = ("normals", "curvature")
    reasons: ClassVar[dict[str, str]] = {
        "too_few_points": "at least three points are needed for a normal",
        "non_finite_points": "a point is not finite: put clean or subsample before this step",
    }

    neighbours: int = Field(
        16, ge=3, le=256, description="number of points to fit a normal to, including the point itself"
    )
    curvature: bool = Field(False, description="also compute the surface variation of every point, as `curvature`")

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with `normals`, and `curvature` if asked."""
        points = sample.arrays["points"]
        if len(points) < 3:
            raise Reject("too_few_points", f"{len(points)} < 3")
        if not np.isfinite(points).all():
            raise Reject("non_finite_points", f"{int((~np.isfinite(points)).any(1).sum())} of {len(points)}")
        viewpoint = viewpoint_of(points, sample.arrays["pose"] if "pose" in sample.arrays else np.eye(4))
        # Copies of a point (padding) are no neighbours: a normal is fitted to distinct points.
        single, copy_of = (points, None) if distinct(points) else np.unique(points, axis=0, return_inverse=True)
        if len(single) < 3:
            raise Reject("too_few_points", f"{len(single)} distinct < 3")
        normals, variation = normals_and_curvature(single, self.neighbours, viewpoint)
        if copy_of is not None:
            normals, variation = normals[copy_of.reshape(-1)], variation[copy_of.reshape(-1)]
        arrays = {"normals": normals, "curvature": variation} if self.curvature else {"normals": normals}
        yield sample.with_arrays(**arrays)

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores: some 20,000 points at most."""
        return 250_000
