"""Laser scanners (Minolta Vivid 910): a light plane seen from above, tenths of a millimetre, holes in hair."""

from __future__ import annotations

import numpy as np

from face3d_data.synthetic.sensors.incidence import incidence_rad
from face3d_data.synthetic.sensors.stereo import shadowed

BASELINE_MM = 200.0
"""Between the light plane's mirror and the camera above it."""
STEEP_RAD = np.deg2rad(75.0)
HAIR_LOST = 0.85
SPIKES = 2e-4
"""Share of the readings that are spikes, from mirror-like reflections as on eyes; they stand off up to 10 mm."""


def laser_depth(
    depth_mm: np.ndarray,
    focal_px: float,
    rng: np.random.Generator,
    sigma_mm: float = 0.1,
    hair: np.ndarray | None = None,
) -> np.ndarray:
    """Return what a laser scanner would report of a true depth map.

    The maker states an accuracy along the line of sight of 0.1 mm in fine mode, and a repeatability of 0.008 mm, at
    0.6 m (Konica Minolta, Vivid 910 specifications); faces that breathe are measured less well.

    Args:
        depth_mm: true depth f4 (H, W), 0 = nothing there.
        focal_px: focal length of the image.
        rng: source of the noise.
        sigma_mm: standard deviation of the noise.
        hair: bool (H, W), where hair is.

    Returns:
        f4 (H, W), mm, not rounded; 0 = no reading.
    """
    valid = depth_mm > 0
    noise = rng.standard_normal(depth_mm.shape, dtype=np.float32)
    reading = depth_mm + np.float32(sigma_mm) * noise
    chance = rng.random(depth_mm.shape, dtype=np.float32)
    reading += np.where(chance < SPIKES, 10.0 * noise, 0)
    lost = ~valid | (incidence_rad(depth_mm, focal_px) > STEEP_RAD)
    lost |= np.ascontiguousarray(shadowed(np.ascontiguousarray(depth_mm.T), focal_px * BASELINE_MM).T)
    if hair is not None:
        lost |= hair & (chance < HAIR_LOST)
    return np.where(lost, 0, np.maximum(reading, 0)).astype(np.float32)
