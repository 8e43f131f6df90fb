"""Given landmarks: faces whose landmarks are already known, so that only the box is computed."""

from __future__ import annotations

import numpy as np

_EXTENT = np.array([-1.72, -2.55, 1.72, 1.93])
"""Where MTCNN's box ends left, above, right and below of the landmarks' mean, in units of their rms distance from it:
medians over 96 rendered captures of 16 people within 20 degrees of frontal."""

NAMES = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")
FARTHEST_PX = 1e6
"""Landmarks beyond this are in no image."""


def check_landmarks(landmarks: np.ndarray) -> None:
    """Check that landmarks (5, 2), px, may be those of a face in an image.

    Raises:
        ValueError: saying what is wrong.
    """
    if not np.isfinite(landmarks).all():
        raise ValueError("bad landmarks: not finite")
    farthest = float(np.abs(landmarks).max())
    if farthest > FARTHEST_PX:
        raise ValueError(f"bad landmarks: {farthest:.3g} px is in no image")


def check_in_image(landmarks: np.ndarray, shape: tuple[int, int]) -> None:
    """Check that landmarks may be those of a face that an image shows, if only in part.

    At least one of the five is in the image, their middle is not farther outside than half the box, and no landmark is
    farther outside than the image is large.

    Args:
        landmarks: (5, 2), px, finite.
        shape: height and width of the image, px.

    Raises:
        ValueError: saying what is wrong.
    """
    points, size = np.asarray(landmarks, np.float64), np.array(shape[::-1], np.float64)
    image = f"the image of {size[0]:.0f}x{size[1]:.0f} px"
    off = _outside(points, size)
    middle = points.mean(axis=0)
    half_box = _EXTENT[2] * float(np.sqrt(((points - middle) ** 2).sum(axis=1).mean()))
    at = f"({middle[0]:.0f}, {middle[1]:.0f})"
    if (off > 0).all():
        raise ValueError(f"bad landmarks: none of the five is in {image}, their middle is at {at}: of another image?")
    if _outside(middle, size) > half_box:
        raise ValueError(f"bad landmarks: their middle at {at} is farther from {image} than half the face")
    farthest = int(np.argmax(off))
    if off[farthest] > size.max():
        x, y = points[farthest]
        raise ValueError(f"bad landmarks: the {NAMES[farthest]} at ({x:.0f}, {y:.0f}) is far outside {image}")


def _outside(points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return how far outside the image points (..., 2) are along the worse axis, 0 for those inside, px."""
    return np.maximum(np.maximum(-points, points - size), 0).max(axis=-1)


def box_around(landmarks: np.ndarray) -> np.ndarray:
    """Return the face box that MTCNN would about draw round these landmarks.

    Args:
        landmarks: float (5, 2), px.

    Returns:
        float32 (4,), x1, y1, x2, y2 in px; it may reach outside the image.

    Raises:
        ValueError: the landmarks are not finite, absurdly far away, or all at one place.
    """
    check_landmarks(landmarks)
    points = np.asarray(landmarks, np.float64)
    middle = points.mean(axis=0)
    size = float(np.sqrt(((points - middle) ** 2).sum(axis=1).mean()))
    if size <= 0:
        raise ValueError("bad landmarks: all at one place")
    return (np.tile(middle, 2) + _EXTENT * size).astype(np.float32)
