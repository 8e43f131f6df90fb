"""Image similarity: low frequencies of face images, to find copies of one photograph among many.

Brightness is reduced to a few pixels and high-pass filtered to remove the illumination, so that JPEG, noise, scaling
and exposure hardly change it. Nothing is learnt.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

WAVES_PX = 32
DETAIL_PX = 64
WAVES = 12
"""Half waves across the image that are kept, and down it as many per pixel."""
SOFT_WAVES = 8.0
"""Standard deviation of the Gaussian that gives higher waves less weight: small shifts change them most."""
LEVEL_PX = 5.0
"""Standard deviation of the Gaussian high-pass filter that removes the illumination."""
LEAST_CONTRAST = 2.0
"""Grey levels: lower contrast than this is not amplified."""
SOFT_PX = 1.0
FIT_STEPS = 8
MOST_SHIFT_PX, MOST_TURN = 4.0, 0.15
"""Farther, in px of the reduced image and rad (and in scale), nothing is searched for."""
BORDER_PX = 3
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601."""


def reduced(color: np.ndarray, side_px: int) -> np.ndarray:
    """Return the brightness of an image, f4 (side_px, side_px), each pixel the mean of what it covers.

    Args:
        color: u1 (H, W, 3) RGB.
        side_px: the new side.
    """
    import cv2

    step = max(1, min(color.shape[:2]) // (4 * DETAIL_PX))  # of a large image every n-th pixel is plenty
    grey = color[::step, ::step].astype(np.float32) @ LUMA
    return cv2.resize(grey, (side_px, side_px), interpolation=cv2.INTER_AREA)


def detail(grey: np.ndarray) -> np.ndarray:
    """Return reduced images f4 (n, h, w) without the course of the light, of one contrast all over."""
    across = (0, LEVEL_PX, LEVEL_PX)
    rest = grey - gaussian_filter(grey, across, mode="nearest")
    return rest / (np.sqrt(gaussian_filter(rest**2, across, mode="nearest")) + LEAST_CONTRAST)


def low_waves(details: np.ndarray) -> np.ndarray:
    """Return the lower waves of images (n, h, w), each image's of length 1: f4 (n, k).

    Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions, the DCT hash, but its waves are not
    cut down to their signs, which small motions change.
    """
    _, high, wide = details.shape
    down, across = np.ogrid[: WAVES * high // wide, :WAVES]
    weights = np.exp(-((down * (wide / high)) ** 2 + across**2) / (2 * SOFT_WAVES**2))
    waves = dctn(details, axes=(1, 2), norm="ortho")[:, : len(down), :WAVES] * weights
    flat = waves.reshape(len(details), -1)[:, 1:]
    return (flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)).astype(np.float32)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Return the best correlation, -1 to 1, of two details (h, w) under a small shift, turn and scaling of the second.

    Baker and Matthews 2004, Lucas-Kanade 20 Years On: Gauss-Newton steps on the pixels.
    """
    import cv2

    first, second = (cv2.GaussianBlur(one, (0, 0), SOFT_PX) for one in (first, second))
    high, wide = first.shape
    down, across = np.mgrid[:high, :wide].astype(np.float32)
    down, across = down - (high - 1) / 2, across - (wide - 1) / 2
    inner = (slice(BORDER_PX, -BORDER_PX),) * 2
    move, best = np.zeros(4), _correlation(first[inner], second[inner])
    for _ in range(FIT_STEPS):
        moved = _moved(second, move)
        slope_down, slope_across = np.gradient(moved)
        slopes = (
            *(slope_across, slope_down),
            *(slope_across * across + slope_down * down, slope_down * across - slope_across * down),
        )
        jacobian = np.stack([slope[inner].ravel() for slope in slopes], axis=1).astype(np.float64)
        apart = (first - moved)[inner].ravel().astype(np.float64)
        move = move + np.linalg.solve(jacobian.T @ jacobian + 1e-6 * np.eye(4), jacobian.T @ apart)
        if np.abs(move[:2]).max() > MOST_SHIFT_PX or np.abs(move[2:]).max() > MOST_TURN:
            break
        best = max(best, _correlation(first[inner], _moved(second, move)[inner]))
    return best


def _moved(image: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Return an image (h, w) shifted (px), scaled and turned (rad) about its middle by four small numbers."""
    import cv2

    right, down, scale, turn = move
    centre = (np.array(image.shape[::-1]) - 1) / 2
    linear = np.array([[1 + scale, -turn], [turn, 1 + scale]])
    shift = np.array([right, down]) + centre - linear @ centre
    return cv2.warpAffine(
        image,
        np.column_stack([linear, shift]),
        image.shape[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    length = np.sqrt(float((first * first).sum()) * float((second * second).sum()))
    return float((first * second).sum()) / length if length > 0 else 0.0
