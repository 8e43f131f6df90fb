"""DrawnSensor model of a stereo depth camera: matching noise, quantised disparity, shadows and lost edges."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.synthetic.sensors.incidence import largest_jump

BASELINE_MM = 50.0
SUBPIXEL = 32
MATCH_NOISE_PX = 0.055
"""Standard deviation of the disparity after matching, as active stereo cameras reach on textured skin."""
EDGE_MM = 12.0


def stereo_depth(depth_mm: np.ndarray, focal_px: float, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Return what a stereo camera would report of a true depth map.

    Disparity d = f B / z, so an error of e px is z^2 e / (f B) mm: noise and quantisation grow with the square of the
    distance (Keselman et al., Intel RealSense stereoscopic depth cameras, 2017). The second camera stands to the
    right; what it cannot see beside a nearer edge is a hole, and so is part of what is steep or at an edge.

    Args:
        depth_mm: true depth f4 (H, W), 0 = nothing there.
        focal_px: focal length of the image.
        rng: source of the noise.
        strength: factor on the matching noise.

    Returns:
        f4 (H, W), whole millimetres, 0 = no reading.
    """
    valid = depth_mm > 0
    gain = focal_px * BASELINE_MM
    disparity = np.where(valid, gain / np.maximum(depth_mm, 1.0), 0.0).astype(np.float32)
    shape = depth_mm.shape
    fine = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 0.8, truncate=2.5) * 2.8
    coarse = gaussian_filter(rng.standard_normal([n // 4 + 2 for n in shape], dtype=np.float32), 1.2) * 4.2
    coarse = np.kron(coarse, np.ones((4, 4), np.float32))[: shape[0], : shape[1]]
    noise = MATCH_NOISE_PX * focal_px / 615.0 * strength
    disparity += valid * noise * (0.75 * fine + 0.55 * coarse)
    disparity = np.round(disparity * SUBPIXEL) / SUBPIXEL
    keep = valid & (disparity > 0) & ~shadowed(depth_mm, gain) & ~_lost(depth_mm, fine, rng)
    reading = np.divide(gain, disparity, out=np.zeros(shape, np.float32), where=keep)
    return np.where(reading < 65535, np.round(reading), 0.0).astype(np.float32)


def shadowed(depth_mm: np.ndarray, gain: float) -> np.ndarray:
    """Return bool (H, W): pixels that the second camera, to the right, cannot see for a nearer surface.

    Args:
        depth_mm: true depth (H, W), 0 = nothing there.
        gain: focal length times baseline, px mm.
    """
    columns = np.arange(depth_mm.shape[1], dtype=np.float32)
    seen_at = np.where(depth_mm > 0, columns - gain / np.maximum(depth_mm, 1.0), np.inf)
    right_of = np.full_like(seen_at, np.inf)
    right_of[:, :-1] = np.minimum.accumulate(seen_at[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return (depth_mm > 0) & (right_of < seen_at - 0.75)


def _lost(depth_mm: np.ndarray, noise: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return bool (H, W): pixels without a match, at jumps in depth always, on steep surfaces by chance."""
    jump = largest_jump(depth_mm)
    steep = np.clip((jump - 2.5) / (EDGE_MM - 2.5), 0.0, 1.0)
    return (jump > EDGE_MM) | (steep > 0.35 + 0.35 * np.abs(noise)) & (
        rng.random(depth_mm.shape, dtype=np.float32) < 0.7
    )
