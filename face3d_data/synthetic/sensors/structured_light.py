"""Structured-light depth cameras (Kinect v1, TrueDepth): a dot pattern matched in blocks, with a projector's shadow."""

from __future__ import annotations

import numpy as np

from face3d_data.synthetic.sensors.incidence import incidence_rad, surface_mean
from face3d_data.synthetic.sensors.stereo import shadowed

BASELINE_MM = 75.0
SUBPIXEL = 8
"""Steps of the disparity in a pixel (Khoshelham and Oude Elberink, Sensors 12:1437, 2012)."""
BLOCK_PX = 1.3
"""Standard deviation of the blur that a matched block of 9 x 7 dots makes."""
LATERAL_PX = 0.8
STEEP_RAD = np.deg2rad(70.0)


def structured_light_depth(
    depth_mm: np.ndarray,
    focal_px: float,
    rng: np.random.Generator,
    strength: float = 1.0,
    hair: np.ndarray | None = None,
) -> np.ndarray:
    """Return what a structured-light camera would report of a true depth map.

    The standard deviation over distance z (m) and angle t is 1.2 + 1.9 (z - 0.4)^2 + 0.1 / sqrt(z) t^2 / (pi/2 - t)^2
    mm, and 0.8 px across (Nguyen, Izadi and Lovell, Modeling Kinect sensor noise, 3DIMPVT 2012).

    Args:
        depth_mm: true depth f4 (H, W), 0 = nothing there.
        focal_px: focal length of the image.
        rng: source of the noise.
        strength: factor on the noise and on the steps of the disparity: TrueDepth, which is nearer, has 0.3 to 0.5.
        hair: bool (H, W), where hair is: half of it gives no reading.

    Returns:
        f4 (H, W), mm, not rounded; 0 = no reading.
    """
    valid = depth_mm > 0
    if not valid.any():
        return np.zeros_like(depth_mm)
    gain = focal_px * BASELINE_MM
    angle = incidence_rad(depth_mm, focal_px)
    moved = _moved(surface_mean(depth_mm, BLOCK_PX, 6.0), rng, LATERAL_PX * min(strength, 1.0))
    z = np.maximum(moved, 1.0) / 1000.0
    sigma = 1.2 + 1.9 * (z - 0.4) ** 2 + 0.1 / np.sqrt(z) * (angle / (np.pi / 2 - angle)) ** 2
    noise = _patches(depth_mm.shape, rng)
    reading = moved + np.float32(strength) * np.minimum(sigma, 10.0) * noise
    step = strength / SUBPIXEL
    disparity = np.round(gain / np.maximum(reading, 1.0) / step) * step
    chance = rng.random(depth_mm.shape, dtype=np.float32)
    lost = (moved <= 0) | (disparity <= 0) | shadowed(depth_mm, gain) | (angle > STEEP_RAD) & (chance < 0.8)
    if hair is not None:
        lost |= hair & (chance < 0.5)
    return np.divide(gain, disparity, out=np.zeros(depth_mm.shape), where=valid & ~lost).astype(np.float32)


def _moved(depth_mm: np.ndarray, rng: np.random.Generator, sigma_px: float) -> np.ndarray:
    """Return the depth read up to some pixels beside each pixel: ragged edges."""
    shift = np.rint(sigma_px * rng.standard_normal((2, *depth_mm.shape), dtype=np.float32)).astype(np.intp)
    height, width = depth_mm.shape
    rows, columns = shift
    rows += np.arange(height)[:, None]
    columns += np.arange(width)
    np.clip(rows, 0, height - 1, out=rows)
    np.clip(columns, 0, width - 1, out=columns)
    rows *= width
    rows += columns
    return depth_mm.reshape(-1).take(rows)


def _patches(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return noise f4 (H, W) of variance 1 that is the same within 2 x 2 px, as neighbouring blocks share dots."""
    coarse = rng.standard_normal([n // 2 + 1 for n in shape], dtype=np.float32)
    return np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[: shape[0], : shape[1]]
