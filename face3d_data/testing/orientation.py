"""Orientation check: whether a reader's points have the required axes, by comparison with the mean face."""

from __future__ import annotations

import numpy as np

from face3d_data.errors import ContractError
from face3d_data.geometry.align import Fit, fit_rigid, measure_fit, refine, transform
from face3d_data.geometry.locate import UPRIGHT, locate_face, turn_deg
from face3d_data.geometry.mean_face import mean_face

MOST_TURNED_DEG = 45.0
MOST_RMSE_MM = 4.0
LEAST_INLIERS = 0.7


def check_orientation(
    points: np.ndarray, landmarks_3d: np.ndarray | None = None, most_turned_deg: float = MOST_TURNED_DEG
) -> None:
    """Check by fitting the mean face that a face looks at the camera: nose nearest, eyes above mouth, not mirrored.

    Args:
        points: f4 (N, 3), mm, camera frame: about one face, no background; NaN rows do not count.
        landmarks_3d: (5, 3), mm, same frame, NaN = missing; they must be those of the face, left on the left.
        most_turned_deg: how far the face may be turned from frontal.

    Raises:
        ContractError: saying what is not as it should be.
    """
    points = np.asarray(points, np.float32).reshape(-1, 3)
    points = points[np.isfinite(points).all(1)]
    motion = _fit_landmarks(landmarks_3d) if landmarks_3d is not None else _fit_alone(points)
    motion = refine(points, mean_face(), motion)
    turned = turn_deg(motion, UPRIGHT.T)
    fit = _fit(points, motion)
    if not fit.rmse_mm <= MOST_RMSE_MM or fit.inlier_share < LEAST_INLIERS:
        raise ContractError(f"the mean face does not fit: rmse {fit.rmse_mm:.2f} mm, inliers {fit.inlier_share:.2f}")
    if turned > most_turned_deg:
        raise ContractError(f"the face is rotated by {turned:.0f} degrees from looking at the camera upright")


def _fit_landmarks(landmarks_3d: np.ndarray) -> np.ndarray:
    """Return the rigid transform from landmarks to the mean face's; refuse those that only a mirror image would fit."""
    face = mean_face()
    known = np.isfinite(landmarks_3d).all(1)
    if known.sum() < 3:
        raise ContractError(f"only {int(known.sum())} of five landmarks are known")
    motion = fit_rigid(landmarks_3d[known], face.landmarks[known])
    moved = transform(np.asarray(landmarks_3d, np.float64)[known], motion)
    apart = np.linalg.norm(moved - face.landmarks[known], axis=1)
    if apart.max() > 25.0:
        raise ContractError(f"a landmark lies {apart.max():.0f} mm from the mean face's: swapped, or another unit")
    return motion


def _fit_alone(points: np.ndarray) -> np.ndarray:
    """Return the upright fit, having seen that none that is upside down or from behind is better."""
    found = {name: locate_face(points, turn @ UPRIGHT) for name, turn in _TURNS.items()}
    scores = {name: one.score if one is not None else 0.0 for name, one in found.items()}
    best = max(scores, key=lambda name: scores[name])
    upright = found["upright"]
    if upright is None or best != "upright":
        raise ContractError(
            f"the face fits better {best} (score {scores[best]:.2f}) than upright ({scores['upright']:.2f})"
        )
    return upright.motion


_TURNS = {
    "upright": np.diag([1.0, 1.0, 1.0]),
    "upside down": np.diag([-1.0, -1.0, 1.0]),
    "seen from behind": np.diag([-1.0, 1.0, -1.0]),
    "upside down from behind": np.diag([1.0, -1.0, -1.0]),
}


def _fit(points: np.ndarray, motion: np.ndarray) -> Fit:
    return measure_fit(transform(points, motion), mean_face(), mean_face().landmarks[2])
