"""Stage `to_cloud`: convert a depth image, a scanner's range image or a whole scan to the points of one face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Reject
from face3d_data.geometry.camera import depth_to_points, sphere_region
from face3d_data.geometry.landmark_sets import LIFTED
from face3d_data.geometry.landmarks import NOSE, lift_from_grid, lift_landmarks, lift_many, lift_many_from_grid
from face3d_data.registry import register
from face3d_data.sample import PER_POINT, PIXELS, POSITIONS, VERTEX_VALUES, Sample
from face3d_data.stage import Inputs, Names, Stage

LocatedPoints = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]
"""Points (N, 3), landmarks (5, 3), and what belongs to each point."""
EYES_MM = (25.0, 120.0)
"""Distance of the eyes: adults' pupils are 54 to 74 mm apart, children's less, and a landmark may be a little off."""
MORE: dict[str, str] = {name: LIFTED[name] for name in PIXELS if name != "landmarks"}
"""The larger sets of landmarks in px, and in mm."""


@register
class ToCloud(Stage):
    """Convert depth and intrinsics, a scanner's grid or the points of a whole scan to the points of the face, in mm.

    Depth from a lens with distortion is undistorted point by point, exactly, without resampling. Larger sets of
    landmarks (68, dense) are lifted with the five: one without depth near it is NaN, while the five need theirs.
    """

    name: ClassVar[str] = "to_cloud"
    version: ClassVar[int] = 3
    inputs: ClassVar[Inputs] = (
        ("depth", "intrinsics", "landmarks"),
        ("grid", "landmarks_3d"),
        ("grid", "landmarks", "color"),
        ("points", "landmarks_3d"),
    )
    optional: ClassVar[Names] = ("distortion", "color", "grid_color", "pose", *MORE, *PER_POINT)
    outputs: ClassVar[Names] = ("points", *POSITIONS, "pose", *VERTEX_VALUES, *PER_POINT)
    reasons: ClassVar[dict[str, str]] = {
        "no_depth_at_landmark": "a landmark has no depth reading near it, so the face cannot be located",
        "too_few_points": "there are fewer points than min_points around the nose tip",
        "implausible_size": "the eyes are too close together or too far apart for a face: a wrong unit, or intrinsics",
        "points_already": "the scanner's grid has already been converted to points",
        "not_registered": "the landmarks belong to a photograph that is not registered to the scanner's grid",
    }

    crop_radius_mm: float = Field(90.0, gt=0, description="radius around the nose tip within which points are kept, mm")
    min_points: int = Field(500, ge=1, description="reject faces with fewer points than this")
    keep_colors: bool = Field(False, description="add the colour of its pixel to every point")

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with `points`, `landmarks_3d` and their `pose`."""
        has = frozenset(sample.arrays)
        if has.issuperset(self.inputs[0]):
            points, landmarks_3d, carried = self._from_depth(sample)
            # What else is in space is in the frame of a pose that no longer holds.
            sample = sample.without(*POSITIONS, *VERTEX_VALUES).with_arrays(**self._more_of_depth(sample))
        elif "grid" in has:
            points, landmarks_3d, carried = self._from_grid(sample)
            sample = sample.with_arrays(**self._more_of_grid(sample))
        else:
            points, landmarks_3d, carried = self._from_points(sample)
        # A depth image is in its own camera's frame; a grid and points are in that to which a pose leads.
        own_frame = has.issuperset(self.inputs[0]) or "pose" not in has
        pose = np.eye(4) if own_frame else sample.arrays["pose"]
        near = self._near(points, landmarks_3d)
        arrays = {"points": points[near], "landmarks_3d": landmarks_3d, "pose": pose}
        arrays |= {name: array[near] for name, array in carried.items()}
        yield sample.without(*PER_POINT).with_arrays(**arrays)

    def _near(self, points: np.ndarray, landmarks_3d: np.ndarray) -> np.ndarray:
        """Return which points are the face's, bool (N,), having seen that it has the size of one."""
        eyes_mm = float(np.linalg.norm(landmarks_3d[0] - landmarks_3d[1]))
        if not EYES_MM[0] <= eyes_mm <= EYES_MM[1] and np.isfinite(eyes_mm):
            raise Reject("implausible_size", f"eyes {eyes_mm:.2g} mm apart: check the depth's unit and the intrinsics")
        offset = points - landmarks_3d[NOSE]
        near = np.einsum("ij,ij->i", offset, offset) <= np.float32(self.crop_radius_mm**2)
        if (found := int(near.sum())) < self.min_points:
            raise Reject("too_few_points", f"{found} < {self.min_points}")
        return near

    def created(self) -> frozenset[str]:
        """Return what is made of any input; other per-point arrays are only carried along."""
        return frozenset({"points", "landmarks_3d", "pose", "point_colors", *MORE.values()})

    def output_bytes(self) -> int:
        """Return about how many bytes one output stores: some 20,000 points."""
        return 320_000 if self.keep_colors else 250_000

    def _from_depth(self, sample: Sample) -> LocatedPoints:
        depth, intrinsics = sample.arrays["depth"], sample.arrays["intrinsics"]
        lens = sample.arrays.get("distortion")
        landmarks_3d = lift_landmarks(depth, intrinsics, sample.arrays["landmarks"], lens)
        if landmarks_3d is None:
            raise Reject("no_depth_at_landmark", "no reading of the face's depth within reach of a landmark")
        region = sphere_region(landmarks_3d[NOSE], self.crop_radius_mm, intrinsics, depth.shape, lens)
        points, pixels = depth_to_points(depth, intrinsics, region, lens)
        return points, landmarks_3d, self._colors(sample, "color", pixels, depth.shape)

    def _more_of_depth(self, sample: Sample) -> dict[str, np.ndarray]:
        arrays = sample.arrays
        depth, intrinsics, lens = arrays["depth"], arrays["intrinsics"], arrays.get("distortion")
        found = [name for name in MORE if name in arrays]
        return {MORE[name]: lift_many(depth, intrinsics, arrays[name], lens) for name in found}

    def _more_of_grid(self, sample: Sample) -> dict[str, np.ndarray]:
        arrays = sample.arrays
        grid = arrays["grid"]
        registered = "color" in arrays and arrays["color"].shape[:2] == grid.shape[:2]
        found = [name for name in MORE if name in arrays and MORE[name] not in arrays] if registered else []
        return {MORE[name]: lift_many_from_grid(grid, arrays[name]) for name in found}

    def _from_grid(self, sample: Sample) -> LocatedPoints:
        grid = sample.arrays["grid"]
        if "points" in sample.arrays:
            raise Reject("points_already", "its landmarks may have moved with them: put to_cloud before align_3d")
        landmarks_3d = sample.arrays["landmarks_3d"] if "landmarks_3d" in sample.arrays else self._lifted(sample, grid)
        if landmarks_3d is None or not np.isfinite(landmarks_3d[NOSE]).all():
            raise Reject("no_depth_at_landmark", "the nose tip is missing")
        flat = grid.reshape(-1, 3)
        pixels = np.flatnonzero(np.isfinite(flat).all(1))
        return flat[pixels], landmarks_3d, self._colors(sample, "grid_color", pixels, grid.shape[:2])

    def _lifted(self, sample: Sample, grid: np.ndarray) -> np.ndarray | None:
        shape = sample.arrays["color"].shape[:2]
        if shape != grid.shape[:2]:
            raise Reject("not_registered", f"the photograph is {shape[1]}x{shape[0]}, the grid {grid.shape[1]}x"
                         f"{grid.shape[0]}: find the landmarks by locate_3d")  # fmt: skip
        return lift_from_grid(grid, sample.arrays["landmarks"])

    def _from_points(self, sample: Sample) -> LocatedPoints:
        points, landmarks_3d = sample.arrays["points"], sample.arrays["landmarks_3d"]
        if not np.isfinite(landmarks_3d[NOSE]).all():
            raise Reject("no_depth_at_landmark", "the nose tip is missing")
        names = [name for name in PER_POINT if name in sample.arrays and (name != "point_colors" or self.keep_colors)]
        return points, landmarks_3d, {name: sample.arrays[name] for name in names}

    def _colors(self, sample: Sample, name: str, pixels: np.ndarray, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        if not self.keep_colors or name not in sample.arrays:
            return {}
        image = sample.arrays[name]
        return {"point_colors": image.reshape(-1, 3)[pixels]} if image.shape[:2] == shape else {}
