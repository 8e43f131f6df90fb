"""One topology on every synthetic head: where each vertex of the template lies on a person's face.

A vertex is a place on the head unrolled: an angle about the vertical axis and a height. From the mean person to another
these places are moved by a thin-plate spline through features that are known in both (eyes, nose, mouth, brows, chin),
so that a vertex at the corner of an eye is there on everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from scipy.interpolate import RBFInterpolator

from face3d_data.synthetic import features
from face3d_data.synthetic.expression import Expression, displacement
from face3d_data.synthetic.features import smooth_step
from face3d_data.synthetic.head import LIP_ROW_MM, _landmarks, relief
from face3d_data.synthetic.identity import Identity, mean_identity
from face3d_data.synthetic.skull import NASION_Y, Skull

RADIUS_MM = 75.0
"""An angle times this is a length beside heights, for the spline."""
ROW_MM = 20.0
"""Below the menton a row of the skull counts for this many mm of height."""
FOREHEAD_MM = 46.0
SIDES_DEG = (52.0, 66.0, 80.0)
OUTLINE = (
    (0.0, 1.0), (0.16, 0.996), (0.32, 0.965), (0.485, 0.907), (0.64, 0.80), (0.775, 0.645), (0.887, 0.456),
    (0.975, 0.242), (1.0, 0.0),
)  # fmt: skip
"""Points 0 to 8 of iBUG's outline: heights from the eyes (0) to the chin (1), and distances from the middle (1 at the
eyes), within 0.015 those of the mean shape of 300-W that dlib's users align faces to (OpenFace, align_dlib.py)."""
OUTLINE_WIDTH_MM, OUTLINE_EDGE = 66.0, 0.97
"""Half the outline's width at the eyes of a mean adult; no point lies nearer to the silhouette than this share."""


@dataclass(frozen=True)
class Places:
    """Places on a head unrolled: angle (rad) and height (mm) of each, (N,)."""

    angle: np.ndarray
    level: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """The places as lengths, (N, 2), mm."""
        return np.stack([self.angle * RADIUS_MM, self.level], axis=1)


