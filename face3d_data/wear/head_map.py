"""Head map, the unrolled head: a surface around a head as a radial map over a plane, and the mean head in this form.

Seen from a centre inside the head, a point of the face frame has a direction and a radius. The direction is laid out by
the azimuthal equidistant projection about an axis through the mouth (Snyder 1987, Map Projections, p. 191): plane
coordinates are about millimetres on the skin, and whatever is worn is a radius field over them. `mean_head.npz` is made
by `benchmarks/make_mean_head.py` from the package's own synthetic people.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from face3d_data.resources import Asset

MEAN_HEAD_ASSET = Asset("geometry/mean_head.npz", "wear/mean_head.npz")
CENTRE = np.array([0.0, -20.0, -85.0])
"""Inside the head behind the mouth, face frame, mm: face, jaw, throat, ears and crown are all seen from it."""
AXIS = np.array([0.0, -0.26, 0.97]) / np.hypot(0.26, 0.97)
RADIUS_MM = 80.0
"""Plane millimetres a radian: a face is about so far from the centre."""
STEP_MM = 2.0
ORIGIN_MM = np.array([-160.0, -150.0])
"""Plane coordinates of the grid's first row and column."""
SHAPE = (151, 161)
_UP = np.array([0.0, AXIS[2], -AXIS[1]])
_STORED_PER_MM = 100.0


@dataclass(frozen=True)
class MeanHead:
    """The mean bald head, without ears and hair, its neck continued downwards; face frame, mm.

    Attributes:
        radius: f4 (151, 161), distances from `CENTRE` on the grid; rows towards the crown, columns to image right.
        landmarks: f4 (5, 3), those of the mean face.
        chin: f4 (3,), the pogonion: the foremost point of the chin.
        menton: f4 (3,), the lowest point of the chin.
    """

    radius: np.ndarray
    landmarks: np.ndarray
    chin: np.ndarray
    menton: np.ndarray


def unroll(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return plane coordinates and radii of points.

    Args:
        points: (..., 3), face frame, mm.

    Returns:
        (..., 2) and (...), mm, in the dtype of `points`; the centre itself gives zeros.
    """
    offset = points.astype(np.float64)
    for axis in range(3):
        offset[..., axis] -= CENTRE[axis]  # four times as fast as to take off a row of three
    right, up, along = offset[..., 0], offset @ _UP, offset @ AXIS
    squared = right * right + up * up
    across, radius = np.sqrt(squared), np.sqrt(squared + along * along)
    scale = RADIUS_MM * np.arctan2(across, along) / np.maximum(across, 1e-12)
    plane = np.empty((*radius.shape, 2), points.dtype)
    plane[..., 0], plane[..., 1] = right * scale, up * scale
    return plane, radius.astype(points.dtype)


def directions(plane: np.ndarray) -> np.ndarray:
    """Return the unit directions (..., 3) from the centre, face frame, of plane coordinates (..., 2), same dtype."""
    exact = plane.astype(np.float64)
    angle = np.hypot(exact[..., 0], exact[..., 1]) / RADIUS_MM
    share = np.sinc(angle / np.pi) / RADIUS_MM  # sin(angle) / angle, and 1 at the axis
    up = exact[..., 1] * share
    along = np.cos(angle)
    out = np.stack([exact[..., 0] * share, up * _UP[1] + along * AXIS[1], up * _UP[2] + along * AXIS[2]], axis=-1)
    return out.astype(plane.dtype)


def roll_up(plane: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Return the points (..., 3), face frame, mm, at plane coordinates (..., 2) and radii (...): undoes `unroll`."""
    exact = directions(plane.astype(np.float64)) * np.asarray(radius, np.float64)[..., None] + CENTRE
    return exact.astype(plane.dtype)


@cache
def grid_ab() -> np.ndarray:
    """Return the plane coordinates f4 (151, 161, 2) of the grid, mm; read-only."""
    rows, columns = (ORIGIN_MM[1 - i] + STEP_MM * np.arange(SHAPE[i]) for i in (0, 1))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).astype(np.float32)
    grid.flags.writeable = False
    return grid


