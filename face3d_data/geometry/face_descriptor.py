"""Descriptor of face surfaces, to find scans that may show the same surface among many.

A face in the face frame is fitted to the mean face, as heights over a grid; the residuals, its distances from the mean
face, form a map of 24 x 24 cells over the mid-face. A scan that was rotated or shifted by a few degrees and
millimetres, or resampled, keeps its map. Nothing is learnt.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

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
    some = np.ascontiguousarray(every_nth(points[near], FIT_POINTS).T, np.float64)
    if some.shape[1] < LEAST_FIT_POINTS:
        return pose
    normals = np.empty_like(some)
    for step in range(FIT_STEPS):
        height, along_x, along_y = _heights(some[0], some[1])
        upright = np.divide(1.0, np.sqrt(1.0 + along_x**2 + along_y**2), out=normals[2])
        np.multiply(-along_x, upright, out=normals[0])
        np.multiply(-along_y, upright, out=normals[1])
        scale_mm = max(REACH_MM / (1 + step), FIT_SCALE_MM)
        twist = gauss_newton(some, normals, (some[2] - height) * upright, scale_mm)
        motion = motion_of(twist)
        some = motion[:3, :3] @ some + motion[:3, 3:]
        pose = motion @ pose
        if scale_mm == FIT_SCALE_MM and (np.abs(twist) < STILL).all():
            break
    return pose


def gauss_newton(points: np.ndarray, normals: np.ndarray, distance_mm: np.ndarray, scale_mm: float) -> np.ndarray:
    """Return the twist f8 (6,), turn (rad) and shift (mm), that lowers the distances to planes most.

    Coordinates come apart, which is several times as fast as rows of three.

    Args:
        points: f8 (3, N), mm.
        normals: f8 (3, N), of the planes.
        distance_mm: f8 (N,), signed distances from them.
        scale_mm: a distance that weighs a quarter.
    """
    weights = 1.0 / (1.0 + (distance_mm / scale_mm) ** 2) ** 2
    jacobian = np.empty((6, len(distance_mm)))
    jacobian[3:] = normals
    for axis in range(3):  # np.cross takes five times as long
        one, other = (axis + 1) % 3, (axis + 2) % 3
        np.multiply(points[one], normals[other], out=jacobian[axis])
        jacobian[axis] -= points[other] * normals[one]
    weighted = jacobian * weights
    return np.linalg.solve(weighted @ jacobian.T + DAMPING, -(weighted @ distance_mm))


def relief_map(points: np.ndarray) -> np.ndarray:
    """Return how far a face stands out from the mean face: f4 (576,), mm along z, row by row upwards.

    Args:
        points: (N, 3), mm, laid on the mean face.

    Returns:
        Gaussian means over the cells, which hardly change with the sampling; NaN = nothing there.
    """
    column, row = (points[:, 0] - LEFT_MM) / CELL_MM - 0.5, (points[:, 1] - LOW_MM) / CELL_MM - 0.5
    near = (column > -1) & (column < SIDE) & (row > -1) & (row < SIDE)
    x, y, z = points[near].T
    apart = z - _heights(x, y)[0]
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
    return (_spreading() @ cells.reshape(SIDE + 2, SIDE + 2) @ _spreading().T).ravel()


@cache
def _spreading() -> np.ndarray:
    """Return the Gaussian as a matrix f8 (24, 26): of a square so small, its filter takes ten times as long."""
    return gaussian_filter1d(np.eye(SIDE + 2), SMOOTH_CELLS, axis=0, mode="constant")[1:-1]


def mean_heights(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean face's height f8 (n,), mm, and its slopes f8 (n, 2) along x and y, at x, y (n, 2), mm."""
    height, along_x, along_y = _heights(at[:, 0], at[:, 1])
    return height, np.column_stack([along_x, along_y])


def _heights(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean face's height, mm, and its slopes along x and y, f8 (n,) each, at x and y (n,), mm."""
    column = np.clip(np.rint((x - _FINE_LEFT_MM) / _FINE_MM), 0, _FINE_SHAPE[1] - 1)
    row = np.clip(np.rint((y - _FINE_LOW_MM) / _FINE_MM), 0, _FINE_SHAPE[0] - 1)
    height, along_x, along_y = _mean_surface().take((row * _FINE_SHAPE[1] + column).astype(np.intp), axis=1)
    height += along_x * (x - (_FINE_LEFT_MM + _FINE_MM * column))
    height += along_y * (y - (_FINE_LOW_MM + _FINE_MM * row))
    return height, along_x, along_y


@cache
def _mean_surface() -> np.ndarray:
    """Return heights of the mean face on a grid of 1 mm, and slopes along x and y, row by row: f8 (3, 121 * 129)."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

    points = mean_face().points.astype(np.float64)
    rows = _FINE_LOW_MM + _FINE_MM * np.arange(_FINE_SHAPE[0])
    columns = _FINE_LEFT_MM + _FINE_MM * np.arange(_FINE_SHAPE[1])
    x, y = np.meshgrid(columns, rows)
    inside = LinearNDInterpolator(points[:, :2], points[:, 2])(x, y)
    outside = NearestNDInterpolator(points[:, :2], points[:, 2])(x, y)
    height = gaussian_filter(np.where(np.isnan(inside), outside, inside), 1.0)
    along_y, along_x = np.gradient(height, _FINE_MM)
    return np.stack([height.ravel(), along_x.ravel(), along_y.ravel()])