@dataclass(frozen=True)
class Person:
    """The geometry of one synthetic person's skin."""

    identity: Identity

    @cached_property
    def skull(self) -> Skull:
        """The base surface."""
        return Skull.of(self.identity)

    def rows(self, level: np.ndarray) -> np.ndarray:
        """Return row parameters of heights."""
        menton = self.skull.levels.menton
        at = self.skull.row_at(np.maximum(level, menton))
        return at + np.maximum(menton - level, 0.0) / ROW_MM

    def surface(self, places: Places, expression: Expression | None = None) -> np.ndarray:
        """Return the points (N, 3) of the skin at places, head frame, mm; as `synthetic.head` builds and moves it."""
        p, at = self.identity, self.skull.levels
        parameter = self.rows(places.level)
        rest = self.skull.surface(parameter, places.angle[:, None])[:, 0]
        front = smooth_step(np.cos(places.angle), 0.06, 0.38)
        _, line, _ = features.lip_borders(p, at, rest[:, 0])
        bend = np.exp(-(((rest[:, 1] - at.stomion) / 7.0) ** 2)) * smooth_step(front, 0.2, 0.6)
        rest[:, 1] += (line - at.stomion) * bend
        coords = rest[:, :2].copy()
        front = np.where((front > 0) & (rest[:, 1] > at.menton - 30), front, 0.0)
        rest[:, 2] = np.where(front > 0, relief(p, self.skull, rest[:, 0], rest[:, 1], rest[:, 2], front), rest[:, 2])
        if expression is not None:
            rest = rest + displacement(p, at, expression, coords, rest, front)
        return rest

    def place_of(self, x: np.ndarray, y: np.ndarray) -> Places:
        """Return the places of undeformed coordinates of the front, mm."""
        p, at = self.identity, self.skull.levels
        _, line, _ = features.lip_borders(p, at, x)
        level = np.array(y, np.float64)
        for _ in range(20):
            bend = np.exp(-(((level - at.stomion) / 7.0) ** 2))
            level = y - (line - at.stomion) * bend
        width = self.skull.rows(self.skull.row_at(level))[:, 2]
        return Places(np.arcsin(np.clip(x / width, -1, 1)), level)

    @cached_property
    def landmarks(self) -> Places:
        """The 68 landmarks, in the order of iBUG 300-W: jaw, brows, nose, eyes, mouth; left is the image's."""
        jaw_angle, jaw_level = self._jaw()
        x, y = self._inner().T
        inner = self.place_of(x, y)
        return Places(np.concatenate([jaw_angle, inner.angle]), np.concatenate([jaw_level, inner.level]))

    def _jaw(self) -> tuple[np.ndarray, np.ndarray]:
        """The outline from ear to ear: that of the mean person, at the same angles and shares of the heights."""
        angle, level = _mean_outline()
        mean, own = (
            [at.menton - 20, at.menton, at.mentolabial, at.stomion, at.subnasale, at.tip, 0.0, 60.0]
            for at in (Skull.of(mean_identity()).levels, self.skull.levels)
        )
        level = np.interp(level, mean, own)
        return np.concatenate([-angle, angle[-2::-1]]), np.concatenate([level, level[-2::-1]])

    def _inner(self) -> np.ndarray:
        """Undeformed x, y of landmarks 17 to 67, (51, 2)."""
        p, at = self.identity, self.skull.levels
        shift = 0.8 * p.asymmetry[0]
        half = p["interpupillary"] / 2
        s = np.array([0.97, 0.73, 0.48, 0.24, 0.03])
        height = p["brow_y"] - 2.5 + 5.0 * np.sin(np.pi * np.clip(0.15 + 0.62 * s, 0, 1)) ** 1.3 - 4.4 * s**3
        across = half - 19.5 + 39.5 * s
        brows = [np.stack([-across, height], 1), np.stack([across, height], 1)[::-1]]
        tip = float(_landmarks(p, self.skull)[1][2, 1])  # the foremost point
        bridge = [(shift, y) for y in np.linspace(NASION_Y - 3.0, tip, 4)]
        under = p["nose_width"] / 2
        base = [(shift + k * under, at.subnasale + lift) for k, lift in
                ((-0.82, 5.0), (-0.42, 2.2), (0.0, 0.5), (0.42, 2.2), (0.82, 5.0))]  # fmt: skip
        left, right = self._eye(-1), self._eye(1)
        # An eye begins at its left corner in the image and goes round over the upper lid.
        eyes = [left[[0, 1, 2, 3, 4, 5]], right[[3, 2, 1, 0, 5, 4]]]
        return np.concatenate([*brows, np.array(bridge), np.array(base), *eyes, self._mouth()])

    def _eye(self, side: int) -> np.ndarray:
        """One eye: outer corner, upper lid outside and inside, inner corner, lower lid inside and outside."""
        p = self.identity
        along = p["fissure"] / 2 * np.array([1.0, 0.38, -0.38, -1.0, -0.38, 0.38])
        upper, lower = features.lid_edges(p, along, 1.0)
        across = np.where(np.arange(6) < 4, upper, lower)
        across[[0, 3]] = 0.0
        tilt = np.deg2rad(p["eye_tilt_deg"])
        out = along * np.cos(tilt) - across * np.sin(tilt)
        return np.stack([side * (out + p["interpupillary"] / 2), along * np.sin(tilt) + across * np.cos(tilt)], 1)

    def _mouth(self) -> np.ndarray:
        p, at = self.identity, self.skull.levels
        half = p["mouth_width"] / 2
        top = half * np.array([-1.0, -0.6, -0.24, 0.0, 0.24, 0.6, 1.0])
        bottom = half * np.array([0.6, 0.3, 0.0, -0.3, -0.6])
        inside = half * np.array([-0.82, -0.35, 0.0, 0.35, 0.82, 0.35, 0.0, -0.35])
        upper, _, _ = features.lip_borders(p, at, top)
        _, _, lower = features.lip_borders(p, at, bottom)
        _, line, _ = features.lip_borders(p, at, inside)
        gap = LIP_ROW_MM * np.array([0, 1, 1, 1, 0, -1, -1, -1])
        upper[[0, -1]] = at.stomion + 0.2
        return np.concatenate(
            [np.stack([top, upper], 1), np.stack([bottom, lower], 1), np.stack([inside, line + gap], 1)]
        )

    @cached_property
    def controls(self) -> Places:
        """What the spline goes through: landmarks, and points of forehead, cheeks and chin at the person's measures."""
        p, at = self.identity, self.skull.levels
        top = p["brow_y"] + FOREHEAD_MM
        wing = p["nose_width"] / 2
        front = [(0, at.mentolabial), (0, at.pogonion), (-wing, at.subnasale + 9.6), (wing, at.subnasale + 9.6),
                 (0, p["brow_y"] - 3), (0, at.menton + 6)]  # fmt: skip
        own = self.place_of(*np.array(front, np.float64).T)
        # The inner lips lie where the seam is put; the jaw's ends are given by rows below.
        marks = self.landmarks
        inner = np.r_[17:60]
        angle, level = [marks.angle[inner], own.angle], [marks.level[inner], own.level]
        heights = np.array([top + 20, top, p["brow_y"] + 15, p["brow_y"], 0.0, -16.0, at.tip, at.subnasale, at.stomion,
                            at.mentolabial, at.menton + 3.5, at.menton - 10, at.menton - 26])  # fmt: skip
        for side in (-1, 1):
            for degrees in (*SIDES_DEG, 95.0):
                angle.append(np.full(len(heights), side * np.deg2rad(degrees)))
                level.append(heights)
        for degrees in (-30.0, 0.0, 30.0):
            rim = np.array([top + 20, top, at.menton - 10, at.menton - 26])
            angle.append(np.full(len(rim), np.deg2rad(degrees)))
            level.append(rim)
        return Places(np.concatenate(angle), np.concatenate(level))


