"""Rigid transforms of a face: points, landmarks, normals and pose together, so that it still fits its images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from face3d_data.geometry.align import rotate, transform
from face3d_data.geometry.landmarks import NOSE
from face3d_data.sample import POSITIONS

MOVED = ("points", *POSITIONS, "normals", "pose", "vertex_residual")
"""The arrays that a motion changes."""


def move(arrays: Mapping[str, np.ndarray], motion: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is in space after a motion, and the pose that leads there; nothing for the identity.

    An absent pose counts as the identity, so that the motion becomes the pose.

    Args:
        arrays: those of `MOVED` that are present are used.
        motion: (4, 4), rotation, reflection, one scale and a shift in mm, in the frame of the points.
    """
    if np.array_equal(motion, np.eye(4)):
        return {}
    changed: dict[str, np.ndarray] = {}
    factor = float(np.cbrt(abs(np.linalg.det(motion[:3, :3]))))
    with np.errstate(invalid="ignore"):  # what is not finite stays so
        for name in ("points", *POSITIONS):
            if name in arrays:
                changed[name] = transform(arrays[name], motion)
        if "normals" in arrays:
            changed["normals"] = rotate(arrays["normals"], motion / factor)
        if "vertex_residual" in arrays and abs(factor - 1) > 1e-9:
            changed["vertex_residual"] = (arrays["vertex_residual"] * factor).astype(np.float32)
    changed["pose"] = motion @ arrays["pose"] if "pose" in arrays else motion
    return changed


def about(centre: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Return the motion (4, 4) that leaves `centre` (3,) where it is and is otherwise `linear` (3, 3)."""
    motion = np.eye(4)
    motion[:3, :3] = linear
    motion[:3, 3] = centre - linear @ centre
    return motion


def face_centre(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the face's own centre: its nose tip, or the mean of its finite points where that is unknown.

    Returns:
        f8 (3,), mm, in the frame of the points; the origin where there is neither.
    """
    if "landmarks_3d" in arrays and np.isfinite(arrays["landmarks_3d"][NOSE]).all():
        return arrays["landmarks_3d"][NOSE].astype(np.float64)
    points = arrays["points"]
    finite = points[np.isfinite(points).all(axis=1)]
    return finite.mean(axis=0, dtype=np.float64) if len(finite) else np.zeros(3)
