"""Own colours of a person's skin and hair, so that a hand or a fringe matches them."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.align import rotate, transform
from face3d_data.geometry.camera import project
from face3d_data.wear.head_map import radius_normals, roll_up, sample_map, unroll
from face3d_data.wear.light import to_display, to_linear
from face3d_data.wear.wearing import Face

SKIN_AB = ((-48.0, 26.0), (48.0, 100.0))
"""Corners in the mean head's plane, mm: cheeks, nose and forehead."""
HAIR_AB = ((-58.0, 114.0), (58.0, 148.0))
HAIR_MM = 8.0
"""About how thick hair is there."""
NEAR_MM = (15.0, 25.0)
"""Readings so far from skin and from hair are of something else."""
FEWEST = 25
FACING = 0.15
BALD = 0.30
"""What differs less from the skin, in logarithms of linear light, is no hair."""


def skin_color(face: Face) -> str | None:
    """Return the albedo of a face's skin as `#rrggbb`; None where its colours are not known."""
    albedo = _albedo(face, SKIN_AB, 0.0, NEAR_MM[0])
    return None if albedo is None else _hex(albedo)


def hair_color(face: Face) -> str | None:
    """Return the albedo of a person's hair as `#rrggbb`; None where none is seen."""
    skin, hair = _albedo(face, SKIN_AB, 0.0, NEAR_MM[0]), _albedo(face, HAIR_AB, HAIR_MM, NEAR_MM[1])
    if skin is None or hair is None or np.abs(np.log(hair / skin)).max() < BALD:
        return None
    return _hex(hair)


def _albedo(
    face: Face, corners: tuple[tuple[float, float], tuple[float, float]], above_mm: float, near_mm: float
) -> np.ndarray | None:
    """Return the median albedo f8 (3,), linear light, of a rectangle of the plane; None where too little is seen."""
    if face.view.color is not None and face.view.intrinsics is not None:
        colors, normals = _in_image(face, face.view.color, face.view.intrinsics, corners, above_mm, near_mm)
    elif face.view.point_colors is not None:
        colors, normals = _in_cloud(face, face.view.point_colors, corners, above_mm, near_mm)
    else:
        return None
    if len(colors) < FEWEST:
        return None
    light = face.view.light.on(rotate(normals, np.linalg.inv(face.view.to_face)))
    level = np.maximum(light, 1e-3).reshape(len(colors), -1)
    return np.clip(np.median(to_linear(colors) / level, axis=0), 0.004, 0.95)


def _in_image(
    face: Face, color: np.ndarray, intrinsics: np.ndarray, corners: tuple, above_mm: float, near_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return colours u1 (N, 3) and normals f4 (N, 3), face frame, of the pixels that show a rectangle of the plane."""
    view = face.view
    (a0, b0), (a1, b1) = corners
    places = np.stack(np.meshgrid(np.arange(a0, a1, 2.0), np.arange(b0, b1, 2.0)), axis=-1).reshape(-1, 2)
    plane = face.skin.to_person(places).astype(np.float32)
    points = roll_up(plane, sample_map(face.skin.radius, plane) + above_mm)
    normals = sample_map(radius_normals(face.skin.radius), plane)
    seen = transform(points, np.linalg.inv(view.to_face))
    pixels = np.rint(project(np.maximum(seen, [-np.inf, -np.inf, 1.0]), intrinsics))
    height, width = color.shape[:2]
    toward = view.to_face[:3, 3] - points
    facing = np.einsum("ij,ij->i", normals, toward) > FACING * np.linalg.norm(toward, axis=1)
    inside = facing & (pixels >= 0).all(axis=1) & (pixels < [width, height]).all(axis=1)
    at = pixels[inside].astype(np.intp)
    if view.depth is not None:
        near = np.abs(view.depth[at[:, 1], at[:, 0]] - seen[inside, 2]) < near_mm
        at, inside = at[near], np.flatnonzero(inside)[near]
    return color[at[:, 1], at[:, 0]], normals[inside]


def _in_cloud(
    face: Face, point_colors: np.ndarray, corners: tuple, above_mm: float, near_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of the points that are there."""
    view = face.view
    points = transform(view.camera_points, view.to_face)
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    plane, r = unroll(points[finite])
    inside = (face.skin.to_mean(plane) > corners[0]).all(axis=1) & (face.skin.to_mean(plane) < corners[1]).all(axis=1)
    inside &= np.abs(r - sample_map(face.skin.radius.astype(np.float64), plane) - above_mm) < near_mm
    normals = sample_map(radius_normals(face.skin.radius), plane[inside].astype(np.float32))
    return point_colors[finite[inside]], normals


def _hex(albedo: np.ndarray) -> str:
    return "#" + "".join(f"{round(float(value)):02x}" for value in to_display(albedo))
