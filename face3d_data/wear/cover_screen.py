"""Screen of a cloud: the camera of its images, or an assumed one for a cloud without images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from face3d_data.wear.cover_spacing import Spacing, finite, measure_spacing, nearest_point

NEAREST_MM = 10.0
MOST_PX = 1500
MARGIN_PX = 4


@dataclass(frozen=True, eq=False)
class Screen:
    """A camera at the origin of its frame, and a cloud before it.

    Attributes:
        points: f8 (N, 3), mm, in the frame of this camera.
        usable: int (M,), those of them that are finite and in front of the camera.
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
    *,
    with_noise: bool = True,
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
        with_noise: judge the cloud's noise too.
    """
    points = points - viewpoint if viewpoint.any() else points
    usable = finite(points)
    usable = usable[points[usable, 2] > NEAREST_MM]
    before = points if len(usable) == len(points) else points[usable]
    moved = to_face.copy()
    moved[:3, 3] += to_face[:3, :3] @ viewpoint
    offsets = before - np.linalg.inv(moved)[:3, 3]
    squared = np.einsum("ij,ij->i", offsets, offsets)
    middle = nearest_point(squared)
    slopes = (before[:, :2].T / before[:, 2]).T
    if intrinsics is None or shape is None:
        distance = float(np.median(before[middle, 2])) if len(middle) else 1.0
        spacing = measure_spacing(before[middle], slopes[middle] * distance, with_noise=with_noise)
        intrinsics, shape, spacing = _own_camera(slopes, slopes[middle], distance, spacing)
    else:
        spacing = measure_spacing(before[middle], slopes[middle] * intrinsics[:2], with_noise=with_noise)
    return Screen(
        points,
        usable,
        slopes * intrinsics[:2] + intrinsics[2:],
        viewpoint,
        moved,
        intrinsics,
        shape,
        spacing,
        reach_mm=float(np.sqrt(squared.max(initial=0.0)) * np.cbrt(np.linalg.det(to_face[:3, :3]))),
    )


def _own_camera(
    slopes: np.ndarray, middle: np.ndarray, distance: float, spacing: Spacing | None
) -> tuple[np.ndarray, tuple[int, int], Spacing | None]:
    if not len(slopes):
        return np.array([1.0, 1.0, 0.0, 0.0]), (1, 1), None
    apart, finer = 1.0, 1.0
    if spacing is not None:
        apart, finer = spacing.screen, 1.0 if spacing.on_grid else 2.5 if spacing.even else 2.0
    low, high = (np.array([edge(column) for column in slopes.T]) for edge in (np.min, np.max))
    focal = min(distance * finer / apart, MOST_PX / max(float((high - low).max()), 1e-9))
    centre = MARGIN_PX - low * focal
    # A point of the middle lies on a pixel's centre, and with it a whole grid.
    centre -= (middle[0] * focal + centre + 0.5) % 1 - 0.5
    width, height = np.ceil(high * focal + centre).astype(int) + MARGIN_PX
    if spacing is not None:
        spacing = replace(spacing, screen=spacing.screen * focal / distance)
    return np.array([focal, focal, *centre]), (int(height), int(width)), spacing
