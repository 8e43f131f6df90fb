"""Time-of-flight depth cameras (Kinect v2, Azure Kinect): axial noise, rounded noses, flying pixels, dark hair."""

from __future__ import annotations

import numpy as np

from face3d_data.synthetic.sensors.incidence import incidence_rad, largest_jump, surface_mean

ROUNDED_MM = 5.0
"""Light that reached a pixel by way of its surroundings comes from about this far (standard deviation)."""
MOST_ROUNDED_MM = 12.0
EDGE_MM = 15.0
FLYING = 0.5
"""Share of the pixels on an edge that report a depth between both sides; the camera removes the others."""
HAIR_LOST = 0.75
"""Share of the readings of hair that are missing: it reflects a tenth of the infrared light that skin does."""
GRAZING_RAD = np.deg2rad(82.0)


def time_of_flight_depth(
    depth_mm: np.ndarray,
    focal_px: float,
    rng: np.random.Generator,
    strength: float = 1.0,
    rounding: float = 0.4,
    hair: np.ndarray | None = None,
) -> np.ndarray:
    """Return what a time-of-flight camera would report of a true depth map.

    The standard deviation over distance z (m) and angle t is 1.5 - 0.5 z + 0.3 z^2 + 0.1 z^1.5 t^2 / (pi/2 - t)^2 mm
    (Fankhauser et al., Kinect v2 for mobile robot navigation, ICAR 2015); Azure Kinect is similar below 2.5 m (Kurillo
    et al., Sensors 22:2469, 2022). Multipath and flying pixels: Tölgyessy et al., Sensors 21:413, 2021.

    Args:
        depth_mm: true depth f4 (H, W), 0 = nothing there.
        focal_px: focal length of the image.
        rng: source of the noise.
        strength: factor on the noise; 1 / sqrt(n) where n frames are averaged.
        rounding: 0..1, share by which a reading follows the mean of its surroundings.
        hair: bool (H, W), where hair is.

    Returns:
        f4 (H, W), mm, not rounded; 0 = no reading.
    """
    valid = depth_mm > 0
    if not valid.any():
        return np.zeros_like(depth_mm)
    angle = incidence_rad(depth_mm, focal_px)
    reach_px = ROUNDED_MM * focal_px / float(np.median(depth_mm[valid]))
    reading = depth_mm + np.float32(rounding) * (surface_mean(depth_mm, reach_px, MOST_ROUNDED_MM) - depth_mm)
    z = reading / 1000.0
    sigma = 1.5 - 0.5 * z + 0.3 * z**2 + 0.1 * z**1.5 * (angle / (np.pi / 2 - angle)) ** 2
    noise = rng.standard_normal(depth_mm.shape, dtype=np.float32)
    reading += np.float32(strength) * np.minimum(sigma, 12.0) * noise
    chance = rng.random(depth_mm.shape, dtype=np.float32)
    edge = valid & (largest_jump(depth_mm) > EDGE_MM)
    reading += np.where(edge, _behind_edge(depth_mm, rng), 0)
    lost = edge & (chance > FLYING) | (angle >= GRAZING_RAD) & (chance > 0.3)
    if hair is not None:
        lost |= hair & (chance < HAIR_LOST)
    return np.where(valid & ~lost, np.maximum(reading, 0), 0).astype(np.float32)


def _behind_edge(depth_mm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return drawn distances f4 (H, W) from each pixel's depth towards that of its farthest neighbour."""
    padded = np.pad(depth_mm, 1, mode="edge")
    height, width = depth_mm.shape
    far = depth_mm
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        far = np.maximum(far, padded[down : down + height, right : right + width])
    share = rng.random(depth_mm.shape, dtype=np.float32) ** 2  # most of the light is from the nearer side
    return share * (far - depth_mm)
