"""Outline of a worn mask on a person's unrolled head, and the positions of the cloth inside it.

A mask is worn by a chain of maps: the style's own coordinates (mm from the nose tip on the mean head), how it is worn
(pulled down, hanging from an ear, tilted, another size), and the person's features. All can be inverted, so that
pattern, pleats and seams go with the cloth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator

from face3d_data.wear.head_map import mean_head, unroll
from face3d_data.wear.mask_draw import MaskDraw
from face3d_data.wear.mask_style import MaskStyle, outline_centre
from face3d_data.wear.skin import Skin

N_ANGLES = 240
BELOW_NOSE_TOP, BELOW_MOUTH_TOP = -13.0, -56.0
"""Where the top's middle comes to lie, mm from the nose tip: on the upper lip; between lower lip and chin."""
BELOW_NOSE_BOTTOM, BELOW_MOUTH_BOTTOM = -112.0, -124.0
HANGING_AT = np.array([66.0, -52.0])
HANGING_TURN_DEG, HANGING_WIDTH = 62.0, 0.55


@dataclass(frozen=True)
class WornOutline:
    """A style's outline as worn by one person: maps between the cloth and the person's plane."""

    style: MaskStyle
    draw: MaskDraw
    skin: Skin

    @cached_property
    def nose(self) -> np.ndarray:
        """F4 (2,), the nose tip in the mean head's plane, mm."""
        return unroll(mean_head().landmarks[2:3])[0][0]

    @cached_property
    def centre(self) -> np.ndarray:
        """F8 (2,), the middle of the outline in the style's coordinates, mm."""
        return outline_centre(np.array(self.style.outline))

    @cached_property
    def reach(self) -> np.ndarray:
        """F8 (N_ANGLES + 1,), distance of the outline from its middle at angles 0 (up) to 360 degrees, mm."""
        half = np.array(self.style.outline) - self.centre
        angle = np.unwrap(np.arctan2(half[:, 0], half[:, 1]))
        length = np.hypot(*half.T)
        # Beyond top and bottom the mirrored places go on, so that the curve is level there.
        angle = np.concatenate([-angle[1:3][::-1], angle, 2 * np.pi - angle[-3:-1][::-1]])
        length = np.concatenate([length[1:3][::-1], length, length[-3:-1][::-1]])
        right = PchipInterpolator(angle, length)(np.linspace(0, np.pi, N_ANGLES // 2 + 1))
        return np.concatenate([right, right[-2::-1]])

    def share(self, cloth: np.ndarray) -> np.ndarray:
        """Return the distance of places (..., 2) of the cloth from its middle, 1 at the outline."""
        offset = cloth - self.centre
        return np.hypot(offset[..., 0], offset[..., 1]) / self._reach_at(offset)

    def inward_mm(self, cloth: np.ndarray) -> np.ndarray:
        """Return how far places (..., 2) of the cloth are inside the outline, mm, negative outside; exact near it."""
        offset = cloth - self.centre
        reach = self._reach_at(offset)
        slope = np.interp(self._angle(offset), self._angles, np.gradient(self.reach, self._angles))
        return (reach - np.hypot(offset[..., 0], offset[..., 1])) / np.sqrt(1 + (slope / reach) ** 2)

    def outline(self, share: float = 1.0, n: int = N_ANGLES) -> np.ndarray:
        """Return places (n, 2) of the cloth around the outline, or round a share of it, clockwise from the top."""
        angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
        reach = share * np.interp(angle, self._angles, self.reach)
        return self.centre + reach[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)

    def to_outline(self, cloth: np.ndarray) -> np.ndarray:
        """Return places of the cloth moved onto the outline, along the line from the middle."""
        return self.centre + (cloth - self.centre) / np.maximum(self.share(cloth), 1e-6)[..., None]

    def to_person(self, cloth: np.ndarray) -> np.ndarray:
        """Return where places (..., 2) of the cloth are in the person's plane, mm."""
        return self.skin.to_person(self._wear(cloth) + self.nose)

    def to_cloth(self, ab: np.ndarray) -> np.ndarray:
        """Return the inverse of `to_person`."""
        return self._unwear(self.skin.to_mean(ab) - self.nose)

    @property
    def _angles(self) -> np.ndarray:
        return np.linspace(0, 2 * np.pi, N_ANGLES + 1)

    @staticmethod
    def _angle(offset: np.ndarray) -> np.ndarray:
        return np.arctan2(offset[..., 0], offset[..., 1]) % (2 * np.pi)

    def _reach_at(self, offset: np.ndarray) -> np.ndarray:
        return np.interp(self._angle(offset), self._angles, self.reach)

    @cached_property
    def _pulled(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Heights of the cloth and where they are worn, for masks that are pulled down."""
        top, bottom = self.style.outline[0][1], self.style.outline[-1][1]
        ends = {
            "below_nose": (BELOW_NOSE_TOP, BELOW_NOSE_BOTTOM),
            "below_mouth": (BELOW_MOUTH_TOP, BELOW_MOUTH_BOTTOM),
        }
        return (np.array([bottom, top]), np.array(ends[self.draw.worn][::-1])) if self.draw.worn in ends else None

    @cached_property
    def _turn(self) -> np.ndarray:
        """The linear part of size and tilt, and of hanging from an ear, f8 (2, 2)."""
        angle, width = np.deg2rad(self.draw.tilt_deg), 1.0
        if self.draw.worn == "one_ear":
            angle, width = angle + self.draw.side * np.deg2rad(HANGING_TURN_DEG), HANGING_WIDTH
        cos, sin = np.cos(angle), np.sin(angle)
        return np.array([[cos, -sin], [sin, cos]]) @ np.diag([1.0, width]) * self.draw.size

    @cached_property
    def _place(self) -> np.ndarray:
        """Where the outline's middle is worn, f8 (2,), mm from the nose tip."""
        if self.draw.worn == "one_ear":
            return HANGING_AT * [self.draw.side, 1.0]
        if self._pulled is not None:
            return np.array([0.0, self._pulled[1].mean()])
        return self.centre

    def _wear(self, cloth: np.ndarray) -> np.ndarray:
        offset = cloth - self.centre
        if self._pulled is not None:
            offset = offset * [1.0, np.ptp(self._pulled[1]) / np.ptp(self._pulled[0])]
        return offset @ self._turn.T + self._place

    def _unwear(self, worn: np.ndarray) -> np.ndarray:
        offset = (worn - self._place) @ np.linalg.inv(self._turn).T
        if self._pulled is not None:
            offset = offset * [1.0, np.ptp(self._pulled[0]) / np.ptp(self._pulled[1])]
        return offset + self.centre
