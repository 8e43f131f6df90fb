"""Removal of the lower face, which some studies use instead of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.align import transform
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.occluders.mesh import assemble, grid_mesh, unit
from face3d_data.wear.wearing import Face, visible_share

GREY = 127
LINE_Z_MM = -10.0
"""Depth in the face frame at which the line is drawn: that of the nose's lower half."""
HALF_SIZE_MM = 1000.0


@dataclass(frozen=True)
class CropDraw:
    """One drawn line.

    Attributes:
        line_y_mm: its height in the face frame over the face's middle; the nose tip is at 0.
        line_deg: how much it climbs to image right.
    """

    line_y_mm: float = -8.0
    line_deg: float = 0.0


def draw_crop(rng: np.random.Generator) -> CropDraw:
    """Draw a line between nose bridge and upper lip."""
    return CropDraw(round(float(rng.uniform(-14, 12)), 2), round(float(rng.normal(0, 2.5)), 2))


def remove_below(face: Face, draw: CropDraw) -> tuple[dict[str, np.ndarray], float]:
    """Remove what is seen below a line across the face: no readings, no points, a grey image.

    Args:
        face: whose.
        draw: the line.

    Returns:
        The arrays that change, as `wear` returns them, and the share of the face that is still visible.
    """
    view = face.view
    eye = view.to_face[:3, 3]
    up = _plane_up(eye, draw)
    arrays: dict[str, np.ndarray] = {}
    if view.shape is not None and view.intrinsics is not None:
        below = _pixels_below(view.shape, view.intrinsics, view.to_face[:3, :3].T @ up)
        if view.depth is not None:
            arrays["depth"] = np.where(below, np.float32(0), view.depth)
        if view.color is not None:
            arrays["color"] = np.where(below[..., None], np.uint8(GREY), view.color)
    if view.points is not None:
        kept = ~((transform(view.camera_points, view.to_face) - eye) @ up < 0)
        occlusion = np.zeros(len(view.points), np.uint8) if view.occlusion is None else view.occlusion
        arrays |= {"points": view.points[kept], "occlusion": occlusion[kept]}
        own = {"normals": view.normals, "point_colors": view.point_colors}
        arrays |= {name: array[kept] for name, array in own.items() if array is not None}
    return arrays, visible_share(face, _curtain(eye, up, draw))


def _pixels_below(shape: tuple[int, int], intrinsics: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return bool (H, W), the pixels whose rays are below a plane through the camera with this normal."""
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    across = (np.arange(shape[1]) - cx) / fx * up[0] + up[2]
    down = (np.arange(shape[0]) - cy) / fy * up[1]
    return down[:, None] < -across


def _line(draw: CropDraw) -> tuple[np.ndarray, np.ndarray]:
    """Return a place of the line and its direction, each f8 (3,), face frame."""
    angle = np.deg2rad(draw.line_deg)
    return np.array([0.0, draw.line_y_mm, LINE_Z_MM]), np.array([np.cos(angle), np.sin(angle), 0.0])


def _plane_up(eye: np.ndarray, draw: CropDraw) -> np.ndarray:
    """Return the normal f8 (3,), face frame, of the plane through the viewer and the line: it points upwards."""
    place, along = _line(draw)
    return unit(np.cross(along, place - eye))


def _curtain(eye: np.ndarray, up: np.ndarray, draw: CropDraw) -> Occluder:
    """Return a sheet half-way to the viewer that hides what is removed."""
    place, along = _line(draw)
    edge = (place + eye) / 2 + HALF_SIZE_MM * np.array([[-1.0], [1.0]]) * along
    points = np.stack([edge - 2 * HALF_SIZE_MM * up, edge])
    return assemble([(grid_mesh(points, np.zeros((2, 2, 2))), 0)], _grey)


def _grey(part: np.ndarray, coords: np.ndarray) -> np.ndarray:
    return np.full((len(part), 3), 0.2, np.float32)
