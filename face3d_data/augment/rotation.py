"""Operation `rotation`: rotate a face about its own centre."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.motion import MOVED, about, face_centre, move
from face3d_data.augment.operation import ArrayNames, Operation, Record, uniform
from face3d_data.registry import register
from face3d_data.sample import MAPS, Tag


@register
class Rotation(Operation):
    """Turn the face about its nose tip, each angle drawn evenly within its bounds.

    About the axes of the points' own frame: pitch about x, then yaw about y, then roll about z. Positive angles turn
    right-handedly, so that a yaw in the camera frame (y down) is the opposite yaw in the face frame (y up).
    """

    name: ClassVar[str] = "rotation"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = MOVED
    removes: ClassVar[ArrayNames] = MAPS
    draws: ClassVar[ArrayNames] = ("yaw_deg", "pitch_deg", "roll_deg")
    strengths: ClassVar[ArrayNames] = draws

    yaw_deg: float = Field(0.0, ge=0, le=180, description="largest yaw (to the side), ± this, degrees")
    pitch_deg: float = Field(0.0, ge=0, le=180, description="largest pitch (nodding), ± this, degrees")
    roll_deg: float = Field(0.0, ge=0, le=180, description="largest roll (tilt in the image), ± this, degrees")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the three angles in degrees."""
        return {name: uniform(rng, -getattr(self, name), getattr(self, name)) for name in self.draws}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return points, landmarks, normals and pose after the rotation."""
        yaw, pitch, roll = (float(record[name]) for name in self.draws)
        if yaw == pitch == roll == 0:
            return {}
        return move(arrays, about(face_centre(arrays), rotation(yaw, pitch, roll)))


def rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """Return the rotation (3, 3) by a pitch about x, then a yaw about y, then a roll about z, in degrees."""
    (sy, cy), (sx, cx), (sz, cz) = (
        (np.sin(angle), np.cos(angle)) for angle in np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    )
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x
