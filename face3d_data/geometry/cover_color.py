"""An occluder in a colour image: shaded by the light on the face, anti-aliased, soft at the outline."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.camera import Region
from face3d_data.geometry.cover_depth import Sight
from face3d_data.geometry.light import Light, bent, to_display, to_linear
from face3d_data.geometry.occluder import Occluder

SUBPIXELS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])


def subpixels(pixels: np.ndarray) -> np.ndarray:
    """Return four places f8 (4 N, 2) in each of the pixels (N, 2), those of one pixel together."""
    return (pixels[:, None] + SUBPIXELS).reshape(-1, 2)


def beside(silhouette: np.ndarray) -> np.ndarray:
    """Return the pixels int (N, 2) of a silhouette bool (h, w) and those that touch it."""
    import cv2

    near = cv2.dilate(silhouette.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.argwhere(near > 0)[:, ::-1]


def add_light(layer: np.ndarray, alpha: np.ndarray, places: np.ndarray, light: np.ndarray, opacity: np.ndarray) -> None:
    """Add what subpixels (N, 2) show to a layer of light times alpha (h, w, 3), and to its alpha (h, w), in place."""
    at = np.rint(places).astype(np.intp)
    flat = at[:, 1] * alpha.shape[1] + at[:, 0]
    weights = opacity / len(SUBPIXELS)
    alpha += np.bincount(flat, weights, alpha.size).reshape(alpha.shape)
    for i in range(3):
        layer[..., i] += np.bincount(flat, weights * light[:, i], alpha.size).reshape(alpha.shape)


def shaded(occluder: Occluder, sight: Sight, to_face: np.ndarray, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Return linear light f4 (N, 3) and opacity f4 (N,) of what a sight shows."""
    surface = occluder.at(sight.hits, sight.rays, to_face)
    albedo = occluder.paint(surface.part, surface.coords)
    # `to_face` may hold a scale.
    rotation = (to_face[:3, :3] / np.cbrt(np.linalg.det(to_face[:3, :3]))).astype(np.float32)
    return albedo * light.on(surface.normals @ rotation), occluder.opacity[surface.part]


def paint_over(
    color: np.ndarray,
    box: Region,
    silhouette: np.ndarray,
    layer: np.ndarray,
    alpha: np.ndarray,
    softening_px: float,
    grain: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the image u1 (H, W, 3) with a layer of light over it.

    Args:
        color: u1 (H, W, 3).
        box: where the layer lies.
        silhouette: bool (h, w): pixels whose centre sees the occluder.
        layer: f4 (h, w, 3), linear light times alpha.
        alpha: f4 (h, w).
        softening_px: beyond the silhouette nothing is changed farther than this.
        grain: standard deviation of the image's noise, 0..255.
        rng: draws the grain.
    """
    import cv2

    x0, y0, x1, y1 = box
    reach = int(softening_px)
    allowed: np.ndarray = silhouette.astype(np.uint8)
    if softening_px >= 1:
        size = 2 * reach + 1
        offsets = np.arange(size) - reach
        disc = (offsets[:, None] ** 2 + offsets**2 <= softening_px**2).astype(np.uint8)
        allowed = cv2.dilate(allowed, disc)
    if softening_px > 0:
        layer = cv2.GaussianBlur(layer, (0, 0), softening_px / 2.5)
        alpha = cv2.GaussianBlur(alpha, (0, 0), softening_px / 2.5)
    chosen = (allowed > 0) & (alpha > 1 / 512)
    share = alpha[chosen][:, None]
    old = color[y0:y1, x0:x1][chosen]
    mixed = to_display(share * bent(layer[chosen] / share) + (1 - share) * to_linear(old))
    mixed += grain * np.minimum(share, 1) * rng.standard_normal(mixed.shape, dtype=np.float32)
    painted = color.copy()
    painted[y0:y1, x0:x1][chosen] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return painted
