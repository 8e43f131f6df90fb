"""Head pose: the rigid transform to the face frame from 3D landmarks, or from five pixels alone."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.align import every_nth, fit_rigid, refine, transform
from face3d_data.geometry.camera import unproject
from face3d_data.geometry.mean_face import mean_face

LANDMARK_ERROR = np.array([0.05, 0.05, 0.07, 0.11, 0.11])
"""Standard deviations of found landmarks, in eye distances: noses differ in length, and a smile moves the mouth."""
TURN_PRIOR_DEG = np.array([8.0, 35.0, 40.0])
"""Standard deviations of pitch, yaw and roll: five pixels say little about pitch."""
QUICK_STAGES = ((200, 20.0, 3), (800, 10.0, 3))
"""What is worn is fitted to the scan itself: its frame need not be as exact as the one for alignment."""
QUICK_POINTS = 2000
NEAREST_MM = 450.0
FOCAL_PER_SIDE = 1.2
"""Focal length guessed where none is known, in longer image sides: a field of view of 45 degrees."""


def head_motion(landmarks: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the motion f8 (4, 4) from the frame of a scan to the face frame.

    Args:
        landmarks: (5, 3), mm; unknown ones are not finite.
        points: f4 (N, 3), mm, finite, same frame; they refine what the landmarks say.

    Raises:
        ValueError: fewer than three landmarks are known.
    """
    face = mean_face()
    known = np.isfinite(landmarks).all(axis=1)
    if known.sum() < 3:
        raise ValueError(f"{int(known.sum())} landmarks are known, and a pose needs three")
    motion = fit_rigid(landmarks[known], face.landmarks[known])
    return refine(every_nth(points, QUICK_POINTS), face, motion, QUICK_STAGES) if len(points) else motion


def motion_from_pixels(landmarks: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Return the motion f8 (4, 4) from the camera to the face frame that brings the mean face onto five pixels.

    The pose with the least reprojection error, turns held near zero by a weak prior, by Levenberg-Marquardt.

    Args:
        landmarks: (5, 2), px, finite.
        intrinsics: (4,) fx, fy, cx, cy in px.
    """
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    face = mean_face().landmarks.astype(np.float64) * [1.0, -1.0, -1.0]
    seen = np.asarray(landmarks, np.float64)
    middle = face.mean(axis=0)
    roll = np.arctan2(*(seen[1] - seen[0])[::-1])
    scale = np.sqrt(((seen - seen.mean(0)) ** 2).sum() / ((face - middle)[:, :2] ** 2).sum())
    depth = fx / max(scale, 1e-6)
    shift = np.append((seen.mean(0) - [cx, cy]) / [fx, fy], 1.0) * depth
    error_px = LANDMARK_ERROR[:, None] * max(float(np.linalg.norm(seen[1] - seen[0])), 1.0)

    def residuals(value: np.ndarray) -> np.ndarray:
        turned = (face - middle) @ Rotation.from_euler("xyz", value[:3]).as_matrix().T + value[3:] * depth
        z = np.maximum(turned[:, 2:], 1.0)
        pixels = turned[:, :2] / z * [fx, fy] + [cx, cy]
        return np.concatenate([((pixels - seen) / error_px).ravel(), value[:3] / np.deg2rad(TURN_PRIOR_DEG)])

    found = least_squares(residuals, np.concatenate([[0.0, 0.0, roll], shift / depth]), method="lm").x
    turn = Rotation.from_euler("xyz", found[:3]).as_matrix()
    to_camera = np.eye(4)  # of the face frame turned upside down, whose axes are the camera's
    to_camera[:3, :3] = turn @ np.diag([1.0, -1.0, -1.0])
    to_camera[:3, 3] = found[3:] * depth - turn @ middle
    return np.linalg.inv(to_camera)


def guess_intrinsics(landmarks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the likely camera f8 (4,) of an image that brings none, so that no face is nearer than 450 mm.

    Args:
        landmarks: (5, 2), px.
        shape: height and width, px.
    """
    height, width = shape
    face = mean_face().landmarks
    scale = float(np.linalg.norm(np.ptp(landmarks, axis=0)) / np.linalg.norm(np.ptp(face[:, :2], axis=0)))
    focal = max(FOCAL_PER_SIDE * float(max(height, width)), NEAREST_MM * scale)
    return np.array([focal, focal, (width - 1) / 2, (height - 1) / 2])


def turn_deg(to_face: np.ndarray) -> tuple[float, float]:
    """Return yaw (positive: the face looks to the image's right) and pitch (positive: down) of a head, degrees.

    Args:
        to_face: (4, 4), camera to face frame.
    """
    x, y, z = to_face[2, :3] / np.linalg.norm(to_face[2, :3])
    return float(np.degrees(np.arctan2(x, -z))), float(np.degrees(np.arctan2(y, np.hypot(x, z))))


def landmarks_at_pixels(landmarks: np.ndarray, intrinsics: np.ndarray, to_face: np.ndarray) -> np.ndarray:
    """Return the landmarks f4 (5, 3), face frame, that are seen at five pixels, as deep as those of the mean face.

    Args:
        landmarks: (5, 2), px.
        intrinsics: (4,) fx, fy, cx, cy in px.
        to_face: (4, 4), camera to face frame.
    """
    depth = transform(mean_face().landmarks.astype(np.float64), np.linalg.inv(to_face))[:, 2]
    return transform(unproject(landmarks, depth, intrinsics), to_face).astype(np.float32)
