"""Nearest depth that a mesh can have at each pixel: what is nearer needs no ray cast at the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.camera import Region

CELL_PX = 4
MOST_CELLS = 32
"""A triangle over more cells along an axis: so near the camera, rays are cheaper."""
NEAREST_MM = 10.0
MARGIN_MM = 0.01
"""More than what rounding moves a hit."""


@dataclass(frozen=True, eq=False)
class NearestSurface:
    """A lower bound of a mesh's depth.

    Attributes:
        origin: (2,), px, the first cell's corner.
        depth: f4 (h, w), mm, of cells of 4 x 4 px; infinite where no triangle is seen.
    """

    origin: np.ndarray
    depth: np.ndarray

    def at(self, pixels: np.ndarray) -> np.ndarray:
        """Return the bound f4 (N,) at places (N, 2), px, that are in the box or less than a cell outside."""
        column, row = (((pixels[:, i] - self.origin[i]) * (1 / CELL_PX)).astype(np.intp) for i in (0, 1))
        return np.take(self.depth.ravel(), row * self.depth.shape[1] + column)


def nearest_surface(
    vertices: np.ndarray, triangles: np.ndarray, intrinsics: np.ndarray, box: Region
) -> NearestSurface | None:
    """Return the lower bound of a mesh's depth in a box of pixels.

    A triangle's depth is nowhere less than that of its nearest corner, and it is seen nowhere but in the rectangle
    round its corners: each cell gets the nearest corner of all triangles whose rectangles touch it.

    Args:
        vertices: (V, 3), mm, camera frame.
        triangles: (T, 3).
        intrinsics: (4,).
        box: x0, y0, x1, y1, px, end exclusive; the cells reach one farther.

    Returns:
        The bound; None where the mesh is too near to the camera, or reaches behind it.
    """
    if not vertices[:, 2].min(initial=np.inf) > NEAREST_MM:
        return None
    x0, y0, x1, y1 = box
    origin = np.array([x0, y0], np.float64) - CELL_PX
    width, height = ((end - start) // CELL_PX + 3 for start, end in ((x0, x1), (y0, y1)))
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    x, y, z = np.asarray(vertices, np.float64).T
    places = ((x / z * fx + cx - origin[0]) / CELL_PX, (y / z * fy + cy - origin[1]) / CELL_PX)
    corners = triangles.astype(np.intp).T
    low, high = [], []
    for place, size in zip(places, (width, height), strict=True):
        one, two, three = (place[corner] for corner in corners)
        # A hundredth of a cell for rounding.
        low.append(np.floor(np.minimum(np.minimum(one, two), three) - 0.01).clip(-1, size).astype(np.intp))
        high.append(np.floor(np.maximum(np.maximum(one, two), three) + 0.01).clip(-1, size).astype(np.intp))
    seen = np.flatnonzero((high[0] >= 0) & (high[1] >= 0) & (low[0] < width) & (low[1] < height))
    first = [np.maximum(one[seen], 0) for one in low]
    span = [
        np.minimum(one[seen], size - 1) - start for one, size, start in zip(high, (width, height), first, strict=True)
    ]
    if len(seen) and max(int(one.max()) for one in span) > MOST_CELLS:
        return None
    nearest = np.minimum(np.minimum(z[corners[0][seen]], z[corners[1][seen]]), z[corners[2][seen]]) - MARGIN_MM
    depth = np.full(height * width, np.inf, np.float32)
    nearest = np.nextafter(nearest.astype(np.float32), np.float32(0))
    for down in range(int(span[1].max(initial=-1)) + 1):
        for across in range(int(span[0].max(initial=-1)) + 1):
            some = (span[0] >= across) & (span[1] >= down)
            np.minimum.at(depth, (first[1][some] + down) * width + first[0][some] + across, nearest[some])
    return NearestSurface(origin, depth.reshape(height, width))
