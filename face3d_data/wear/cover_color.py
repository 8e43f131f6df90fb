"""Colour of an occluder in an image: shaded by the light on the face, anti-aliased, soft at the outline."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.align import rotation_of
from face3d_data.geometry.camera import Region
from face3d_data.wear.cover_depth import Sight
from face3d_data.wear.cover_shade import self_shading
from face3d_data.wear.cover_view import View
from face3d_data.wear.light import Light, bent, to_display, to_linear
from face3d_data.wear.occluder import Occluder, rows_of

SUBPIXELS = np.array([[-0.25, -0.25], [0.25, 0.25], [0.25, -0.25], [-0.25, 0.25]])
N_INSIDE = 2
"""Subpixels of pixels that are not at the outline: the first of them, as only paint and relief need smoothing there."""
FINE_MM = 0.45
"""Pixels this narrow show paint and relief as they are: cloth is woven 0.8 mm wide. Inside, their own rays suffice."""


def cover_color(
    view: View,
    color: np.ndarray,
    occluder: Occluder,
    box: Region,
    whole: Sight,
    softening_px: float,
    rng: np.random.Generator,
    *,
    clear: bool = False,
) -> np.ndarray:
    """Return a colour image u1 (H, W, 3) with the occluder in it.

    Args:
        view: gives what is seen where, the light and the image's noise.
        color: u1 (H, W, 3), the image.
        occluder: the occluder.
        box: the pixels round it.
        whole: where whole pixels see it.
        softening_px: farther than this from the silhouette nothing is changed.
        rng: draws the image's noise.
        clear: paint the parts that change colour only, instead of the solid ones.
    """
    import cv2

    x0, y0, x1, y1 = box
    if not len(whole.pixels):
        return color.copy()
    inside = whole.silhouette(color.shape[:2])[y0:y1, x0:x1].astype(np.uint8)
    mm_per_px = float(np.median(whole.hits.t)) / view.focal_px
    counts, within = _subpixel_counts(inside)
    fine = mm_per_px <= FINE_MM
    places = _subpixels(np.where(within, 0, counts) if fine else counts) + np.array([x0, y0])
    sight = view.see(occluder, places, clear=clear)
    if fine:
        column, row = whole.pixels.astype(np.intp).T
        sight = whole.take(within[row - y0, column - x0]).joined(sight)
        counts[within] = 1
    factors = self_shading(occluder, whole, box, view.to_face, view.light, mm_per_px)
    column, row = np.rint(sight.pixels).astype(np.intp).T
    shares = (factor[row - y0, column - x0] for factor in factors)
    light, opacity = shaded(occluder, sight, view.to_face, view.light, *shares)
    layer, alpha = _layer((row - y0) * (x1 - x0) + column - x0, light, opacity, counts)
    reach = cv2.dilate(inside, _disc(softening_px))
    return _paint_over(color, box, reach, layer, alpha, softening_px, view.grain, rng)


def shaded(
    occluder: Occluder,
    sight: Sight,
    to_face: np.ndarray,
    light: Light,
    lamp_share: np.ndarray | float = 1.0,
    openness: np.ndarray | float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return linear light f4 (N, 3) and opacity f4 (N,) of what a sight shows."""
    surface = occluder.at(sight.hits, sight.rays, to_face)
    albedo = occluder.paint(surface.part, surface.coords)
    rotation = rotation_of(to_face).astype(np.float32)
    return albedo * light.on(surface.normals @ rotation, lamp_share, openness)[:, None], occluder.opacity[surface.part]


def _subpixel_counts(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return u1 (h, w), how many subpixels of each pixel are sampled, and bool (h, w), which are not at the outline.

    Args:
        inside: u1 (h, w), a silhouette.
    """
    import cv2

    block = np.ones((3, 3), np.uint8)
    counts = cv2.dilate(inside, block) * np.uint8(len(SUBPIXELS))
    within = cv2.erode(inside, block) > 0
    counts[within] = N_INSIDE
    return counts, within


def _subpixels(counts: np.ndarray) -> np.ndarray:
    """Return the positions f8 (N, 2) of the subpixels of each pixel, pixel centres at whole numbers."""
    places = [np.argwhere(counts > i)[:, ::-1] + offset for i, offset in enumerate(SUBPIXELS)]
    return np.concatenate(places)


def _layer(
    pixel: np.ndarray, light: np.ndarray, opacity: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return light times alpha f4 (h, w, 3), and alpha f4 (h, w), of what subpixels of the flat pixels (N,) show."""
    weights = opacity / counts.reshape(-1)[pixel]
    alpha = np.bincount(pixel, weights, counts.size).reshape(counts.shape)
    layer = [np.bincount(pixel, weights * light[:, i], counts.size).reshape(counts.shape) for i in range(3)]
    return np.stack(layer, axis=-1).astype(np.float32), alpha.astype(np.float32)


def _disc(radius_px: float) -> np.ndarray:
    offsets = np.arange(-int(radius_px), int(radius_px) + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius_px**2).astype(np.uint8)


def _paint_over(
    color: np.ndarray,
    box: Region,
    reach: np.ndarray,
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
        reach: u1 (h, w), above 0 where the image may be changed.
        layer: f4 (h, w, 3), linear light times alpha.
        alpha: f4 (h, w).
        softening_px: blurs the layer.
        grain: standard deviation of the image's noise, 0..255.
        rng: draws the grain.
    """
    import cv2

    x0, y0, x1, y1 = box
    if softening_px > 0:
        layer = cv2.GaussianBlur(layer, (0, 0), softening_px / 2.5)
        alpha = cv2.GaussianBlur(alpha, (0, 0), softening_px / 2.5)
    chosen = np.flatnonzero((reach > 0) & (alpha > 1 / 512))
    share, seen, old = rows_of(chosen, alpha.reshape(-1, 1), layer.reshape(-1, 3), color[y0:y1, x0:x1].reshape(-1, 3))
    mixed = to_display(share * bent(seen / share) + (1 - share) * to_linear(old))
    mixed += grain * np.minimum(share, 1) * rng.standard_normal(mixed.shape, dtype=np.float32)
    painted = color.copy()
    row, column = np.divmod(chosen, x1 - x0)
    painted[row + y0, column + x0] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return painted
