"""Mesh parts of occluders: tubes, sheets and discs, kept outside the skin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from face3d_data.wear.head_map import STEP_MM, roll_up, sample_map, unroll
from face3d_data.wear.occluder import Occluder, Paint

OTHER_OCCLUDER = 2
"""Label in `occlusion` of what is no face mask."""


@dataclass(frozen=True, eq=False)
class OccluderMesh:
    """A piece of an occluder; arrays as in `Occluder`, in f8 until it is assembled."""

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    coords: np.ndarray


def grid_mesh(points: np.ndarray, coords: np.ndarray, *, closed: bool = False) -> OccluderMesh:
    """Return the sheet through a grid of points.

    Args:
        points: (R, C, 3), rows upwards and columns to the right as seen from outside, mm.
        coords: (R, C, 2), surface coordinates, mm.
        closed: the last column joins the first.
    """
    rows, columns = points.shape[:2]
    along = np.roll(points, -1, axis=1) - np.roll(points, 1, axis=1) if closed else np.gradient(points, axis=1)
    normals = unit(np.cross(along, np.gradient(points, axis=0)))
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1) if closed else index[:, 1:]
    left = index if closed else index[:, :-1]
    a, b, c, d = left[:-1], right[:-1], left[1:], right[1:]
    triangles = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, d), (a, d, c))])
    return OccluderMesh(points.reshape(-1, 3), normals.reshape(-1, 3), triangles, coords.reshape(-1, 2))


def tube(
    path: np.ndarray, half_width: np.ndarray | float, half_height: np.ndarray | float, up: np.ndarray, sides: int = 8
) -> OccluderMesh:
    """Return an elliptical tube with rounded ends along a path.

    Args:
        path: (N, 3), N ≥ 2, mm.
        half_width: (N,) or one number, mm, across `up` and the path.
        half_height: (N,) or one number, mm, along `up`.
        up: (3,) or (N, 3), any direction across the path.
        sides: corners of the cross-section.

    Returns:
        The mesh; its coordinates are the length along the path and the way round, mm.
    """
    step = np.linalg.norm(np.diff(path, axis=0), axis=1)
    length = np.concatenate([[0.0], np.cumsum(step)])
    tangent = unit(np.gradient(path, axis=0))
    across = unit(np.cross(np.broadcast_to(up, path.shape), tangent))
    upward = np.cross(tangent, across)
    size = np.stack(np.broadcast_arrays(half_width, half_height, length), axis=1)[:, :2].astype(np.float64)
    centre, size = _rounded(path, tangent, size)
    ends = [0, *range(len(path)), len(path) - 1]
    angle = np.linspace(0.0, 2 * np.pi, sides, endpoint=False)
    round_it = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    frames = np.stack([across[ends], upward[ends]], axis=1)
    ring = np.einsum("sk,nk,nkj->nsj", round_it, size, frames)
    outward = unit(np.einsum("sk,nk,nkj->nsj", round_it, 1.0 / np.maximum(size, 1e-3), frames))
    outward[0], outward[-1] = -tangent[0], tangent[-1]
    around = np.broadcast_to(angle * float(size.max()), (len(ends), sides))
    coords = np.stack([np.broadcast_to(length[ends][:, None], around.shape), around], axis=-1)
    mesh = grid_mesh(centre[:, None] + ring, coords, closed=True)
    return replace(mesh, normals=outward.reshape(-1, 3))


def _rounded(path: np.ndarray, tangent: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres and half axes of a tube's rings, with one more of no width beyond each end."""
    cap = 0.6 * size[[0, -1]].min(axis=1)
    beyond = path[[0, -1]] + np.array([[-cap[0]], [cap[1]]]) * tangent[[0, -1]]
    return np.vstack([beyond[:1], path, beyond[1:]]), np.vstack([[1e-3, 1e-3], size, [1e-3, 1e-3]])


def ring(path: np.ndarray, half_width: float, half_height: float, up: np.ndarray, sides: int = 8) -> OccluderMesh:
    """Return a closed elliptical tube along a closed path (N, 3), the last place of which joins the first."""
    tangent = unit(np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0))
    across = unit(np.cross(up, tangent))
    upward = np.cross(tangent, across)
    angle = np.linspace(0.0, 2 * np.pi, sides, endpoint=False)
    round_it = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    frames = np.stack([across, upward], axis=1)
    size = np.array([half_width, half_height])
    section = np.einsum("sk,nkj->nsj", round_it * size, frames)
    outward = unit(np.einsum("sk,nkj->nsj", round_it / size, frames))
    index = np.arange(len(path) * sides).reshape(len(path), sides)
    a, b, c, d = index, np.roll(index, -1, 1), np.roll(index, -1, 0), np.roll(np.roll(index, -1, 0), -1, 1)
    triangles = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, d), (a, d, c))])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    coords = np.stack(np.broadcast_arrays(length[:, None], angle[None] * size.max()), axis=-1)
    return OccluderMesh(
        (path[:, None] + section).reshape(-1, 3), outward.reshape(-1, 3), triangles, coords.reshape(-1, 2)
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (..., 3) of length one; zero vectors stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def keep_outside(points: np.ndarray, radius: np.ndarray, clearance_mm: float | np.ndarray) -> np.ndarray:
    """Return points (..., 3) of the face frame, those less than a clearance above a radius map lifted to it."""
    plane, r = unroll(points)
    return roll_up(plane, np.maximum(r, sample_map(radius.astype(np.float64), plane) + clearance_mm))


def spanned(radius: np.ndarray, across_mm: float, up_mm: float) -> np.ndarray:
    """Return a radius map (151, 161) f4 whose hollows narrower than an ellipse of these axes are bridged, smoothly."""
    import cv2

    cells = [2 * round(length / (2 * STEP_MM)) + 1 for length in (across_mm, up_mm)]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, cells)
    closed = cv2.morphologyEx(radius.astype(np.float32), cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(closed, (0, 0), max(min(cells) / 5, 0.6), borderType=cv2.BORDER_REPLICATE)
    return np.maximum(smooth, radius)


def assemble(
    pieces: Sequence[tuple[OccluderMesh, int | np.ndarray]], paint: Paint, see_through: tuple[float, ...] = ()
) -> Occluder:
    """Return one occluder of meshes, each with the number of its part or those of its triangles, (T,)."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh, _ in pieces)])
    triangles = np.concatenate([mesh.triangles + offset for (mesh, _), offset in zip(pieces, offsets, strict=False)])
    return Occluder(
        vertices=np.concatenate([mesh.vertices for mesh, _ in pieces]).astype(np.float32),
        normals=np.concatenate([mesh.normals for mesh, _ in pieces]).astype(np.float32),
        triangles=triangles.astype(np.uint32),
        coords=np.concatenate([mesh.coords for mesh, _ in pieces]).astype(np.float32),
        part=np.concatenate([np.broadcast_to(part, len(mesh.triangles)) for mesh, part in pieces]).astype(np.uint8),
        paint=paint,
        label=OTHER_OCCLUDER,
        see_through=see_through,
    )
