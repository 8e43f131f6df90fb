"""Stages of `scaling.py`: six that set the arrays and tags that those of the pipeline `rgbd` set, of tiny clouds.

They compute next to nothing, so that a run's time is that of storing rows and of keeping account of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from face3d_data.registry import register
from face3d_data.sample import PER_POINT, Sample
from face3d_data.stage import Stage

STORED_BYTES = 2_000
"""About what a row stores: parts then have as many rows as they may."""


class TinyStage(Stage):
    """What the six have in common."""

    inputs = ("points",)

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores."""
        return STORED_BYTES


@register
class TinyDetect(TinyStage):
    """Set five landmarks, and how a face was found."""

    name = "tiny_detect"
    outputs = ("landmarks_3d",)
    tag_names = ("face_score", "faces_found")

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with its first points as landmarks."""
        landmarks = np.ascontiguousarray(sample.arrays["points"][:5])
        yield sample.with_arrays(landmarks_3d=landmarks).with_tags(face_score=1.0, faces_found=1)


@register
class TinyToCloud(TinyStage):
    """Set the points, and their distance."""

    name = "tiny_to_cloud"
    outputs = ("points",)
    tag_names = ("distance_mm",)

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with its points shifted away from the camera."""
        points = sample.arrays["points"] + np.float32(700)
        yield sample.with_arrays(points=points).with_tags(distance_mm=round(float(points[0, 2]), 1))


@register
class TinyClean(TinyStage):
    """Leave out the last points."""

    name = "tiny_clean"
    optional = PER_POINT
    outputs = ("points", *PER_POINT)

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample without its last four points."""
        yield sample.take(np.arange(len(sample.arrays["points"]) - 4))


@register
class TinyAlign(TinyStage):
    """Centre the points, with the tags of a fit."""

    name = "tiny_align"
    inputs = ("points", "landmarks_3d")
    outputs = ("points", "landmarks_3d", "pose")
    tag_names = ("rmse_mm", "inlier_share", "yaw_deg", "pitch_deg", "roll_deg")

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample round the origin."""
        points, landmarks = sample.arrays["points"], sample.arrays["landmarks_3d"]
        centre = points.mean(axis=0)
        pose = np.eye(4)
        pose[:3, 3] = -centre
        x, y, z = (round(float(value), 2) for value in centre % 30)
        aligned = sample.with_arrays(points=points - centre, landmarks_3d=landmarks - centre, pose=pose)
        yield aligned.with_tags(rmse_mm=round(x / 7, 4), inlier_share=1.0, yaw_deg=x, pitch_deg=y, roll_deg=z)


@register
class TinySubsample(TinyStage):
    """Keep every other point."""

    name = "tiny_subsample"
    optional = PER_POINT
    outputs = ("points", *PER_POINT)

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with half of its points."""
        yield sample.take(np.arange(0, len(sample.arrays["points"]), 2))


@register
class TinyNormals(TinyStage):
    """Set the directions of the points as normals."""

    name = "tiny_normals"
    outputs = ("normals",)

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with unit normals."""
        points = sample.arrays["points"]
        length = np.maximum(np.linalg.norm(points, axis=1, keepdims=True), np.float32(1e-6))
        yield sample.with_arrays(normals=points / length)
