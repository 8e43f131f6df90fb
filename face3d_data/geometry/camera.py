"""The pinhole camera: depth to points, points to pixels. Camera frame: x right, y down, z forward, mm.

Pixel centres lie at whole numbers: pixel (u, v) looks along ((u - cx) / fx, (v - cy) / fy, 1), so the rays of an image
are separable: one vector for its columns, one for its rows.
"""

from __future__ import annotations

import numpy as np

FAR_MM = 100_000.0

Region = tuple[int, int, int, int]


def unproject(pixels: np.ndarray, z_mm: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Return the points at these pixels and depths.

    Args:
        pixels: float (N, 2), u to the right and v down, px.
        z_mm: (N,), mm along the optical axis.
        intrinsics: (4,) fx, fy, cx, cy in px.

    Returns:
        f8 (N, 3), mm, camera frame.
    """
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    pixels, z = np.asarray(pixels, np.float64), np.asarray(z_mm, np.float64)
    return np.stack([(pixels[:, 0] - cx) / fx * z, (pixels[:, 1] - cy) / fy * z, z], axis=1)


def project(points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Return the pixels at which points are seen.

    Args:
        points: (N, 3), mm, camera frame, z > 0.
        intrinsics: (4,) fx, fy, cx, cy in px.

    Returns:
        f8 (N, 2), u to the right and v down, px.
    """
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    points = np.asarray(points, np.float64)
    return np.stack([points[:, 0] / points[:, 2] * fx + cx, points[:, 1] / points[:, 2] * fy + cy], axis=1)


def depth_to_points(
    depth: np.ndarray, intrinsics: np.ndarray, region: Region | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the readings of a depth image into points; pixels without a reading (0) give none.

    Args:
        depth: f4 (H, W), mm along the optical axis, 0 = no reading.
        intrinsics: (4,) fx, fy, cx, cy in px.
        region: x0, y0, x1, y1 (end exclusive): only these pixels; None: all.

    Returns:
        f4 (N, 3) points in mm, row by row, and int (N,) their flat indices into `depth`.
    """
    height, width = depth.shape
    x0, y0, x1, y1 = region or (0, 0, width, height)
    window = depth[y0:y1, x0:x1]
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    columns = ((np.arange(x0, x1) - cx) / fx).astype(np.float32)
    rows = ((np.arange(y0, y1) - cy) / fy).astype(np.float32)
    v, u = np.nonzero(np.isfinite(window) & (window > 0))
    z = window[v, u]
    points = np.empty((len(z), 3), np.float32)
    np.multiply(columns[u], z, out=points[:, 0])
    np.multiply(rows[v], z, out=points[:, 1])
    points[:, 2] = z
    return points, (v + y0) * width + (u + x0)


def sphere_region(centre: np.ndarray, radius_mm: float, intrinsics: np.ndarray, shape: tuple[int, int]) -> Region:
    """Return the pixels among which a sphere is seen whole: the smallest box is not sought, only a safe one.

    Args:
        centre: (3,), mm, camera frame.
        radius_mm: radius of the sphere, mm.
        intrinsics: (4,) fx, fy, cx, cy in px.
        shape: height and width of the image.

    Returns:
        x0, y0, x1, y1 in px, end exclusive, inside the image; the whole image where the camera is in the sphere.
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
    pixels = project(np.array(corners), intrinsics)
    x0, y0 = np.floor(pixels.min(0)).astype(int)
    x1, y1 = np.ceil(pixels.max(0)).astype(int) + 1
    x0, x1 = np.clip([x0, x1], 0, width)
    y0, y1 = np.clip([y0, y1], 0, height)
    return int(x0), int(y0), int(x1), int(y1)


def viewpoint_of(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return where points are looked at from: the camera, or far away before them.

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
    if len(seen) and seen[:, 2].min() <= np.ptp(seen, axis=0).max() / 2:
        return pose[:3, :3] @ (seen.mean(axis=0) - [0.0, 0.0, FAR_MM]) + pose[:3, 3]
    return pose[:3, 3]
