"""Gaps between a cloud's points on its screen, and the positions that fill them."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.camera import Region
from face3d_data.wear.cover_depth import Sight
from face3d_data.wear.cover_screen import Screen

RARE = 2.6
"""Places farther from the nearest point than this times the mean are gaps: among random points 1 in 200 is."""
FULL = 0.99
NEAR_PX = 3.0
APART = 0.8
"""Points that fill gaps are no nearer to others than this share of their lattice's pitch."""


def nearest_depth(screen: Screen, box: Region) -> tuple[np.ndarray, np.ndarray]:
    """Return the depth f4 (h, w) of the cloud in a box, and bool (h, w) where no point of it is seen.

    The depth is that of each pixel's nearest point, infinite beyond 3 pixels.
    """
    import cv2

    x0, y0, x1, y1 = box
    depth = np.full((y1 - y0, x1 - x0), np.inf, np.float32)
    if not depth.size:
        return depth, depth > 0
    row, column, index = _in_box(screen, box)
    z = np.take(screen.points[:, 2], screen.usable[index]).astype(np.float32)
    np.minimum.at(depth.reshape(-1), row * (x1 - x0) + column, z)
    empty = np.isinf(depth)
    if empty.all() or not empty.any():
        return depth, empty
    distance, label = cv2.distanceTransformWithLabels(
        empty.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.empty(int(label.max()) + 1, np.float32)
    source[label[~empty]] = depth[~empty]
    return np.where(distance <= NEAR_PX, source[label], np.inf).astype(np.float32), empty


def gap_places(screen: Screen, sight: Sight) -> np.ndarray:
    """Return which pixels of a sight need a point, for the occluder to be as densely covered as the scene was.

    Args:
        screen: the cloud.
        sight: the occluder as seen by the cloud's points, and by whole pixels or those of them without points.

    Returns:
        int (M,), indices into the sight.
    """
    import cv2

    if not len(sight.pixels) or screen.spacing is None:
        return np.empty(0, np.intp)
    pixels = np.rint(sight.pixels).astype(np.intp)
    low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
    box = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    empty = np.ones((box[3] - box[1], box[2] - box[0]), np.uint8)
    empty[_in_box(screen, box)[:2]] = 0
    row, column = (pixels - low).T[::-1]
    # Without any point the transform gives a number too large for any use, which is right.
    here = cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[row, column]
    spacing = screen.spacing.screen
    on_grid = screen.spacing.on_grid
    # What hangs over the cloud's edge says nothing of its own gaps.
    near = here[here <= 3 * spacing]
    reach = FULL * spacing if on_grid else max(RARE * float(near.sum()) / max(len(near), 1), FULL * spacing)
    gap = here >= reach
    if not gap.any():
        return np.empty(0, np.intp)
    taken = np.flatnonzero(here == 0)
    known = np.count_nonzero(~gap)
    pitch = max(1.0, spacing if on_grid or not len(taken) else np.sqrt(known / len(taken)))
    beside = np.ones(empty.shape, np.uint8)
    beside[row[gap], column[gap]] = 0
    to_gap = cv2.distanceTransform(beside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[row, column]
    chosen = (to_gap <= reach) & (here >= max(APART * pitch, FULL))
    for at, size in zip((row, column), empty.shape, strict=True):
        # A grid goes on where it is.
        start = at[taken[len(taken) // 2]] % pitch if on_grid and len(taken) else 0
        on_lattice = np.zeros(size, bool)
        on_lattice[np.rint(np.arange(start, size - 0.5, pitch)).astype(np.intp)] = True
        chosen &= on_lattice[at]
    return np.flatnonzero(chosen)


def _in_box(screen: Screen, box: Region) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows and columns in a box of the cloud's usable points there, and which these are, int (M,) each."""
    x0, y0, x1, y1 = box
    u, v = np.rint(screen.places.T)
    index = np.flatnonzero((u >= x0) & (u < x1) & (v >= y0) & (v < y1))
    return v[index].astype(np.intp) - y0, u[index].astype(np.intp) - x0, index
