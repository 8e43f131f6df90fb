"""Points of mesh files: sampling of surfaces, with each file read once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.mesh import Mesh
from face3d_data.geometry.mesh_pieces import stand_apart
from face3d_data.geometry.seen_surface import seen_points
from face3d_data.geometry.surface import SurfacePoints, face_normals, sample_surface, surface_vertices
from face3d_data.remarks import remark, remarks_into
from face3d_data.unchanged import stat_of

SurfaceChoice = Literal["visible", "all"]
SURFACE_TEXT = (
    "visible: what is visible from the outside, in front, without what the skin hides (eyeballs, "
    "teeth, mouth cavity, inner wall); all: every surface of the file"
)
PointsFrom = Literal["surface", "vertices"]
POINTS_FROM_TEXT = "surface: points sampled evenly on the faces; vertices: the vertices of the file"
N_POINTS_TEXT = "number of points to sample on a surface"
MOST_MESH_POINTS = 5_000_000
LOOKS_AWAY = 0.1
"""Mean of the normals' parts away from the viewer, from -1 to 1, from which on a surface counts as inside out."""
ENOUGH = 1.02
"""Factor on the estimated number of points when sampling again because some were hidden."""
_LARGEST = 1e100


def points_of(
    mesh: Mesh,
    name: str,
    points_from: PointsFrom,
    n_points: int,
    to_camera: Callable[[np.ndarray], np.ndarray],
    surface: SurfaceChoice = "all",
) -> SurfacePoints:
    """Return a mesh's surface as points, with normals that look out of it.

    Faces with a corner that is not finite are left out: scanners mark with NaN what they did not see. The normals of a
    visible surface look to the side from which it is seen, however its faces are wound; of all surfaces, where most
    look away from the viewer, all normals are turned.

    Args:
        mesh: in its file's own units and axes.
        name: the file's name, for errors.
        points_from: what the points are.
        n_points: how many are spread over a surface.
        to_camera: turns vectors (N, 3) of the file into the camera frame, without changing their lengths.
        surface: `visible` leaves out what is not seen from outside, in front.

    Raises:
        Unreadable: `no_surface`: no face has an area; `unreadable`: a coordinate is absurd.
    """
    vertices, triangles = mesh.vertices, mesh.triangles
    sound = np.isfinite(vertices).all(axis=1)
    if not sound.all():
        triangles = triangles[sound[triangles].all(axis=1)]
        vertices = np.where(sound[:, None], vertices, 0.0)
    largest = float(np.abs(vertices).max(initial=0.0))
    if largest > _LARGEST:
        raise Unreadable("unreadable", f"{name}: a coordinate is {largest:g}: damaged")
    try:
        if points_from == "surface":
            made = sample_surface(vertices, triangles, n_points, mesh.colors)
        else:
            made = surface_vertices(vertices, triangles, mesh.colors)
    except ValueError as error:
        raise Unreadable("no_surface", f"{name}: {error}") from None
    if surface == "visible":
        return _seen(made, Mesh(vertices, triangles, mesh.colors), name, points_from, to_camera)
    areas, normals = face_normals(vertices, triangles)
    mean = (areas[:, None] * normals).sum(axis=0) / areas.sum()
    inside_out = to_camera(mean[None])[0, 2] > LOOKS_AWAY
    return SurfacePoints(made.points, -made.normals, made.colors) if inside_out else made


def _seen(
    made: SurfacePoints,
    mesh: Mesh,
    name: str,
    points_from: PointsFrom,
    to_camera: Callable[[np.ndarray], np.ndarray],
) -> SurfacePoints:
    """Return those points that are seen; of a surface as many as were made, as evenly spread.

    Raises:
        Unreadable: `no_surface`: nothing is seen.
    """
    axes = to_camera(np.eye(3)).astype(np.float64)
    front, up = -axes[:, 2], -axes[:, 1]  # the camera looks along z, its y points down

    def chosen(points: SurfacePoints) -> tuple[np.ndarray, np.ndarray]:
        seen, turned = seen_points(mesh.vertices, mesh.triangles, points.points, points.normals, front, up)
        return np.flatnonzero(seen), turned

    if stand_apart(mesh.vertices, mesh.triangles, axes[:, [0, 2]].T):
        remark(f"{name}: two separate pieces of a head's size are next to each other, and both are kept: crop to one")
    kept, turned = chosen(made)
    if not len(kept):
        raise Unreadable(
            "no_surface", f"{name}: nothing of it is visible from the front: check up and front, or set surface: all"
        )
    wanted = len(made.points) if points_from == "surface" else len(kept)
    if len(kept) < wanted:
        more = min(int(wanted**2 / len(kept) * ENOUGH), MOST_MESH_POINTS)
        made = sample_surface(mesh.vertices, mesh.triangles, more, mesh.colors)
        kept, turned = chosen(made)
        kept = kept[np.linspace(0, len(kept) - 1, min(wanted, len(kept))).round().astype(np.intp)]
    colors = None if made.colors is None else made.colors[kept]
    normals = np.where(turned[kept, None], -made.normals[kept], made.normals[kept])
    return SurfacePoints(made.points[kept], normals, colors)


_last: dict[str, tuple[Any, dict[str, np.ndarray], list[str]]] = {}


def last_read(owner: Hashable, path: Path, read: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return what `read` makes of a file, kept until another is read: its arrays are asked for one after the other.

    Args:
        owner: the reader with its options.
        path: the file; one that changed is read again.
        read: gives the file's arrays; they are made read-only.
    """
    key = (owner, path, *stat_of(path))
    # One look-up and one assignment, so that threads may share it.
    kept = _last.get("file")
    if kept is not None and kept[0] == key:
        return _with_remarks(kept[1], kept[2])
    # Before the next is read, or two would be held.
    kept = None
    _last.pop("file", None)
    heard: list[str] = []
    with remarks_into(heard):
        arrays = read(path)
    for array in arrays.values():
        array.flags.writeable = False
    _last["file"] = (key, arrays, heard)
    return _with_remarks(arrays, heard)


def _with_remarks(arrays: dict[str, np.ndarray], heard: list[str]) -> dict[str, np.ndarray]:
    """Return the arrays, having said again what was remarked when they were read."""
    for text in heard:
        remark(text)
    return arrays
