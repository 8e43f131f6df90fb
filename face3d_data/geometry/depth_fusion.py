"""Fusion of depth frames: the median of what each pixel read in several frames of one camera that stands still."""

from __future__ import annotations

import numpy as np

LEAST_SEEN = 0.5
"""Share of the frames in which a pixel must have a reading: at edges and on hair a rare one is noise."""


def fused_depth(frames: np.ndarray) -> np.ndarray:
    """Return the median reading of each pixel, and a hole where fewer than half of the frames have one.

    Of an even number of readings it is the lower of the two in the middle: a depth that was measured, where their mean
    could lie in the air between a nose and the wall behind it.

    Args:
        frames: u2 (N, H, W), 0 = no reading; N from 1.

    Returns:
        u2 (H, W).
    """
    frames = np.asarray(frames)
    number = len(frames)
    if number == 1:
        return frames[0].copy()
    ordered = np.sort(frames, axis=0)  # what has no reading comes first
    seen = np.count_nonzero(frames, axis=0)
    middle = np.minimum(number - seen + np.maximum(seen - 1, 0) // 2, number - 1)
    median = np.take_along_axis(ordered, middle[None], axis=0)[0]
    return np.where(seen >= LEAST_SEEN * number, median, 0).astype(frames.dtype)
