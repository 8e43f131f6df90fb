"""Pinhole camera: depth to points, points to pixels. Camera frame: x right, y down, z forward, mm.

Pixel centres are at whole numbers: pixel (u, v) of a pinhole looks along ((u - cx) / fx, (v - cy) / fy, 1), so the rays
of its image are separable: one vector for its columns, one for its rows. Through a lens with distortion it looks along
the undistorted place (`geometry/lens`).
"""

from __future__ import annotations

import functools

import numpy as np

from face3d_data.geometry.lens import distort, reach, undistort

FAR_MM = 100_000.0

EDGE_SAMPLES = 65
"""Places along each edge of a box whose image is sought through a lens."""

Region = tuple[int, int, int, int]


def slopes(pixels: np.ndarray, intrinsics: np.ndarray, distortion: np.ndarray | None = None) -> np.ndarray:
    """Return where the rays of pixels meet the plane z = 1.

    Args:
        pixels: float (N, 2), u to the right and v down, px.
        intrinsics: (4,) fx, fy, cx, cy in px.
        distortion: (13,) as `geometry/lens` says; None for a pinhole.

    Returns:
        f8 (N, 2); NaN where the lens shows nothing.
    """
    camera = np.asarray(intrinsics, np.float64)
    shown = (np.asarray(pixels, np.float64) - camera[2:]) / camera[:2]
    return shown if distortion is None else undistort(shown, distortion)


def unproject(
    pixels: np.ndarray, z_mm: np.ndarray, intrinsics: np.ndarray, distortion: np.ndarray | None = None
) -> np.ndarray:
    """Return the points at these pixels and depths.

    Args:
        pixels: float (N, 2), u to the right and v down, px.
        z_mm: (N,), mm along the optical axis.
        intrinsics: (4,) fx, fy, cx, cy in px.
        distortion: (13,) of the lens; None for a pinhole.

    Returns:
        f8 (N, 3), mm, camera frame; NaN where the lens shows nothing.
    """
    z = np.asarray(z_mm, np.float64)
    return np.concatenate([slopes(pixels, intrinsics, distortion) * z[:, None], z[:, None]], axis=1)


def project(points: np.ndarray, intrinsics: np.ndarray, distortion: np.ndarray | None = None) -> np.ndarray:
    """Return the pixels at which points are seen.

    Args:
        points: (N, 3), mm, camera frame, z > 0.
        intrinsics: (4,) fx, fy, cx, cy in px.
        distortion: (13,) of the lens; None for a pinhole.

    Returns:
        f8 (N, 2), u to the right and v down, px; NaN beyond the lens's reach.
    """
    camera = np.asarray(intrinsics, np.float64)
    points = np.asarray(points, np.float64)
    places = points[:, :2] / points[:, 2:]
    if distortion is not None:
        beyond = ~(np.hypot(places[:, 0], places[:, 1]) < reach(distortion))
        places = np.where(beyond[:, None], np.nan, distort(places, distortion))
    return places * camera[:2] + camera[2:]


