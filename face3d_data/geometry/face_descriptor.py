"""Descriptor of face surfaces, to find scans that may show the same surface among many.

A face in the face frame is fitted to the mean face, as heights over a grid; the residuals, its distances from the mean
face, form a map of 24 x 24 cells over the mid-face. A scan that was rotated or shifted by a few degrees and
millimetres, or resampled, keeps its map. Nothing is learnt.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.geometry.align import every_nth, motion_of
from face3d_data.geometry.mean_face import mean_face

SIDE = 24
CELL_MM = 4.0
LEFT_MM, LOW_MM = -48.0, -44.0
SPAN_MM = SIDE * CELL_MM
"""The map's square in the face frame: from cheek to cheek, and from the mouth to the brows."""
UPPER_MM = 20.0
"""Masks cover next to nothing above this height: the eyes, the brows and the root of the nose."""
UPPER = np.repeat(LOW_MM + (np.arange(SIDE) + 0.5) * CELL_MM > UPPER_MM, SIDE)
"""bool (576,): the map's cells above it."""
SMOOTH_CELLS = 1.0
"""Standard deviation of the Gaussian that spreads what a cell saw: clouds of 2,048 points are 2.7 mm apart."""
LEAST_WEIGHT = 0.1
REACH_MM = 12.0
"""What is farther from the mean face is no skin of it: hair, a hand, a mask."""
FIT_POINTS = 600
FIT_STEPS = 8
FIT_SCALE_MM = 6.0
"""Distances from the mean face that weigh a quarter in the end: with 3 mm, other samplings of a scan end elsewhere."""
STILL = np.array([5e-4] * 3 + [0.03] * 3)
"""A step with a smaller turn (rad) and shift (mm) than this ends the fit."""
LEAST_FIT_POINTS = 50
DAMPING = 1e-3 * np.eye(6)
_FINE_MM = 1.0
_FINE_LEFT_MM, _FINE_LOW_MM = -64.0, -60.0
_FINE_SHAPE = (121, 129)


def pose_on_mean_face(points: np.ndarray, lowest_mm: float = LOW_MM) -> np.ndarray:
    """Return the rigid transform that fits points to the mean face: Gauss-Newton steps on heights over the x, y plane.

    Blais and Levine 1995, Registering Multiview Range Data to Create 3D Computer Objects: a point's partner is what is
    behind it in the view, so that no search is needed. Distant pairs have low weights (Geman and McClure's).

    Args:
        points: (N, 3), mm, in the face frame to some degrees and millimetres.
        lowest_mm: only points higher than this are fitted; `UPPER_MM` for what masks leave free.

    Returns:
        f8 (4, 4); the identity if fewer than 50 points are near the mean face.
    """
    pose = np.eye(4)
    apart = (points[:, :2] - [LEFT_MM + SPAN_MM / 2, LOW_MM + SPAN_MM / 2]) / (SPAN_MM / 2)
    near = (np.abs(apart) < 1.0).all(axis=1) & (points[:, 1] > lowest_mm) & (np.abs(points[:, 2] + 30.0) < 50.0)
    some = every_nth(points[near], FIT_POINTS).astype(np.float64)
    if len(some) < LEAST_FIT_POINTS:
        return pose
    for step in range(FIT_STEPS):
        height, slopes = mean_heights(some[:, :2])
        normals = np.column_stack([-slopes, np.ones(len(some))])
        normals /= np.sqrt(np.einsum("ij,ij->i", normals, normals))[:, None]
        distance = (some[:, 2] - height) * normals[:, 2]
        scale_mm = max(REACH_MM / (1 + step), FIT_SCALE_MM)
        twist = gauss_newton(some, normals, distance, scale_mm)
        motion = motion_of(twist)
        some = some @ motion[:3, :3].T + motion[:3, 3]
        pose = motion @ pose
        if scale_mm == FIT_SCALE_MM and (np.abs(twist) < STILL).all():
            break
    return pose


