"""The camera in which a cloud is looked at: the images' own, or one made up for a cloud without images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from face3d_data.geometry.camera import project
from face3d_data.geometry.cover_spacing import Spacing, measure_spacing, middle_points

NEAREST_MM = 10.0
MOST_PX = 1500
MARGIN_PX = 4


@dataclass(frozen=True, eq=False)
class Screen:
    """A camera at the origin of its frame, and a cloud before it.

    Attributes:
        points: f8 (N, 3), mm, in the frame of this camera.
        usable: int (M,), those of them that are finite and before the camera.
        places: f8 (M, 2), px, where these are seen.
        offset: f8 (3,), what leads from this camera's frame to the view's.
        to_face: f8 (4, 4), this camera's frame to the face frame.
        intrinsics: f8 (4,).
        shape: height and width.
        spacing: of the cloud; None where it has too few points to tell.
        reach_mm: distance of the cloud's farthest point from the origin of the face frame: it was cropped there.
    """

    points: np.ndarray
    usable: np.ndarray
    places: np.ndarray
    offset: np.ndarray
    to_face: np.ndarray
    intrinsics: np.ndarray
    shape: tuple[int, int]
    spacing: Spacing | None
    reach_mm: float


def make_screen(
    points: np.ndarray,
    viewpoint: np.ndarray,
    to_face: np.ndarray,
    intrinsics: np.ndarray | None,
    shape: tuple[int, int] | None,
) -> Screen:
    """Return the camera in which a cloud is looked at.

    Without images its pixels are as wide as the points are apart, where these form a grid, so that every pixel has a
    point; else half of that and less.

    Args:
        points: f8 (N, 3), mm, camera frame; may hold NaN.
        viewpoint: f8 (3,), where they are seen from, camera frame.
        to_face: f8 (4, 4), camera frame to face frame.
        intrinsics: (4,) of the images, None without.
        shape: height and width of the images.
    """
    points = points - viewpoint
    usable = np.flatnonzero(np.isfinite(points).all(axis=1) & (points[:, 2] > NEAREST_MM))
    moved = to_face.copy()
    moved[:3, 3] += to_face[:3, :3] @ viewpoint
    origin = np.linalg.inv(moved)[:3, 3]
    middle = usable[middle_points(points[usable], origin)]
    offsets = points[usable] - origin
    scale = np.cbrt(np.linalg.det(to_face[:3, :3]))
    reach = float(np.sqrt(np.einsum("ij,ij->i", offsets, offsets).max(initial=0.0)) * scale)
    if intrinsics is None or shape is None:
        distance = float(np.median(points[middle, 2])) if len(middle) else 1.0
        spacing = measure_spacing(points[middle], project(points[middle], np.array([distance, distance, 0.0, 0.0])))
        intrinsics, shape, spacing = _own_camera(points[usable], points[middle], distance, spacing)
    else:
        spacing = measure_spacing(points[middle], project(points[middle], intrinsics))
    places = project(points[usable], intrinsics)
    return Screen(points, usable, places, viewpoint, moved, intrinsics, shape, spacing, reach)


def _own_camera(
    points: np.ndarray, middle: np.ndarray, distance: float, spacing: Spacing | None
) -> tuple[np.ndarray, tuple[int, int], Spacing | None]:
    if spacing is None or not len(points):
        return np.array([1.0, 1.0, 0.0, 0.0]), (1, 1), None
    finer = 1.0 if spacing.on_grid else 2.5 if spacing.even else 2.0
    focal = distance * finer / spacing.screen
    low, high = np.percentile(project(points, np.array([focal, focal, 0.0, 0.0])), [0, 100], axis=0)
    focal *= min(1.0, MOST_PX / float((high - low).max() + 1e-9))
    places = project(points, np.array([focal, focal, 0.0, 0.0]))
    centre = MARGIN_PX - places.min(axis=0)
    # A point of the middle lies on a pixel's centre, and with it a whole grid.
    centre -= (project(middle[:1], np.array([focal, focal, *centre]))[0] + 0.5) % 1 - 0.5
    width, height = np.ceil(places.max(axis=0) + centre).astype(int) + MARGIN_PX
    spacing = replace(spacing, screen=spacing.screen * focal / distance)
    return np.array([focal, focal, *centre]), (int(height), int(width)), spacing
