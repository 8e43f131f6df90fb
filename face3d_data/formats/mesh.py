"""Triangle meshes, the result of the codecs of mesh files, and their shared checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.remarks import remark

_SIXTEEN_BITS = 65535
SMALL_POLYGON = 100
"""A polygon with at most this many corners is always accepted; a larger one needs a mesh with as many vertices."""


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


def fan(indices: np.ndarray, starts: np.ndarray, sizes: np.ndarray, n_vertices: int, name: str) -> np.ndarray:
    """Return the triangles i4 (T, 3) of polygons, each cut as a fan from its first corner; lines and points give none.

    Args:
        indices: int (n,), the corners of all polygons.
        starts: int (P,), where each polygon's corners begin in `indices`.
        sizes: int (P,), how many it has.
        n_vertices: how many vertices there are.
        name: the file's name, for errors.

    Raises:
        Unreadable: `unreadable`: a polygon comes by a vertex again and again.
    """
    most = int(sizes.max(initial=0))
    if most > max(n_vertices, SMALL_POLYGON):
        raise Unreadable(
            "unreadable", f"{name}: a face has {most:,} corners, but there are only {n_vertices:,} vertices"
        )
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
        raise Unreadable("unreadable", f"{name}: {what} refers to vertex {value}, but there are {n_vertices}")


def colors_u1(values: np.ndarray, name: str) -> np.ndarray:
    """Return colours u1 (N, 3) of numbers from 0 to 1, to 255 where one is above 1, or to 65535 where one is above 255.

    A colour costs no shape: one that is no number or outside is black (0, 0, 0), with a remark.

    Args:
        values: (N, 3), red, green, blue.
        name: the file's name, for the remark.
    """
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    values = values.astype(np.float64)
    good = np.all((values >= 0) & (values <= _SIXTEEN_BITS), axis=1)
    whole = bool((values[good] == np.floor(values[good])).all())
    if not whole:
        good &= np.all(values <= 255, axis=1)  # of 16 bits, all are whole numbers
    high = float(values[good].max(initial=0.0))
    scale = 255.0 if high <= 1 else 1.0 if high <= 255 else 255 / _SIXTEEN_BITS
    if not good.all():
        remark(f"{name}: {np.count_nonzero(~good)} of {len(good)} colours are invalid: they become black")
        values = np.where(good[:, None], values, 0.0)
    return np.rint(values * scale).astype(np.uint8)


def coloured_vertices(
    values: np.ndarray, words: np.ndarray, color_at: int, name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return vertices f8 (V, 3) and their colours u1 (V, 3) of rows that may have a colour each.

    There are colours where the first row has one; others that lack theirs are black then. Both come with a remark.

    Args:
        values: f8 (n,), the numbers of all rows.
        words: int (V,), how many numbers each row has, 3 at least.
        color_at: place of red in a row.
        name: the file's name, for the remark.
    """
    begins = np.cumsum(words) - words
    vertices = values[begins[:, None] + np.arange(3)]
    has = words >= color_at + 3
    if not has.any():
        return vertices, None
    if not has.all():
        fate = "ignored, as the first has none" if not has[0] else "black"
        remark(f"{name}: {np.count_nonzero(~has)} of {len(has)} vertices have no colour: {fate}")
    if not has[0]:
        return vertices, None
    colors = np.zeros((len(words), 3))
    colors[has] = values[begins[has, None] + np.arange(color_at, color_at + 3)]
    return vertices, colors_u1(colors, name)
