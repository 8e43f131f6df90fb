"""Operation `virtual_view`: the same face as seen by another camera."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.motion import about, face_centre
from face3d_data.augment.operation import ArrayNames, Operation, Record, take_rows, uniform
from face3d_data.augment.raster import PointsInView, angular_spacing, own_raster, points_in_view
from face3d_data.augment.visibility import visible
from face3d_data.registry import register
from face3d_data.sample import MAPS, PER_POINT, PIXELS, VERTEX_VALUES, Tag

NEAREST_MM = 250.0
"""No camera is put nearer to the face than this, or than the capture's own."""


@register
class VirtualView(Operation):
    """Look at the face with another camera, and take away the points that it does not see.

    The camera is led around the nose tip: by a positive yaw to the right of the old image, by a positive pitch above
    it, each drawn evenly within its bounds, as is its distance. What it sees is what the old one saw, without points
    that then are turned away or hidden behind others.

    The points that stay, landmarks and normals stay where they are, in their own frame; `pose` leads from the *new*
    camera's frame to it. So an aligned face stays aligned, and noise that is added later is along the new rays. To show
    the face turned as well, add a rotation or set the points into the new camera's frame by inverting `pose`. Images,
    their camera, what is measured in their pixels, and which vertices were seen are of the old view, and are removed.
    """

    name: ClassVar[str] = "virtual_view"
    version: ClassVar[int] = 2
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = ("points", *PER_POINT, "pose")
    reads: ClassVar[ArrayNames] = ("landmarks_3d",)
    removes: ClassVar[ArrayNames] = (
        "color", "depth", "intrinsics", "grid", "grid_color", "box", *PIXELS, *VERTEX_VALUES, *MAPS,
    )  # fmt: skip
    draws: ClassVar[ArrayNames] = ("view_yaw_deg", "view_pitch_deg", "view_distance_mm", "view_thin")
    strengths: ClassVar[ArrayNames] = ("view_yaw_deg", "view_pitch_deg", "view_distance_mm")

    view_yaw_deg: float = Field(
        0.0, ge=0, le=120, description="largest movement of the camera sideways, ± this, degrees"
    )
    view_pitch_deg: float = Field(
        0.0, ge=0, le=89, description="largest movement of the camera up or down, ± this, degrees"
    )
    view_distance_mm: float = Field(
        0.0, ge=0, le=2000, description="largest movement of the camera away or closer, ± this, mm"
    )
    view_thin: bool = Field(
        False, description="keep one point per pixel of the new view, with pixels as wide as in the old one"
    )

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return both angles in degrees, the change of distance in mm, and whether points are thinned."""
        names = self.strengths
        bounds = {name: uniform(rng, -getattr(self, name), getattr(self, name)) for name in names}
        return {**bounds, "view_thin": self.view_thin}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the points that the new camera sees, their per-point arrays, and its pose."""
        yaw, pitch, farther = (float(record[name]) for name in self.strengths)
        if yaw == pitch == farther == 0:
            return {}
        seen = points_in_view(arrays["points"], arrays.get("pose", np.eye(4)))
        inverse = np.linalg.inv(seen.camera)
        motion = view_motion(inverse[:3, :3] @ face_centre(arrays) + inverse[:3, 3], yaw, pitch, farther)
        rows = np.flatnonzero(seen.valid)
        rows = rows[visible(seen.points[rows], motion)]
        if record["view_thin"]:
            rows = rows[one_a_pixel(seen, rows, motion)]
        return {**take_rows(arrays, rows), "pose": seen.camera @ np.linalg.inv(motion)}


def view_motion(centre: np.ndarray, yaw_deg: float, pitch_deg: float, farther_mm: float) -> np.ndarray:
    """Return the motion (4, 4) from a camera's frame to that of one which is led round a place.

    Args:
        centre: (3,), mm, in the camera's frame: seen by both cameras in the same direction.
        yaw_deg: to the right in the image, about the camera's y axis.
        pitch_deg: upwards, before the yaw.
        farther_mm: by how much the centre is deeper in the new view; the camera is not put nearer than 250 mm.
    """
    (sy, cy), (sx, cx) = ((np.sin(angle), np.cos(angle)) for angle in np.deg2rad([yaw_deg, pitch_deg]))
    sideways = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    upwards = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    motion = about(centre, (sideways @ upwards).T)
    motion[2, 3] += max(farther_mm, min(NEAREST_MM - centre[2], 0))
    return motion


def one_a_pixel(seen: PointsInView, rows: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return which of these rows to keep, bool: the nearest in each pixel of a camera that is as sharp as the old one.

    Args:
        seen: the points as the old camera saw them.
        rows: int (M,), those that the new camera sees.
        motion: (4, 4), old camera's frame to the new one's.
    """
    moved = seen.points[rows] @ motion[:3, :3].T + motion[:3, 3]
    view = PointsInView(seen.camera, moved, moved[:, 2] > 0)
    raster = own_raster(view, angular_spacing(seen.tangents()[seen.valid]))
    order = np.argsort(view.depths(), kind="stable")
    first = order[np.unique(raster.pixel[order], return_index=True)[1]]
    kept = np.zeros(len(rows), bool)
    kept[first] = True
    return kept
