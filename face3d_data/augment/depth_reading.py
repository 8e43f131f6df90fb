"""Depth readings of a worse sensor: the base of operations that change depth image and points consistently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from face3d_data.augment.operation import ArrayNames, Operation, Record
from face3d_data.augment.raster import PointsInView, Raster, image_raster, own_raster, points_in_view
from face3d_data.sample import MAPS


class DepthReading(Operation):
    """Simulate another reading of the depths, in the depth image and in the points.

    A point that is in the depth image takes its pixel's new reading, along its ray, so that the two still agree. Points
    without a depth image are projected into an image of their own angular spacing, seen from their camera (through
    `pose`), or from an assumed one in front of a scan whose camera is unknown. The number and order of the points stay
    the same, as do normals, curvature and landmarks: only the measurement gets worse.
    """

    acts_on: ClassVar[ArrayNames] = ("depth", "points")
    removes: ClassVar[ArrayNames] = MAPS
    reads: ClassVar[ArrayNames] = ("intrinsics", "pose")
    one_surface_mm: ClassVar[float] = 0.0
    """A point no farther than this from its pixel's old reading is that reading; others are read by themselves."""

    def groups(self) -> tuple[ArrayNames, ...]:
        """Return what there may be to read: a depth image or points."""
        return (("depth",), ("points",))

    def noise(self, shape: tuple[int, int], focal_px: float | None, record: Record) -> np.ndarray:
        """Return what disturbs the readings of an image, f4 (H, W); `focal_px` is None where it is not known."""
        raise NotImplementedError

    def read(self, z_mm: np.ndarray, noise: np.ndarray, record: Record) -> np.ndarray:
        """Return what is read of true depths of any shape, each by itself, mm; 0 or less: nothing."""
        raise NotImplementedError

    def read_image(self, depth: np.ndarray, noise: np.ndarray, record: Record) -> np.ndarray:
        """Return what is read of a depth image f4 (H, W), 0 = no reading."""
        return np.where(readings(depth), np.maximum(self.read(depth, noise, record), 0), depth).astype(np.float32)

    def reread(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the new readings of depth image and points, of those that are present."""
        changed = {}
        depth = arrays["depth"] if "depth" in arrays and arrays["depth"].size else None
        intrinsics = arrays.get("intrinsics")
        if depth is not None:
            noise = self.noise(depth.shape, None if intrinsics is None else float(intrinsics[0]), record)
            changed["depth"] = self.read_image(depth, noise, record)
        if "points" in arrays and len(arrays["points"]):
            seen = points_in_view(arrays["points"], arrays.get("pose", np.eye(4)))
            if depth is not None and intrinsics is not None:
                raster = image_raster(seen, intrinsics, depth.shape)
                z_mm = self._read_points(seen, raster, depth, changed["depth"], noise, record)
            else:
                raster = own_raster(seen)
                nearest = raster.nearest(seen.depths())
                noise = self.noise(raster.shape, raster.focal_px, record)
                z_mm = self._read_points(seen, raster, nearest, self.read_image(nearest, noise, record), noise, record)
            changed["points"] = seen.at_depths(arrays["points"], z_mm)
        return changed

    def _read_points(
        self,
        seen: PointsInView,
        raster: Raster,
        before: np.ndarray,
        after: np.ndarray,
        noise: np.ndarray,
        record: Record,
    ) -> np.ndarray:
        """Return the new depths f8 (N,) of points in an image that was read as `before` and is now as `after`."""
        z_mm, old = seen.depths(), before.ravel()[raster.pixel]
        of_pixel = raster.inside & readings(old) & (np.abs(z_mm - old) <= self.one_surface_mm)
        alone = self.read(z_mm, noise.ravel()[raster.pixel], record)
        return np.where(of_pixel, after.ravel()[raster.pixel], alone)


def readings(depth: np.ndarray) -> np.ndarray:
    """Return where there is a reading at all, bool of any shape."""
    return np.isfinite(depth) & (depth > 0)