@cache
def _mean_outline() -> tuple[np.ndarray, np.ndarray]:
    """Return angles and levels (9,) of the outline's one half on the mean person, as it is seen from the front."""
    person = Person(mean_identity())
    height, share = np.array(OUTLINE).T
    menton = person.skull.levels.menton
    aim = height * (menton + 1.0)
    level, edge = aim.copy(), menton + 1.0
    for _ in range(12):  # rows of the skull rise towards the sides
        width = person.skull.rows(person.rows(level))[:, 2]
        angle = np.arcsin(np.minimum(share * OUTLINE_WIDTH_MM / width, OUTLINE_EDGE))
        level = np.maximum(level + 0.7 * (aim - person.surface(Places(angle, level))[:, 1]), edge)
    # Where so broad a place would be under the jaw, the jaw's edge at that height.
    fan = np.deg2rad(np.linspace(0.0, 76.0, 77))
    height_there = person.surface(Places(fan, np.full(len(fan), edge)))[:, 1]
    angle = np.where(level <= edge, np.minimum(angle, np.interp(aim, height_there, fan)), angle)
    return angle, level


class Topology:
    """The template's vertices as places on the mean person, and on others."""

    def __init__(self, places: Places, seam: np.ndarray) -> None:
        """Take the mean person's places; `seam` is 1 in the row over the mouth line, -1 in the row below, else 0."""
        self.places, self.seam = places, seam
        self.mean = Person(mean_identity())

    def on(self, person: Person) -> Places:
        """Return where the vertices are on a person."""
        source, target = self.mean.controls.flat, person.controls.flat
        moved = self.places.flat + RBFInterpolator(source, target - source, smoothing=0.02)(self.places.flat)
        angle, level = moved[:, 0] / RADIUS_MM, moved[:, 1]
        exact = person.skull.levels.stomion + LIP_ROW_MM * self.seam
        width = person.skull.rows(person.rows(level))[:, 2]
        near = smooth_step(
            np.abs(width * np.sin(angle)),
            person.identity["mouth_width"] / 2 + 14,
            person.identity["mouth_width"] / 2 + 3,
        )
        return Places(angle, np.where(self.seam != 0, level + (exact - level) * near, level))