def gauss_newton(points: np.ndarray, normals: np.ndarray, distance_mm: np.ndarray, scale_mm: float) -> np.ndarray:
    """Return the twist f8 (6,), turn (rad) and shift (mm), that lowers the distances to planes most.

    Args:
        points: f8 (N, 3), mm.
        normals: f8 (N, 3), of the planes.
        distance_mm: f8 (N,), signed distances from them.
        scale_mm: a distance that weighs a quarter.
    """
    weights = 1.0 / (1.0 + (distance_mm / scale_mm) ** 2) ** 2
    jacobian = np.empty((len(points), 6))
    jacobian[:, 3:] = normals
    for axis in range(3):  # np.cross takes five times as long
        one, other = (axis + 1) % 3, (axis + 2) % 3
        jacobian[:, axis] = points[:, one] * normals[:, other] - points[:, other] * normals[:, one]
    weighted = jacobian * weights[:, None]
    return np.linalg.solve(weighted.T @ jacobian + DAMPING, -(weighted.T @ distance_mm))


def relief_map(points: np.ndarray) -> np.ndarray:
    """Return how far a face stands out from the mean face: f4 (576,), mm along z, row by row upwards.

    Args:
        points: (N, 3), mm, laid on the mean face.

    Returns:
        Gaussian means over the cells, which hardly change with the sampling; NaN = nothing there.
    """
    column, row = (points[:, 0] - LEFT_MM) / CELL_MM - 0.5, (points[:, 1] - LOW_MM) / CELL_MM - 0.5
    near = (column > -1) & (column < SIDE) & (row > -1) & (row < SIDE)
    apart = points[near, 2] - mean_heights(points[near, :2])[0]
    skin = np.abs(apart) <= REACH_MM
    column, row, apart = column[near][skin], row[near][skin], apart[skin]
    left, below = np.floor(column).astype(np.intp), np.floor(row).astype(np.intp)
    right, up = column - left, row - below
    wide = SIDE + 2  # a border, so that no cell has to be tested
    corner = (below + 1) * wide + left + 1
    cells = np.concatenate([corner, corner + 1, corner + wide, corner + wide + 1])
    shares = np.concatenate([(1 - right) * (1 - up), right * (1 - up), (1 - right) * up, right * up])
    count = _spread(np.bincount(cells, shares, wide * wide))
    total = _spread(np.bincount(cells, shares * np.tile(apart, 4), wide * wide))
    seen = count >= LEAST_WEIGHT
    return np.where(seen, total / np.where(seen, count, 1.0), np.nan).astype(np.float32)


def _spread(cells: np.ndarray) -> np.ndarray:
    """Return sums over cells, a border round them, spread by the Gaussian, without the border."""
    square = cells.reshape(SIDE + 2, SIDE + 2)
    return gaussian_filter(square, SMOOTH_CELLS, mode="constant")[1:-1, 1:-1].ravel()


def mean_heights(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean face's height f8 (n,), mm, and its slopes f8 (n, 2) along x and y, at x, y (n, 2), mm."""
    height, slopes = _mean_surface()
    column = np.clip(np.rint((at[:, 0] - _FINE_LEFT_MM) / _FINE_MM), 0, _FINE_SHAPE[1] - 1).astype(np.intp)
    row = np.clip(np.rint((at[:, 1] - _FINE_LOW_MM) / _FINE_MM), 0, _FINE_SHAPE[0] - 1).astype(np.intp)
    slope = slopes[row, column]
    off_x = at[:, 0] - (_FINE_LEFT_MM + _FINE_MM * column)
    off_y = at[:, 1] - (_FINE_LOW_MM + _FINE_MM * row)
    return height[row, column] + slope[:, 0] * off_x + slope[:, 1] * off_y, slope


@cache
def _mean_surface() -> tuple[np.ndarray, np.ndarray]:
    """Return heights f8 (121, 129) of the mean face on a grid of 1 mm, and slopes f8 (121, 129, 2) along x and y."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

    points = mean_face().points.astype(np.float64)
    rows = _FINE_LOW_MM + _FINE_MM * np.arange(_FINE_SHAPE[0])
    columns = _FINE_LEFT_MM + _FINE_MM * np.arange(_FINE_SHAPE[1])
    x, y = np.meshgrid(columns, rows)
    inside = LinearNDInterpolator(points[:, :2], points[:, 2])(x, y)
    outside = NearestNDInterpolator(points[:, :2], points[:, 2])(x, y)
    height = gaussian_filter(np.where(np.isnan(inside), outside, inside), 1.0)
    along_y, along_x = np.gradient(height, _FINE_MM)
    return height, np.stack([along_x, along_y], axis=-1)
