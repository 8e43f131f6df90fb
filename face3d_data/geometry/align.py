"""Rigid alignment: landmarks to landmarks in closed form, then points to a surface by point-to-plane ICP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.mean_face import MeanFace

ICP_STAGES = ((512, 20.0, 10), (2048, 10.0, 6))
"""Points used, farthest match in mm, most iterations: coarse first, as the landmarks are some millimetres off. A reach
below 10 mm in the end gives several optima; 10 mm ends within 0.6 mm of the fully converged pose from any start."""
ICP_STILL = np.array([3e-4] * 3 + [0.03] * 3)
"""A step with a smaller turn (rad) and shift (mm) than this ends a stage."""
ICP_RADIUS_MM = 85.0
FIT_RADIUS_MM = 70.0
INLIER_MM = 10.0
FIT_POINTS = 4096
UPPER_FACE_MM = -5.0
"""Height over the tip of the nose above which a mask does not move a face. Poses of some 140 masked synthetic captures
differed from those of the person's first capture by 8 to 11 degrees (median) by ICP of the whole face, by 2 to 4 by ICP
of this part; those of bare ones by 1.8 to 3.7 and by 1.6 to 3.4."""
MARGIN_MM = 20.0
"""Points so far below it may still come to lie on it."""


@dataclass(frozen=True)
class Fit:
    """Fit of a scan to the mean face: point-to-plane rmse of its inliers in mm, and their share."""

    rmse_mm: float
    inlier_share: float


def transform(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return points moved by a rigid motion.

    Args:
        points: (N, 3), mm.
        pose: (4, 4).

    Returns:
        (N, 3), mm, in the dtype of `points`; computed in double precision.
    """
    moved = points.astype(np.float64, copy=False) @ pose[:3, :3].T
    for axis in range(3):
        moved[:, axis] += pose[axis, 3]  # four times as fast as to add a row of three
    return moved.astype(points.dtype, copy=False)


def rotate(vectors: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return directions (N, 3) rotated by the rotation of a rigid transform (4, 4), in the dtype of `vectors`."""
    return (vectors @ pose[:3, :3].T).astype(vectors.dtype)


def rotation_of(motion: np.ndarray) -> np.ndarray:
    """Return the rotation f8 (3, 3) of a motion (4, 4) that is rigid or holds one scale."""
    return motion[:3, :3] / np.cbrt(np.linalg.det(motion[:3, :3]))


def fit_rigid(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the rotation and shift, without scale, that bring `source` nearest to `target` in least squares.

    Umeyama 1991, Least-Squares Estimation of Transformation Parameters Between Two Point Patterns, with scale 1: never
    a reflection.

    Args:
        source: (N, 3), N ≥ 3, not all on a line, mm.
        target: (N, 3), mm.

    Returns:
        f8 (4, 4).
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    centre, goal = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((target - goal).T @ (source - centre))
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = u @ np.diag([1.0, 1.0, sign]) @ vt
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = goal - rotation @ centre
    return pose


def refine(
    points: np.ndarray,
    face: MeanFace,
    pose: np.ndarray,
    stages: tuple[tuple[int, float, int], ...] = ICP_STAGES,
    lowest_mm: float = -np.inf,
) -> np.ndarray:
    """Refine a pose by point-to-plane ICP of a subsample of the points to the mean face's surface.

    Chen and Medioni 1992, Object modelling by registration of multiple range images. Larger residuals weigh less and
    less, those at the stage's reach nothing (Tukey's biweight), so that hair, glasses and masks pull little.

    Args:
        points: (N, 3), mm, frame that `pose` maps to the face frame.
        face: the surface.
        pose: (4, 4), the start, some millimetres and degrees off at most.
        stages: points used, farthest match in mm and most iterations of each stage, coarse first.
        lowest_mm: only what is higher on the mean face is fitted to, such as `UPPER_FACE_MM`.

    Returns:
        f8 (4, 4), the refined pose.
    """
    moved = points.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
    inside = (np.einsum("ij,ij->i", moved, moved) <= ICP_RADIUS_MM**2) & (moved[:, 1] > lowest_mm - MARGIN_MM)
    near = points[inside].astype(np.float64)
    for n_points, reach_mm, iterations in stages:
        some = every_nth(near, n_points)
        for _ in range(iterations):
            step = _icp_step(some @ pose[:3, :3].T + pose[:3, 3], face, reach_mm, lowest_mm)
            if step is None:
                return pose
            pose = motion_of(step) @ pose
            if (np.abs(step) < ICP_STILL).all():
                break
    return pose


def measure_fit(points: np.ndarray, face: MeanFace, nose: np.ndarray, lowest_mm: float = -np.inf) -> Fit:
    """Measure how well aligned points fit the mean face, from the points within 70 mm of the nose tip.

    Args:
        points: (N, 3), mm, face frame.
        face: the surface.
        nose: (3,), the scan's nose tip, face frame.
        lowest_mm: only points that are higher, y in the face frame, are measured.

    Returns:
        The rmse of point-to-plane distances up to 10 mm (infinite if there are none), and the share of points within
        that distance. Of more than 4,096 points, 4,096 at equal steps are measured.
    """
    offset = points - np.asarray(nose, points.dtype)
    inside = (np.einsum("ij,ij->i", offset, offset) <= FIT_RADIUS_MM**2) & (points[:, 1] > lowest_mm)
    near = every_nth(points[inside], FIT_POINTS)
    if not len(near):
        return Fit(np.inf, 0.0)
    _, index = face.tree.nearest(near)
    distance = np.einsum("ij,ij->i", near - face.points[index], face.normals[index]).astype(np.float64)
    inliers = distance[np.abs(distance) <= INLIER_MM]
    rmse = float(np.sqrt(np.mean(inliers**2))) if len(inliers) else np.inf
    return Fit(rmse, len(inliers) / len(near))


def spread(points: np.ndarray) -> float:
    """Return the root of the mean squared distance of points (N, 3) from their mean, mm."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    return float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))


