"""UV maps: what a mesh has at its vertices as an image over the template's UV coordinates."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.template import Template

POSITION_STEPS, MIDDLE = 128.0, 32768
"""A position is stored as whole 1/128 mm, 0 mm as 32768: -256 to 256 mm in 16 bits. 0 is nothing."""
NORMAL_STEPS = 32767.0
"""A normal's part is stored as 32768 + 32767 n."""
EDGE = 1e-9


@lru_cache(maxsize=4)
def _pixels(template: Template, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels (P,) on the mesh, and the corners (P, 3) and weights (P, 3) of each; row 0 is v = 1.

    Where triangles share a pixel, on their common edge, the last has it.

    Raises:
        ValueError: the template has no UV coordinates.
    """
    if template.uv is None:
        raise ValueError(f"template {template.name}: has no UV coordinates")
    flat = np.column_stack([template.uv[:, 0] * size - 0.5, (1 - template.uv[:, 1]) * size - 0.5])
    corners = flat[template.triangles]
    low = np.maximum(np.ceil(corners.min(axis=1)), 0).astype(int)
    high = np.minimum(np.floor(corners.max(axis=1)), size - 1).astype(int)
    wide, tall = np.maximum(high - low + 1, 0).T
    triangle = np.repeat(np.arange(len(corners)), wide * tall)
    place = np.arange(len(triangle)) - np.repeat(np.cumsum(wide * tall) - wide * tall, wide * tall)
    row, column = low[triangle, 1] + place // wide[triangle], low[triangle, 0] + place % wide[triangle]
    a, b, c = (corners[triangle, k] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):  # flat triangles have no pixels
        u = ((column - a[:, 0]) * (c[:, 1] - a[:, 1]) - (row - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
        v = ((b[:, 0] - a[:, 0]) * (row - a[:, 1]) - (b[:, 1] - a[:, 1]) * (column - a[:, 0])) / area
        inside = np.flatnonzero((u >= -EDGE) & (v >= -EDGE) & (u + v <= 1 + EDGE))
    pixel = (row * size + column)[inside]
    places, first = np.unique(pixel[::-1], return_index=True)
    last = inside[::-1][first]
    return places, template.triangles[triangle[last]], np.column_stack([1 - u - v, u, v])[last]


def uv_positions(template: Template, vertices: np.ndarray, size: int) -> np.ndarray:
    """Return positions as an image u2 (size, size, 3): x, y, z, (value - 32768) / 128 mm; 0, 0, 0 beside the mesh."""
    values = np.clip(np.rint(np.asarray(vertices, np.float64) * POSITION_STEPS + MIDDLE), 1, 65535)
    return _image(*_between(template, values, size), size)


def uv_normals(template: Template, vertices: np.ndarray, size: int) -> np.ndarray:
    """Return unit normals as an image u2 (size, size, 3): (value - 32768) / 32767; 0, 0, 0 beside the mesh."""
    places, normals = _between(template, mesh_normals(vertices, template.triangles), size)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)  # between vertices they are shorter
    return _image(places, normals * NORMAL_STEPS + MIDDLE, size)


def _between(template: Template, values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels (P,) on the mesh, and the values of its vertices (V, 3) interpolated there (P, 3)."""
    places, corners, weights = _pixels(template, size)
    return places, np.einsum("pc,pcj->pj", weights, values[corners])


def _image(places: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    image = np.zeros((size * size, 3), np.uint16)
    image[places] = np.rint(values).astype(np.uint16)
    return image.reshape(size, size, 3)
