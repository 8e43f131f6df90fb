"""Bound on the size of a face in an image, from the depths that its camera measured."""

from __future__ import annotations

import numpy as np

FACE_WIDTH_MM = 110.0
"""Least width of a face's box. Adult faces are 125 to 150 mm wide (bizygomatic), children's less."""
_STEP_PX = 4
_FACE_SHARE = 0.1
_SAME_DEPTH = 0.1


def possible_face_px(depth: np.ndarray, fx: float) -> tuple[float, float] | None:
    """Return the smallest and the largest width in px that a face can have at the depths seen.

    The farthest depth bounds the smallest. It counts only where at least a tenth of a face's area at that depth is at
    it or farther, in pixels whose neighbours are about as deep: noise does not stretch the range. Nothing bounds the
    largest: a face nearer than the sensor can measure is a hole, and large faces cost next to nothing to seek.

    Args:
        depth: float32 (H, W), mm, 0 = no reading, aligned to the image.
        fx: focal length in px.

    Returns:
        (smallest, infinity) in px, or None where too little depth was read to tell.
    """
    seen = np.sort(_smooth_depths(depth[::_STEP_PX, ::_STEP_PX].astype(np.float64)))
    needed = _FACE_SHARE * (fx * FACE_WIDTH_MM / seen / _STEP_PX) ** 2
    rank = np.arange(1, len(seen) + 1)
    far = np.flatnonzero(rank[::-1] >= needed)
    return (fx * FACE_WIDTH_MM / float(seen[far[-1]]), np.inf) if len(far) else None


def _smooth_depths(depth: np.ndarray) -> np.ndarray:
    """Return the depths (k,) of `depth` (h, w) that have a right and a lower neighbour at about the same depth."""
    here, right, below = depth[:-1, :-1], depth[:-1, 1:], depth[1:, :-1]
    most = _SAME_DEPTH * here
    return here[(here > 0) & (np.abs(right - here) < most) & (np.abs(below - here) < most)]