@cache
def grid_directions() -> np.ndarray:
    """Return the unit directions f4 (151, 161, 3) of the grid; read-only."""
    grid = directions(grid_ab())
    grid.flags.writeable = False
    return grid


def sample_map(values: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """Interpolate a map bilinearly; beyond the grid the nearest edge counts.

    Args:
        values: f4 (151, 161) or (151, 161, C).
        plane: (..., 2), mm.

    Returns:
        (...) or (..., C), in the dtype of `values`.
    """
    at = (plane - ORIGIN_MM.astype(plane.dtype)) * plane.dtype.type(1.0 / STEP_MM)
    column = np.clip(at[..., 0], 0, SHAPE[1] - 1)
    row = np.clip(at[..., 1], 0, SHAPE[0] - 1)
    left = np.minimum(column.astype(np.intp), SHAPE[1] - 2)
    below = np.minimum(row.astype(np.intp), SHAPE[0] - 2)
    trailing = (...,) + (None,) * (values.ndim - 2)
    u, v = (column - left).astype(values.dtype)[trailing], (row - below).astype(values.dtype)[trailing]
    flat = values.reshape(-1, *values.shape[2:])
    corner = below * SHAPE[1] + left
    lower = flat[corner] * (1 - u) + flat[corner + 1] * u
    upper = flat[corner + SHAPE[1]] * (1 - u) + flat[corner + SHAPE[1] + 1] * u
    return lower * (1 - v) + upper * v


def radius_normals(radius: np.ndarray, every: int = 1) -> np.ndarray:
    """Return the outward unit normals (R, C, 3), face frame, of a radius map (R, C), in its dtype.

    Central differences of the rolled-up grid; at its border they are one-sided.

    Args:
        radius: of every n-th row and column of the grid.
        every: that n; 1: all, (151, 161).
    """
    points = grid_directions()[::every, ::every] * radius[..., None]
    along, up = (np.moveaxis(np.gradient(points, axis=axis), -1, 0) for axis in (1, 0))
    normals = np.stack([along[i - 2] * up[i - 1] - along[i - 1] * up[i - 2] for i in range(3)], axis=-1)
    normals /= np.maximum(np.sqrt(np.einsum("rci,rci->rc", normals, normals)), 1e-12)[..., None]
    return normals.astype(radius.dtype)


def map_mesh(radius: np.ndarray, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return a radius map (151, 161) as vertices f4 (V, 3), face frame, and triangles u4 (T, 3).

    Vertices are in the order of the grid, of every n-th row and column (all: 24,311, 48,000 triangles); triangles are
    counter-clockwise seen from outside.
    """
    points = grid_directions()[::every, ::every] * radius[::every, ::every, None]
    vertices = (points.reshape(-1, 3) + CENTRE).astype(np.float32)
    return vertices, _grid_triangles(*points.shape[:2])


@cache
def _grid_triangles(rows: int, columns: int) -> np.ndarray:
    index = np.arange(rows * columns, dtype=np.uint32).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    triangles = np.concatenate([np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, b, d), (a, d, c))])
    triangles.flags.writeable = False
    return triangles


def save_mean_head(path: str | Path, head: MeanHead) -> None:
    """Write a mean head, its radii in hundredths of a millimetre as u2, the same bytes every time."""
    path = Path(path)
    np.savez_compressed(
        path,
        radius=np.rint(head.radius * _STORED_PER_MM).astype(np.uint16),
        landmarks=head.landmarks.astype(np.float32),
        chin=head.chin.astype(np.float32),
        menton=head.menton.astype(np.float32),
    )


def read_mean_head(path: str | Path) -> MeanHead:
    """Read what `save_mean_head` wrote; arrays are read-only."""
    path = Path(path)
    with np.load(path) as stored:
        radius = stored["radius"].astype(np.float32) / np.float32(_STORED_PER_MM)
        head = MeanHead(radius, stored["landmarks"], stored["chin"], stored["menton"])
    for array in (head.radius, head.landmarks, head.chin, head.menton):
        array.flags.writeable = False
    return head


@cache
def mean_head() -> MeanHead:
    """Return the mean head that the package ships, read once per process."""
    return read_mean_head(MEAN_HEAD_ASSET.file)
