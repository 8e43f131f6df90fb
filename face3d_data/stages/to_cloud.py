"""Stage `to_cloud`: a depth image, or a scanner's range image, becomes the points of one face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Reject
from face3d_data.geometry.camera import depth_to_points, sphere_region
from face3d_data.geometry.landmarks import NOSE, lift_landmarks
from face3d_data.registry import register
from face3d_data.sample import PER_POINT, Sample
from face3d_data.stage import Inputs, Names, Stage

EYES_MM = (25.0, 120.0)
"""Distance of the eyes: adults' pupils are 54 to 74 mm apart, children's less, and a landmark may be a little off."""


@register
class ToCloud(Stage):
    """Turn depth and intrinsics, or a scanner's grid, into the points of the face in mm."""

    name: ClassVar[str] = "to_cloud"
    version: ClassVar[int] = 1
    inputs: ClassVar[Inputs] = (("depth", "intrinsics", "landmarks"), ("grid", "landmarks_3d"))
    optional: ClassVar[Names] = ("color", "grid_color", "pose")
    outputs: ClassVar[Names] = ("points", "landmarks_3d", "pose", "point_colors")
    drops: ClassVar[Names] = PER_POINT
    reasons: ClassVar[dict[str, str]] = {
        "no_depth_at_landmark": "a landmark has no depth reading near it, so the face cannot be placed",
        "too_few_points": "fewer points than min_points lie round the nose tip",
        "implausible_size": "the eyes lie too close together or too far apart for a face: a wrong unit, or intrinsics",
        "points_already": "a scanner's grid that has been made into points before",
    }

    crop_radius_mm: float = Field(90.0, gt=0, description="points kept round the nose tip, mm")
    min_points: int = Field(500, ge=1, description="reject a face with fewer points than this")
    keep_colors: bool = Field(False, description="give every point the colour of its pixel")

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with `points`, `landmarks_3d` and their `pose`."""
        from_depth = all(name in sample.arrays for name in self.inputs[0])
        points, landmarks_3d, colors = self._from_depth(sample) if from_depth else self._from_grid(sample)
        # A depth image is in its own camera's frame, a grid in that of the scan, to which a crop's pose leads.
        pose = np.eye(4) if from_depth or "pose" not in sample.arrays else sample.arrays["pose"]
        eyes_mm = float(np.linalg.norm(landmarks_3d[0] - landmarks_3d[1]))
        if not EYES_MM[0] <= eyes_mm <= EYES_MM[1] and np.isfinite(eyes_mm):
            raise Reject("implausible_size", f"eyes {eyes_mm:.2g} mm apart: check the depth's unit and the intrinsics")
        offset = points - landmarks_3d[NOSE]
        near = np.einsum("ij,ij->i", offset, offset) <= np.float32(self.crop_radius_mm**2)
        if (found := int(near.sum())) < self.min_points:
            raise Reject("too_few_points", f"{found} < {self.min_points}")
        arrays = {"points": points[near], "landmarks_3d": landmarks_3d, "pose": pose}
        if colors is not None:
            arrays["point_colors"] = colors[near]
        yield sample.without(*PER_POINT).with_arrays(**arrays)

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores: some 20,000 points."""
        return 320_000 if self.keep_colors else 250_000

    def _from_depth(self, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        depth, intrinsics = sample.arrays["depth"], sample.arrays["intrinsics"]
        landmarks_3d = lift_landmarks(depth, intrinsics, sample.arrays["landmarks"])
        if landmarks_3d is None:
            raise Reject("no_depth_at_landmark", "no reading of the face's depth within reach of a landmark")
        region = sphere_region(landmarks_3d[NOSE], self.crop_radius_mm, intrinsics, depth.shape)
        points, pixels = depth_to_points(depth, intrinsics, region)
        return points, landmarks_3d, self._colors(sample, "color", pixels, depth.shape)

    def _from_grid(self, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        grid, landmarks_3d = sample.arrays["grid"], sample.arrays["landmarks_3d"]
        if "points" in sample.arrays:
            raise Reject("points_already", "its landmarks may have moved with them: put to_cloud before align_3d")
        if not np.isfinite(landmarks_3d[NOSE]).all():
            raise Reject("no_depth_at_landmark", "the nose tip is missing")
        flat = grid.reshape(-1, 3)
        pixels = np.flatnonzero(np.isfinite(flat).all(1))
        return flat[pixels], landmarks_3d, self._colors(sample, "grid_color", pixels, grid.shape[:2])

    def _colors(self, sample: Sample, name: str, pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
        if not self.keep_colors or name not in sample.arrays:
            return None
        image = sample.arrays[name]
        return image.reshape(-1, 3)[pixels] if image.shape[:2] == shape else None
