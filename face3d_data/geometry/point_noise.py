"""Noise of points measured on a smooth surface, where no image defines which are neighbours."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.nearest import NearestPoints

N_PLACES = 300
N_NEIGHBOURS = 30
N_TERMS = 6
FEWEST = 200
COARSEST_MM = 2.5
"""Where readings of a face lie further apart, its features look like their noise."""
MEDIAN_OF_CHI2 = 1 - 2 / (9 * (N_NEIGHBOURS - N_TERMS))
"""Median of a chi² variable over its mean, cubed below (Wilson and Hilferty 1931, PNAS 17)."""


def point_noise(points: np.ndarray) -> float | None:
    """Return the standard deviation of points from the surface of a face, mm; None if they are too few or too sparse.

    At positions all over the cloud a quadric is fitted to the nearest points, in the plane of their two main
    directions; the result is the median of the residuals, each as an unbiased variance. Noise that is correlated over
    more than a few points goes into the quadric, so this is the noise from point to point. Where it is larger than the
    distance between neighbours, these are no longer the true ones, and the result is a fifth too small.

    Args:
        points: f4 (N, 3), mm, finite.
    """
    if len(points) < FEWEST:
        return None
    cloud = points.astype(np.float64)
    places = cloud[np.linspace(0, len(cloud) - 1, min(N_PLACES, len(cloud))).astype(int)]
    distances, near = NearestPoints(cloud).k_nearest(places, N_NEIGHBOURS)
    if np.median(distances[:, -1]) * np.sqrt(np.pi / N_NEIGHBOURS) > COARSEST_MM:
        return None
    local = cloud[near] - cloud[near].mean(axis=1, keepdims=True)
    _, _, axes = np.linalg.svd(local, full_matrices=False)
    u, v, height = np.moveaxis(local @ np.swapaxes(axes, 1, 2), -1, 0)
    reach = np.maximum(np.abs(u).max(axis=1, keepdims=True), 1e-9)
    u, v = u / reach, v / reach
    design = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)
    fitted = (design @ (np.linalg.pinv(design) @ height[..., None]))[..., 0]
    variances = ((height - fitted) ** 2).sum(axis=1) / (N_NEIGHBOURS - N_TERMS)
    return float(np.sqrt(np.median(variances) / MEDIAN_OF_CHI2**3))
