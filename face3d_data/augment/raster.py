"""Raster of points in a camera: the pixel of each point, and its new position after another depth reading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.camera import viewpoint_of

STANDARD_MM = 700.0
"""How far before a scan whose camera is not known one is put: faces are captured at 500 to 1000 mm."""
MOST_PX = 2048
"""Side of the largest raster made for a cloud: what is beyond, far outliers, is wrapped round."""
QUERIES = 2000


@dataclass(frozen=True, eq=False)
class PointsInView:
    """Points in the frame of the camera that looks at them.

    Attributes:
        camera: f8 (4, 4), camera frame to the frame of the points.
        points: f8 (N, 3), mm, camera frame: x right, y down, z forward.
        valid: bool (N,), finite and in front of the camera.
    """

    camera: np.ndarray
    points: np.ndarray
    valid: np.ndarray

    def tangents(self) -> np.ndarray:
        """Return x / z and y / z, f8 (N, 2); 0 for points that are not valid."""
        tangents = np.zeros((len(self.points), 2))
        tangents[self.valid] = self.points[self.valid, :2] / self.points[self.valid, 2:]
        return tangents

    def depths(self) -> np.ndarray:
        """Return z, f8 (N,), mm; 0 for points that are not valid."""
        return np.where(self.valid, self.points[:, 2], 0.0)

    def at_depths(self, points: np.ndarray, z_mm: np.ndarray) -> np.ndarray:
        """Return points moved along their rays to other depths; those whose depth is as before stay bit-identical.

        Args:
            points: f4 (N, 3), as they were looked at.
            z_mm: (N,), mm; 0 or less: the point stays.

        Returns:
            f4 (N, 3), in the frame of `points`.
        """
        moving = np.flatnonzero(self.valid & (z_mm > 0) & (z_mm != self.points[:, 2]))
        chosen = self.points[moving]
        moved = chosen * (z_mm[moving] / chosen[:, 2])[:, None]
        result = points.copy()
        result[moving] = moved @ self.camera[:3, :3].T + self.camera[:3, 3]
        return result


@dataclass(frozen=True, eq=False)
class Raster:
    """Pixels in which points lie.

    Attributes:
        pixel: int (N,), flat index; a point outside has that of the image's next repetition.
        inside: bool (N,), True where the point is valid and in the image itself.
        shape: height and width, px.
        focal_px: focal length, px.
    """

    pixel: np.ndarray
    inside: np.ndarray
    shape: tuple[int, int]
    focal_px: float

    def nearest(self, z_mm: np.ndarray) -> np.ndarray:
        """Return the depth f4 (H, W) of the nearest of the points (N,) inside each pixel, 0 where there is none."""
        nearest = np.zeros(self.shape[0] * self.shape[1], np.float32)
        behind_first = np.flatnonzero(self.inside)
        behind_first = behind_first[np.argsort(-z_mm[behind_first], kind="stable")]
        nearest[self.pixel[behind_first]] = z_mm[behind_first]
        return nearest.reshape(self.shape)


def points_in_view(points: np.ndarray, pose: np.ndarray) -> PointsInView:
    """Return points as their camera sees them; before a scan whose camera is not known, one is put.

    Args:
        points: f4 (N, 3), mm; those not finite are not valid.
        pose: (4, 4), camera frame to the frame of the points.
    """
    finite = np.isfinite(points).all(axis=1)
    camera = np.asarray(pose, np.float64)
    some = points[finite].astype(np.float64)
    inverse = np.linalg.inv(camera)
    in_view = some @ inverse[:3, :3].T + inverse[:3, 3]
    if not np.array_equal(viewpoint_of(some, camera), camera[:3, 3]):
        shift = np.eye(4)
        shift[:3, 3] = *in_view[:, :2].mean(axis=0), in_view[:, 2].min() - STANDARD_MM
        camera, in_view = camera @ shift, in_view - shift[:3, 3]
    seen = np.full(points.shape, np.nan)
    seen[finite] = in_view
    return PointsInView(camera, seen, finite & (np.nan_to_num(seen[:, 2], nan=-1.0) > 0))


def image_raster(seen: PointsInView, intrinsics: np.ndarray, shape: tuple[int, int]) -> Raster:
    """Return in which pixels of an image points lie.

    Args:
        seen: the points.
        intrinsics: (4,), fx, fy, cx, cy in px.
        shape: height and width of the image, px.
    """
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    return _raster(seen, seen.tangents() * [fx, fy] + [cx, cy], shape, float(fx))


def own_raster(seen: PointsInView, pixel: float | None = None) -> Raster:
    """Return points in the pixels of an image as fine as they lie: one point a pixel where they came from an image.

    Pixels lie so that points of a regular grid are at their middles.

    Args:
        seen: the points.
        pixel: width of a pixel as a tangent, 1 / focal length; None: the median to the nearest other point.
    """
    tangents = seen.tangents()
    focal_px = 1 / (pixel or angular_spacing(tangents[seen.valid]))
    places = tangents * focal_px
    if not seen.valid.any():
        return _raster(seen, places, (1, 1), focal_px)
    phase = np.angle(np.exp(2j * np.pi * places[seen.valid]).mean(axis=0)) / (2 * np.pi)
    places = np.clip(places - phase, -1e9, 1e9)
    low, high = np.rint(places[seen.valid].min(axis=0)), np.rint(places[seen.valid].max(axis=0))
    if (high - low).max() >= MOST_PX:
        low = np.rint(np.median(places[seen.valid], axis=0)) - MOST_PX // 2
        high = low + MOST_PX - 1
    width, height = (int(side) for side in high - low + 1)
    return _raster(seen, places - low, (height, width), focal_px)


def angular_spacing(tangents: np.ndarray) -> float:
    """Return the median distance of places (N, 2) to their nearest other place; 0.001 where there are no two."""
    from scipy.spatial import cKDTree

    places = np.unique(tangents, axis=0) if len(tangents) < QUERIES else tangents
    if len(places) < 2:
        return 1e-3
    some = places[:: max(1, len(places) // QUERIES)]
    tree = cKDTree(places, leafsize=24, balanced_tree=False, compact_nodes=False)
    spacing = tree.query(some, k=2)[0][:, 1]
    return float(max(np.median(spacing), 1e-6))


def _raster(seen: PointsInView, places: np.ndarray, shape: tuple[int, int], focal_px: float) -> Raster:
    height, width = shape
    column, row = np.rint(np.clip(places, -1e9, 1e9)).astype(np.int64).T
    inside = seen.valid & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return Raster(row % height * width + column % width, inside, shape, focal_px)