def every_nth(points: np.ndarray, n_points: int) -> np.ndarray:
    """Return about `n_points` of the points, evenly from first to last (even in space where in raster order)."""
    if len(points) <= n_points:
        return points
    return points[np.linspace(0, len(points) - 1, n_points).astype(np.intp)]


def _icp_step(moved: np.ndarray, face: MeanFace, reach_mm: float, lowest_mm: float) -> np.ndarray | None:
    """Return the twist (turn, shift) that lowers the points' distances to their planes most; None without matches."""
    _, index = face.tree.nearest(moved, reach_mm)
    matched = index < len(face.points)
    if lowest_mm > -np.inf:
        matched &= face.columns[0][1, np.minimum(index, len(face.points) - 1)] > lowest_mm
    if matched.sum() < 20:
        return None
    index = index[matched]
    place, normal, goal = moved[matched].T, face.columns[1][:, index], face.columns[0][:, index]
    jacobian = np.empty((len(index), 6))
    # Coordinates apart: several times as fast as rows of three.
    jacobian[:, 3:] = normal.T
    residuals = np.zeros(len(index))
    for i in (0, 2, 1):
        residuals += (place[i] - goal[i]) * normal[i]
        jacobian[:, i] = place[i - 2] * normal[i - 1] - place[i - 1] * normal[i - 2]
    weights = np.maximum(1.0 - (residuals / reach_mm) ** 2, 0.0) ** 2
    weighted = jacobian * weights[:, None]
    # A trace of damping keeps a featureless patch (a plane may slide on itself) from being moved at random.
    system = weighted.T @ jacobian + 1e-6 * np.eye(6)
    return np.linalg.solve(system, -(weighted.T @ residuals))


def motion_of(twist: np.ndarray) -> np.ndarray:
    """Return the rigid motion f8 (4, 4) of a rotation vector (rad) and a shift, f8 (6,), by Rodrigues' formula."""
    x, y, z = twist[:3]
    angle = float(np.linalg.norm(twist[:3]))
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    motion = np.eye(4)
    if angle > 1e-12:
        motion[:3, :3] += np.sin(angle) / angle * cross + (1.0 - np.cos(angle)) / angle**2 * (cross @ cross)
    motion[:3, 3] = twist[3:]
    return motion
