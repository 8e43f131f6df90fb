"""Rounded bodies: capsules blended into each other, and the mesh of such a body by surface nets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FAR_MM = 30.0


@dataclass(frozen=True, eq=False)
class Capsules:
    """Round cones that melt into each other.

    Attributes:
        start, end: f8 (B, 3), ends of their axes, mm.
        radii: f8 (B, 2), at start and end, mm.
        blend_mm: f8 (B,), how far from where it meets those before it a capsule is rounded off into them.
    """

    start: np.ndarray
    end: np.ndarray
    radii: np.ndarray
    blend_mm: np.ndarray

    def distance(self, points: np.ndarray, number: int) -> np.ndarray:
        """Return signed distances (...) of points (..., 3) from one capsule, about exact, mm."""
        offset, axis = points - self.start[number], self.end[number] - self.start[number]
        share = np.clip(offset @ axis / max(float(axis @ axis), 1e-9), 0.0, 1.0)
        across = offset - share[..., None] * axis
        away = np.sqrt(np.einsum("...i,...i->...", across, across))
        first, last = self.radii[number]
        return away - (first + share * (last - first))

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Return signed distances (N,) of points (N, 3) from the whole body, negative inside, mm."""
        value = np.full(len(points), FAR_MM)
        for number, blend in enumerate(self.blend_mm):
            value = _melt(value, self.distance(points, number), blend)
        return value

    def settle(self, points: np.ndarray, step_mm: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        """Return points (N, 3) near the surface moved onto it, and its outward unit normals (N, 3) there."""
        # Corners of a tetrahedron: four differences give the gradient, their mean the value.
        corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float64)
        values = np.stack([self.depth(points + step_mm * corner) for corner in corners], axis=1)
        gradient = values @ corners
        normals = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)
        return points - values.mean(axis=1, keepdims=True) * normals, normals

    def mesh(self, step_mm: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return vertices f8 (V, 3), normals f8 (V, 3) and triangles (T, 3) of the body's surface.

        Args:
            step_mm: edge of the grid's cells; what is thinner than two of them may be lost.
        """
        reach = self.radii.max(axis=1) + self.blend_mm + 2 * step_mm
        low = np.minimum(self.start, self.end) - reach[:, None]
        high = np.maximum(self.start, self.end) + reach[:, None]
        origin = low.min(axis=0)
        shape = np.ceil((high.max(axis=0) - origin) / step_mm).astype(int) + 2
        field = np.full(shape, FAR_MM)
        for number, blend in enumerate(self.blend_mm):  # each only where it reaches
            first = np.floor((low[number] - origin) / step_mm).astype(int)
            last = np.ceil((high[number] - origin) / step_mm).astype(int) + 1
            block = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
            places = origin + step_mm * np.moveaxis(np.mgrid[block], 0, -1)
            field[block] = _melt(field[block], self.distance(places, number), blend)
        vertices, triangles = surface_nets(field)
        vertices, normals = self.settle(origin + step_mm * vertices)
        return vertices, normals, triangles


def _melt(a: np.ndarray, b: np.ndarray, blend_mm: float) -> np.ndarray:
    """Return a smooth minimum (Quilez 2013, polynomial of second order)."""
    overlap = np.maximum(blend_mm - np.abs(a - b), 0.0)
    return np.minimum(a, b) - overlap**2 / (4 * blend_mm)


def surface_nets(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface where a field is zero, one vertex in each cell that it passes through.

    Gibson 1998, Constrained elastic surface nets, without the relaxation: a vertex is the mean of the places where the
    surface crosses its cell's edges.

    Args:
        field: (X, Y, Z), negative inside, positive on the whole border.

    Returns:
        Vertices f8 (V, 3) in cells, and triangles i8 (T, 3), anticlockwise seen from outside.
    """
    inside = field < 0
    shape = tuple(n - 1 for n in field.shape)
    total, count = np.zeros((*shape, 3)), np.zeros(shape, np.int64)
    quads = []
    for axis in range(3):
        ahead = np.roll(inside, -1, axis)  # the border is outside: nothing changes across it
        edge = np.argwhere(inside != ahead)
        low, high = field[tuple(edge.T)], field[tuple((edge + np.eye(3, dtype=int)[axis]).T)]
        place = edge.astype(np.float64)
        place[:, axis] += low / (low - high)
        b, c = (axis + 1) % 3, (axis + 2) % 3
        corners = []
        for db, dc in ((-1, -1), (0, -1), (0, 0), (-1, 0)):
            cell = edge.copy()
            cell[:, b] += db
            cell[:, c] += dc
            np.add.at(total, tuple(cell.T), place)
            np.add.at(count, tuple(cell.T), 1)
            corners.append(np.ravel_multi_index(tuple(cell.T), shape))
        quad = np.stack(corners, axis=1)
        quads.append(np.where((low < 0)[:, None], quad, quad[:, ::-1]))
    used = np.flatnonzero(count.ravel())
    number = np.full(count.size, -1)
    number[used] = np.arange(len(used))
    quad = number[np.concatenate(quads)]
    triangles = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])
    return total.reshape(-1, 3)[used] / count.ravel()[used, None], triangles