def depth_to_points(
    depth: np.ndarray, intrinsics: np.ndarray, region: Region | None = None, distortion: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the readings of a depth image into points; pixels without a reading (0) give none.

    Args:
        depth: f4 (H, W), mm along the optical axis, 0 = no reading.
        intrinsics: (4,) fx, fy, cx, cy in px.
        region: x0, y0, x1, y1 (end exclusive): only these pixels; None: all.
        distortion: (13,) of the lens; None for a pinhole. Pixels in which the lens shows nothing give no point.

    Returns:
        f4 (N, 3) points in mm, row by row, and int (N,) their flat indices into `depth`.
    """
    height, width = depth.shape
    x0, y0, x1, y1 = region or (0, 0, width, height)
    window = depth[y0:y1, x0:x1]
    readable = np.isfinite(window) & (window > 0)
    if distortion is not None:
        rays = _rays(np.asarray(intrinsics, np.float64).tobytes(), distortion.tobytes(), depth.shape)[:, y0:y1, x0:x1]
        readable &= np.isfinite(rays[0])
    v, u = np.nonzero(readable)
    z = window[v, u]
    points = np.empty((len(z), 3), np.float32)
    if distortion is not None:
        np.multiply(rays[0][v, u], z, out=points[:, 0])
        np.multiply(rays[1][v, u], z, out=points[:, 1])
    else:
        fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
        np.multiply(((np.arange(x0, x1) - cx) / fx).astype(np.float32)[u], z, out=points[:, 0])
        np.multiply(((np.arange(y0, y1) - cy) / fy).astype(np.float32)[v], z, out=points[:, 1])
    points[:, 2] = z
    return points, (v + y0) * width + (u + x0)


@functools.lru_cache(maxsize=4)
def _rays(intrinsics: bytes, distortion: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Return f4 (2, H, W), where each pixel's ray meets the plane z = 1: 0.4 s a camera, so captures share it."""
    height, width = shape
    v, u = np.divmod(np.arange(height * width), width)
    rays = slopes(np.stack([u, v], axis=1), np.frombuffer(intrinsics), np.frombuffer(distortion))
    rays = np.ascontiguousarray(rays.T, np.float32).reshape(2, height, width)
    rays.flags.writeable = False
    return rays


def sphere_region(
    centre: np.ndarray,
    radius_mm: float,
    intrinsics: np.ndarray,
    shape: tuple[int, int],
    distortion: np.ndarray | None = None,
) -> Region:
    """Return the pixels among which a sphere is seen whole: the smallest box is not sought, only a safe one.

    Args:
        centre: (3,), mm, camera frame.
        radius_mm: radius of the sphere, mm.
        intrinsics: (4,) fx, fy, cx, cy in px.
        shape: height and width of the image.
        distortion: (13,) of the lens; None for a pinhole.

    Returns:
        x0, y0, x1, y1 in px, end exclusive, inside the image; the whole image where the camera is in the sphere, or
        the lens does not show all of it.
    """
    height, width = shape
    near = float(centre[2]) - radius_mm
    if near <= 0:
        return 0, 0, width, height
    corners = [
        [centre[0] + dx, centre[1] + dy, z]
        for dx in (-radius_mm, radius_mm)
        for dy in (-radius_mm, radius_mm)
        for z in (near, float(centre[2]) + radius_mm)
    ]
    seen = np.array(corners) if distortion is None else _edges(np.array(corners))
    pixels = project(seen, intrinsics, distortion)
    if not np.isfinite(pixels).all():
        return 0, 0, width, height
    x0, y0 = np.floor(pixels.min(0)).astype(int)
    x1, y1 = np.ceil(pixels.max(0)).astype(int) + 1
    x0, x1 = np.clip([x0, x1], 0, width)
    y0, y1 = np.clip([y0, y1], 0, height)
    return int(x0), int(y0), int(x1), int(y1)


def _edges(corners: np.ndarray) -> np.ndarray:
    """Return places (N, 3) on the plane z = 1 around the box that corners are seen in, and a little more.

    A lens maps the plane without folds, so that the image of the box is within the image of its edge.
    """
    places = corners[:, :2] / corners[:, 2:]
    low, high = places.min(axis=0), places.max(axis=0)
    slack = (high - low) / EDGE_SAMPLES
    along = np.linspace(low - slack, high + slack, EDGE_SAMPLES)
    sides = [(along[:, 0], np.full(EDGE_SAMPLES, y)) for y in along[[0, -1], 1]]
    sides += [(np.full(EDGE_SAMPLES, x), along[:, 1]) for x in along[[0, -1], 0]]
    edge = np.concatenate([np.stack(side, axis=1) for side in sides])
    return np.concatenate([edge, np.ones((len(edge), 1))], axis=1)


def viewpoint_of(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return where points are checked from: the camera, or far away before them.

    A scanner's grid may begin at a depth of 0 or below; its camera is then not at the origin of its frame, and all that
    is known is that it looks along z.

    Args:
        points: (N, 3), mm, finite.
        pose: (4, 4), camera frame to the frame of the points.

    Returns:
        (3,) float64, mm, in the frame of the points.
    """
    inverse = np.linalg.inv(pose)
    seen = points @ inverse[:3, :3].T + inverse[:3, 3]
    if len(seen) and seen[:, 2].min() <= max(np.ptp(column) for column in seen.T) / 2:
        return pose[:3, :3] @ (seen.mean(axis=0) - [0.0, 0.0, FAR_MM]) + pose[:3, 3]
    return pose[:3, 3]
