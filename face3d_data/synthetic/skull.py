"""Skull, the smooth head without features: crown, face, under the chin, neck and shoulders as one closed surface.

Frame of the head: x right in the image, y up, z towards the viewer, mm; y = 0 at the pupils, z = 0 at the ears.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from face3d_data.synthetic.identity import Identity

NASION_Y = 7.0
_DENSE = 480


@dataclass(frozen=True)
class Levels:
    """Heights of a person's features above the pupils, mm."""

    tip: float
    subnasale: float
    stomion: float
    mentolabial: float
    pogonion: float
    menton: float

    @classmethod
    def of(cls, p: Identity) -> Levels:
        """Stack the face's vertical measures: nose, upper lip, and the chin in what is left above the menton."""
        tip = NASION_Y - 0.88 * p["nasion_tip"] + 0.5 * p["tip_y"]
        subnasale = NASION_Y - 0.88 * p["nasion_tip"] - 12.0
        menton = NASION_Y - p["nasion_menton"]
        stomion = max(subnasale - p["upper_lip"], menton + 34.0)
        lower = stomion - menton
        return cls(tip, subnasale, stomion, stomion - 0.36 * lower, stomion - 0.62 * lower, menton)


def _control_rows(p: Identity, at: Levels) -> np.ndarray:
    """Return (K, 8): front y, side y, half width, front z, back z, roundness in front, z of the widest point, level.

    A row is level where |sin| of the angle is below the last number; outside it bends up to the side y: the jawline.
    """
    face, skull, jaw = p["bizygomatic"] / 2 + 3.0, p["head_breadth"] / 2, p["bigonial"] / 2 + 3.0
    crown, brow, neck = p["crown_y"], p["brow_y"], p["neck"] / 2
    slope, temple, midface, chin = p["forehead_slope"], p["temple"], p["midface"], p["chin"]
    gonion = at.menton + 32.0 + p["gonion_y"]
    return np.array(
        [
            (crown + 3, crown + 3, 2, -2 - slope, -8, 1.0, -6, 0.42),
            (crown + 1, crown + 1, 0.24 * skull, 14 - slope, -28, 1.0, -6, 0.42),
            (crown - 5, crown - 5, 0.46 * skull, 37 - slope, -53, 0.98, -5, 0.42),
            (crown - 16, crown - 16, 0.68 * skull, 61 - 0.95 * slope, -76, 0.95, -5, 0.42),
            (crown - 34, crown - 32, 0.88 * skull, 79 - 0.8 * slope, -93, 0.88, -4, 0.42),
            (crown - 54, crown - 48, 0.985 * skull, 90.5 - 0.55 * slope, -99, 0.72, -3, 0.42),
            (brow + 22, brow + 30, 0.995 * skull, 93.0 - 0.25 * slope, -99, 0.67, -2, 0.42),
            (brow + 2, brow + 9, 0.35 * skull + 0.65 * face + temple, 92.0, -97, 0.68, -1, 0.42),
            (NASION_Y, 11, 0.15 * skull + 0.85 * face, 89.0, -93, 0.71, 0, 0.42),
            (-16, -7, face + 0.5, 88.5 + 0.5 * midface, -87, 0.68, 1, 0.42),
            (at.tip, -21, 0.99 * face, 91.0 + midface, -80, 0.69, 2, 0.42),
            (at.subnasale, gonion + 38, 0.84 * face + 0.16 * jaw, 97.0 + 0.8 * midface, -74, 0.74, 3, 0.42),
            (at.stomion + 7, gonion + 27, 0.65 * face + 0.35 * jaw, 98.5 + 0.5 * midface, -70, 0.77, 4, 0.42),
            (at.stomion - 6, gonion + 18, 0.4 * face + 0.6 * jaw, 97.0 + 0.3 * chin, -68, 0.82, 5, 0.42),
            (at.mentolabial, gonion + 10, 0.18 * face + 0.82 * jaw, 96.5 + 0.6 * chin, -66, 0.90, 6, 0.36),
            (at.pogonion, gonion + 4, jaw + 0.5, 95.0 + 0.9 * chin, -65, 1.02, 7, 0.2),
            (at.menton + 5, gonion - 2, jaw - 2, 91.0 + chin, -64, 1.10, 7, 0.1),
            (at.menton, gonion - 8, jaw - 5, 81 + chin, -63, 1.12, 5, 0.06),
            (at.menton - 4, gonion - 16, jaw - 8, 62 + 0.7 * chin, -62, 1.06, 0, 0.05),
            (at.menton - 9, gonion - 27, 0.3 * jaw + 0.7 * neck - 4, 43, -61, 1.0, -6, 0.05),
            (at.menton - 22, gonion - 45, neck, 37, -62, 0.95, -10, 0.05),
            (at.menton - 44, gonion - 68, neck + 4, 38, -66, 0.95, -12, 0.05),
            (at.menton - 56, gonion - 82, neck + 30, 42, -76, 0.9, -14, 0.05),
            (at.menton - 68, gonion - 94, neck + 82, 51, -88, 0.85, -16, 0.05),
            (at.menton - 92, gonion - 120, neck + 128, 68, -100, 0.8, -18, 0.05),
            (at.menton - 420, gonion - 440, neck + 140, 92, -112, 0.75, -18, 0.05),
        ],
        dtype=np.float64,
    )


