"""Mesh pieces: connected parts without common vertices; two heads in one file are two pieces next to each other."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from face3d_data.geometry.seen_surface import numbers_of_rows
from face3d_data.geometry.surface import face_normals

LEAST_SHARE = 0.3
"""Of the area, for a piece to be a person's: eyes, teeth and hair have less."""
LIKE_SIZE = 0.5
"""Ratio of two heads' middle extents, at least."""


def stand_apart(vertices: np.ndarray, triangles: np.ndarray, across: np.ndarray) -> bool:
    """Return whether a mesh has two large pieces of like size beside each other, as two people's heads are.

    Pieces one above the other are a head and a body, and those that overlap are a skin and what it hides.

    Args:
        vertices: f8 (V, 3), finite.
        triangles: int (T, 3).
        across: (2, 3), unit, two directions at right angles to that in which people stand.
    """
    of_triangles, _ = face_normals(vertices, triangles)
    labels, areas = _pieces(triangles, of_triangles, len(vertices))
    if areas.max() > (1 - LEAST_SHARE) * areas.sum():
        return False
    # STL gives each triangle its own vertices, and seams of textures cut a surface.
    labels, areas = _pieces(numbers_of_rows(*vertices.T)[triangles], of_triangles, len(vertices))
    large = np.flatnonzero(areas >= LEAST_SHARE * areas.sum())
    if len(large) < 2:
        return False
    first, second = (vertices[triangles[labels == piece].ravel()] for piece in large[np.argsort(-areas[large])][:2])
    sizes = [float(np.sort(np.ptp(piece, axis=0))[1]) for piece in (first, second)]
    if min(sizes) < LIKE_SIZE * max(sizes):
        return False
    spans = [(piece @ across.T) for piece in (first, second)]
    low, high = (np.array([call(span, axis=0) for span in spans]) for call in (np.min, np.max))
    return bool((low.max(axis=0) > high.min(axis=0)).any())


def _pieces(corners: np.ndarray, areas: np.ndarray, n_places: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each triangle's piece, int (T,), and the pieces' areas."""
    links = (np.ones(2 * len(corners), bool), (corners[:, :2].T.ravel(), corners[:, 1:].T.ravel()))
    count, of_vertex = connected_components(coo_array(links, shape=(n_places, n_places)), directed=False)
    labels = of_vertex[corners[:, 0]]
    return labels, np.bincount(labels, areas, count)
