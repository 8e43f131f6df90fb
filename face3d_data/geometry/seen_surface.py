"""Visible surface of a mesh, from the outside and the front: what the skin hides is not part of a face scan.

Heads that are modelled have eyeballs, a mouth bag, teeth and an inner wall behind the skin. From each point rays go out
along those of many directions over the front that do not graze its surface; on either side, for how triangles are wound
does not matter. A point of the skin has most of them free, one behind it only those that happen to meet an opening.
"""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.geometry.surface import face_normals

VIEWS = 24
FIRST_VIEWS = 8
LEAST_FACING = 2
"""A point with at least this many of the first directions on one side, all free, is visible: most of a bare scan is."""
WIDEST_DEG = 70.0
"""Largest angle of a direction from the front: enough for the sides of a face, too little to look in from behind."""
STEEPEST_DEG = 55.0
"""At a greater angle to its normal a surface is only grazed: gaps and borders would show what is inside."""
LEAST_FREE = 0.3
"""Share of the directions on one side of a point that must be free. On bare scans of faces 0.05 % have less."""
CLEAR = 2e-4
"""Share of the mesh's largest extent within which a ray's own surface does not stop it."""
_GOLDEN = np.pi * (1 + 5**0.5)


def view_directions(front: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return unit vectors f8 (VIEWS, 3), spread evenly within `WIDEST_DEG` of the front (a Fibonacci spiral).

    Args:
        front: (3,), unit, where the face looks.
        up: (3,), unit, at a right angle to it.
    """
    # Five steps on along the spiral each time, so that the first directions are spread as evenly as all are.
    number = np.arange(VIEWS) * 5 % VIEWS + 0.5
    ahead = 1 - number / VIEWS * (1 - np.cos(np.radians(WIDEST_DEG)))
    beside = np.sqrt(1 - ahead**2)[:, None]
    turn = (_GOLDEN * number)[:, None]
    return ahead[:, None] * front + beside * (np.cos(turn) * np.cross(up, front) + np.sin(turn) * up)


def distinct_triangles(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return the triangles (U, 3) that have an area, each three places once, however they are wound.

    Thousands of triangles at one place stop a ray no more than one does, and make it thousands of times as slow.

    Args:
        vertices: (V, 3), finite.
        triangles: int (T, 3).
    """
    corners = np.sort(numbers_of_rows(*vertices.T)[triangles], axis=1)
    numbers = numbers_of_rows(corners[:, 0] * len(vertices) + corners[:, 1], corners[:, 2])
    kept = np.sort(np.unique(numbers, return_index=True)[1])
    areas, _ = face_normals(vertices.astype(np.float64), triangles[kept])
    return np.asarray(triangles[kept[areas > 0]])


def numbers_of_rows(*columns: np.ndarray) -> np.ndarray:
    """Return for each row of columns (N,) a number that only equal rows share: int (N,), below N."""
    # As np.unique over rows gives it, several times as fast.
    order = np.lexsort(columns)
    new = np.zeros(len(order), bool)
    for column in columns:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def seen_points(
    vertices: np.ndarray,
    triangles: np.ndarray,
    points: np.ndarray,
    normals: np.ndarray,
    front: np.ndarray,
    up: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which points of a mesh's surface are seen, and from which side.

    Args:
        vertices: f8 (V, 3), finite.
        triangles: int (T, 3).
        points: f8 (N, 3), on the triangles.
        normals: (N, 3), unit, of the surface there, out of either side.
        front: (3,), unit, where the face looks, in the mesh's axes.
        up: (3,), unit, at a right angle to it.

    Returns:
        bool (N,), whether it is seen; bool (N,), whether more of the directions on the side away from its normal are
        free than on that of its normal: its triangle is wound the other way round.
    """
    core = open3d().core
    low, high = points.min(axis=0), points.max(axis=0)
    middle, extent = (low + high) / 2, float((high - low).max()) or 1.0

    def unit_size(places: np.ndarray) -> np.ndarray:
        # Rays are cast in float32: near 0 and of size 1 it loses least.
        return np.ascontiguousarray((places - middle) / extent, np.float32)

    scene = open3d().t.geometry.RaycastingScene(nthreads=1)
    placed = unit_size(vertices)
    obstacles = np.ascontiguousarray(distinct_triangles(placed, triangles), np.uint32)
    scene.add_triangles(core.Tensor(placed), core.Tensor(obstacles))
    starts = unit_size(points)
    # For each side of the surface, that of the normal last: directions that do not graze it, and those that are free.
    facing, free = np.zeros((2, 2, len(points)), np.int16)
    asked = np.ones(len(points), bool)
    for number, view in enumerate(view_directions(np.asarray(front, np.float64), np.asarray(up, np.float64))):
        if number == FIRST_VIEWS:
            asked = ~((facing >= LEAST_FACING) & (free == facing)).any(axis=0)
        cosine = normals @ view
        chosen = np.flatnonzero(asked & (np.abs(cosine) >= np.cos(np.radians(STEEPEST_DEG))))
        rays = np.empty((len(chosen), 6), np.float32)
        rays[:, :3], rays[:, 3:] = starts[chosen], view
        stopped = scene.test_occlusions(core.Tensor(rays), tnear=CLEAR, nthreads=1).numpy()
        side = (cosine[chosen] > 0).astype(np.intp)
        facing[side, chosen] += 1
        free[side, chosen] += ~stopped
    seen = (free >= np.maximum(LEAST_FREE * facing, 1)).any(axis=0)
    return np.asarray(seen), np.asarray(free[0] > free[1])