@dataclass(frozen=True)
class Skull:
    """The base surface of one person, defined at any (row parameter, angle)."""

    identity: Identity
    levels: Levels

    @classmethod
    def of(cls, identity: Identity) -> Skull:
        """Make the base surface of a person."""
        return cls(identity, Levels.of(identity))

    @cached_property
    def dense(self) -> tuple[np.ndarray, np.ndarray]:
        """Return row parameters (D,) and smoothed rows (D, 8): splines alone leave creases from mouth to ear."""
        control = _control_rows(self.identity, self.levels)
        at = np.linspace(0.0, len(control) - 1.0, _DENSE)
        rows = PchipInterpolator(np.arange(len(control)), control, axis=0)(at)
        return at, gaussian_filter1d(rows, 0.42 * _DENSE / len(control), axis=0, mode="nearest")

    def row_at(self, front_y: np.ndarray) -> np.ndarray:
        """Return the row parameters whose height on the midline is `front_y` (mm), for crown to menton."""
        at, rows = self.dense
        return np.interp(-np.asarray(front_y), -rows[:, 0], at)

    def rows(self, parameter: np.ndarray) -> np.ndarray:
        """Return interpolated control rows (R, 8) at row parameters (R,)."""
        at, rows = self.dense
        return np.stack([np.interp(parameter, at, column) for column in rows.T], axis=1)

    def surface(self, parameter: np.ndarray, angle: np.ndarray) -> np.ndarray:
        """Return points of the base surface.

        Args:
            parameter: row parameters (R,).
            angle: angles about the vertical axis, radians, 0 = front, broadcast against rows: (C,) or (R, C).

        Returns:
            f8 (R, C, 3), mm.
        """
        front_y, side_y, width, front_z, back_z, power, centre, level = (c[:, None] for c in self.rows(parameter).T)
        sine, cosine = np.broadcast_arrays(np.sin(angle), np.cos(angle))
        tilt = np.clip((np.abs(sine) - level) / (1.0 - level), 0.0, 1.0)
        tilt = np.where(cosine < 0, 1.0, tilt**3 * (tilt * (6 * tilt - 15) + 10))
        ahead = (front_z - centre) * np.maximum(cosine, 0.0) ** power
        behind = (centre - back_z) * np.minimum(cosine, 0.0)
        y = front_y + (side_y - front_y) * tilt
        return np.stack([width * sine, y + 0 * sine, centre + ahead + behind], axis=-1)

    def front_point(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the base surface's z (mm) at points of the level front part: |x| below half the half width."""
        parameter = self.row_at(np.asarray(y))
        width = self.rows(parameter)[:, 2]
        angle = np.arcsin(np.clip(np.asarray(x) / width, -1.0, 1.0))
        return self.surface(parameter, angle[:, None])[:, 0, 2]
