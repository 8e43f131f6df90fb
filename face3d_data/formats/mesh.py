"""Triangle meshes: what the codecs of mesh files give, and what they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.errors import Unreadable


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in its file's own units and axes.

    Attributes:
        vertices: f8 (V, 3).
        triangles: i4 (T, 3), counter-clockwise seen from outside, each index below V.
        colors: u1 (V, 3) RGB, or None where the file has no colour for its vertices.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    colors: np.ndarray | None = None


def fan(indices: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the triangles i4 (T, 3) of polygons, each cut as a fan from its first corner; lines and points give none.

    Args:
        indices: int (n,), the corners of all polygons.
        starts: int (P,), where each polygon's corners begin in `indices`.
        sizes: int (P,), how many it has.
    """
    indices, starts = indices.astype(np.int32), starts.astype(np.int32)
    each = np.maximum(sizes - 2, 0).astype(np.int32)
    if (each == 1).all():
        return np.stack([indices[starts], indices[starts + 1], indices[starts + 2]], axis=1)
    first = np.repeat(starts, each)
    step = np.arange(len(first), dtype=np.int32) - np.repeat(np.cumsum(each, dtype=np.int32) - each, each)
    return np.stack([indices[first], indices[first + step + 1], indices[first + step + 2]], axis=1)


def check_indices(indices: np.ndarray, n_vertices: int, name: str, what: str = "a face") -> None:
    """Check that corners of faces, int (n,), are vertices that are there.

    Raises:
        Unreadable: `unreadable`, naming the first that is not.
    """
    wrong = np.flatnonzero((indices < 0) | (indices >= n_vertices))
    if len(wrong):
        value = int(indices[wrong[0]])
        raise Unreadable("unreadable", f"{name}: {what} names vertex {value}, and there are {n_vertices}")


def colors_u1(values: np.ndarray, name: str) -> np.ndarray:
    """Return colours u1 (N, 3) of numbers from 0 to 1, or from 0 to 255 where one is above 1.

    Raises:
        Unreadable: `unreadable`: a number is outside, or none.
    """
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    values = values.astype(np.float64)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if not (low >= 0 and high <= 255):
        bad = low if not low >= 0 else high
        raise Unreadable("unreadable", f"{name}: a colour is {bad:g}, wanted 0 to 1 or 0 to 255")
    return np.rint(values * 255 if high <= 1 else values).astype(np.uint8)
