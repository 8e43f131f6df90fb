"""Faces as a range scanner sees them, without noise and cut to the face: what writers of collections put into files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SEED = 20_261
FACE_RADIUS_MM = 100.0
ROWS_PER_WIDTH = 0.3
"""Rows that a face takes of the picture it is rendered in, in widths of that picture."""


@dataclass(frozen=True, eq=False)
class FaceScan:
    """One capture of a synthetic person, all arrays registered to each other; they are not to be changed in place.

    Attributes:
        grid: f4 (H, W, 3), mm, camera frame (x right, y down, z forward), NaN = nothing.
        depth: f4 (H, W), mm along the optical axis, 0 = nothing.
        color: u1 (H, W, 3), RGB.
        intrinsics: f8 (4,), fx, fy, cx, cy in px.
        landmarks: f4 (5, 2), px: left eye, right eye, nose, left and right mouth corner (left in the image).
        landmarks_3d: f4 (5, 3), mm, camera frame.
    """

    grid: np.ndarray
    depth: np.ndarray
    color: np.ndarray
    intrinsics: np.ndarray
    landmarks: np.ndarray
    landmarks_3d: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """The grid's points, f4 (N, 3), row by row."""
        return self.grid[np.isfinite(self.grid[..., 0])]

    @property
    def point_colors(self) -> np.ndarray:
        """Their colours, u1 (N, 3)."""
        return self.color[np.isfinite(self.grid[..., 0])]


@lru_cache(maxsize=256)
def face_scan(person: int = 0, capture: int = 0, rows: int = 48) -> FaceScan:
    """Return the scan of a synthetic person; capture 0 is near-frontal and neutral, others vary within 20 degrees.

    Args:
        person: number of the person, from 0.
        capture: number of the capture, from 0.
        rows: about how many rows the face takes.

    Raises:
        MissingDependency: Open3D cannot be loaded.
    """
    from face3d_data.synthetic.capture import render_capture

    width = max(32, int(rows / ROWS_PER_WIDTH))
    made = render_capture(SEED, person, capture, width=width, height=width * 3 // 4, noise=False)
    depth, (fx, fy, cx, cy) = made["depth"].astype(np.float32), made["intrinsics"]
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
    grid = np.stack([(u - cx) / fx * depth, (v - cy) / fy * depth, depth], axis=2).astype(np.float32)
    far = np.linalg.norm(grid - made["landmarks_3d"][2], axis=2) > FACE_RADIUS_MM
    grid[far | (depth <= 0)] = np.nan
    seen = np.isfinite(grid[..., 0])
    across, down = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    x0, x1, y0, y1 = across[0], across[-1] + 1, down[0], down[-1] + 1
    grid = grid[y0:y1, x0:x1]
    scan = FaceScan(
        grid=grid,
        depth=np.nan_to_num(grid[..., 2], nan=0.0),
        color=np.ascontiguousarray(made["color"][y0:y1, x0:x1]),
        intrinsics=np.array([fx, fy, cx - x0, cy - y0]),
        landmarks=(made["landmarks"] - np.array([x0, y0])).astype(np.float32),
        landmarks_3d=made["landmarks_3d"],
    )
    for array in vars(scan).values():
        array.setflags(write=False)
    return scan


def scan_mesh(scan: FaceScan, longest_mm: float = 15.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a scan as a mesh: two triangles for each square of four neighbouring points without a step between them.

    Args:
        scan: the scan.
        longest_mm: no triangle has a longer edge in depth.

    Returns:
        f4 (V, 3) vertices, mm, camera frame; i4 (T, 3) triangles, counter-clockwise as the camera sees them (so that
        normals by the right-hand rule point to it in a y-up frame); u1 (V, 3) colours.
    """
    seen = np.isfinite(scan.grid[..., 0])
    number = np.full(seen.shape, -1, np.int32)
    number[seen] = np.arange(int(seen.sum()))
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    triangles = np.concatenate([np.stack([a, c, b], 2).reshape(-1, 3), np.stack([b, c, d], 2).reshape(-1, 3)])
    triangles = triangles[(triangles >= 0).all(1)]
    z = scan.points[:, 2][triangles]
    return scan.points, triangles[np.ptp(z, axis=1) <= longest_mm], scan.point_colors
