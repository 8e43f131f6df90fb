"""Stage `clean`: remove points that are not on the surface of the face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from face3d_data.errors import Reject
from face3d_data.geometry.camera import viewpoint_of
from face3d_data.geometry.clean import (
    depth_step,
    flying_pixels,
    largest_component,
    nearest_neighbours,
    statistical_outliers,
)
from face3d_data.registry import register
from face3d_data.sample import PER_POINT, Sample
from face3d_data.stage import Inputs, Names, Stage

FLYING_SPACINGS, PIECE_SPACINGS = 2.5, 4.0
"""Least size of a gap, as a multiple of the median distance of a point to its nearest neighbour."""
FLYING_STEPS, PIECE_STEPS = 1.5, 2.5
"""Least size of a gap, as a multiple of the depth step: points of one surface are a step apart at least."""
MOST_STEP_MM = 20.0
"""Steps are taken as no larger than this, so that a flat wall in one layer far behind a face is no part of it."""


@register
class Clean(Stage):
    """Remove points out of range, flying pixels, statistical outliers and loose pieces."""

    name: ClassVar[str] = "clean"
    version: ClassVar[int] = 2
    inputs: ClassVar[Inputs] = ("points",)
    optional: ClassVar[Names] = ("pose", *PER_POINT)
    outputs: ClassVar[Names] = ("points", *PER_POINT)
    reasons: ClassVar[dict[str, str]] = {"too_few_points": "fewer points than min_points are left"}

    # No least distance by default: some scanners' grids begin at 0, and a depth camera's holes never become points.
    min_distance_mm: float | None = Field(None, ge=0, description="least depth from the camera, mm; null: no limit")
    max_distance_mm: float | None = Field(
        5000.0, gt=0, description="greatest depth from the camera, mm; null: no limit"
    )
    flying_gap_mm: float | None = Field(
        6.0,
        gt=0,
        description="remove flying pixels, points along the line of sight with gaps larger than this, "
        "mm; null: keep them",
    )
    outlier_std: float | None = Field(
        3.0,
        gt=0,
        description="remove outliers, points whose mean distance to their neighbours exceeds the average by this "
        "many standard deviations; null: keep them",
    )
    neighbours: int = Field(8, ge=3, le=64, description="number of neighbours that decide about a point")
    max_gap_mm: float | None = Field(
        8.0,
        gt=0,
        description="keep only the largest piece, where pieces are separated by gaps larger than "
        "this, mm; null: keep all pieces",
    )
    min_points: int = Field(500, ge=1, description="reject a face with fewer points left than this")

    @model_validator(mode="after")
    def _range_is_a_range(self) -> Clean:
        low, high = self.min_distance_mm, self.max_distance_mm
        if low is not None and high is not None and low >= high:
            raise ValueError("min_distance_mm must be less than max_distance_mm")
        return self

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with the points that are kept, and their per-point arrays."""
        points = sample.arrays["points"]
        pose = sample.arrays["pose"] if "pose" in sample.arrays else np.eye(4)
        depth = _depth_of(points, np.linalg.inv(pose))
        kept = np.flatnonzero(np.isfinite(points).all(1) & self._in_range(depth))
        in_range = len(kept)
        if in_range and not (self.flying_gap_mm is self.outlier_std is self.max_gap_mm is None):
            step = min(depth_step(depth[kept]), MOST_STEP_MM)
            kept = kept[self._on_surface(points[kept], viewpoint_of(points[kept], pose), step)]
        if len(kept) < self.min_points:
            far = f", {in_range} from min_distance_mm to max_distance_mm" if in_range < self.min_points else ""
            raise Reject("too_few_points", f"{len(kept)} of {len(points)} left{far}, {self.min_points} needed")
        yield sample.take(kept) if len(kept) < len(points) else sample

    def _in_range(self, depth: np.ndarray) -> np.ndarray:
        """Return which depths are allowed."""
        inside = np.ones(len(depth), bool)
        if self.min_distance_mm is not None:
            inside &= depth >= self.min_distance_mm
        if self.max_distance_mm is not None:
            inside &= depth <= self.max_distance_mm
        return inside

    def _on_surface(self, points: np.ndarray, viewpoint: np.ndarray, step: float) -> np.ndarray:
        neighbours = nearest_neighbours(points, self.neighbours)
        # Far away, with few pixels or in coarse steps, points of one surface are farther apart than gaps of a near one.
        spacing = float(np.median(neighbours.nearest)) if neighbours.k > 0 else 0.0
        kept = np.ones(len(points), bool)
        if self.flying_gap_mm is not None:
            gap_mm = max(self.flying_gap_mm, FLYING_SPACINGS * spacing, FLYING_STEPS * step)
            kept &= ~flying_pixels(points, neighbours, viewpoint, gap_mm)
        if self.outlier_std is not None:
            kept &= ~statistical_outliers(neighbours, self.outlier_std)
        if self.max_gap_mm is not None and kept.any():
            gap_mm = max(self.max_gap_mm, PIECE_SPACINGS * spacing, PIECE_STEPS * step)
            kept = largest_component(points, kept, gap_mm)
        return kept


def _depth_of(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Return the depth of points, f4 (N,), mm; `camera` maps them to the camera frame."""
    with np.errstate(invalid="ignore"):
        return np.asarray(points @ camera[2, :3].astype(np.float32) + np.float32(camera[2, 3]))
