"""Expressions: vector displacements of the face over its undeformed coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from face3d_data.synthetic.features import bump, lip_borders, smooth_step
from face3d_data.synthetic.identity import Identity
from face3d_data.synthetic.skull import Levels

LIP_SPREAD_MM = 0.4
"""Half the strip between the lips that stretches when the mouth opens: it holds one row of vertices."""


@dataclass(frozen=True)
class Expression:
    """How far each movement goes: mm at its peak, or 0..1 for lids.

    Attributes:
        jaw: opening of the mouth between the lips.
        smile: corners of the mouth outward and up.
        frown: corners down.
        pucker: lips forward and corners inward.
        puff: cheeks outward.
        brow: brows up (negative: down and together).
        blink: 1 closes the lids.
        chin: chin muscle up and forward.
    """

    jaw: float = 0.0
    smile: float = 0.0
    frown: float = 0.0
    pucker: float = 0.0
    puff: float = 0.0
    brow: float = 0.0
    blink: float = 0.0
    chin: float = 0.0


EXPRESSIONS: dict[str, Expression] = {
    "neutral": Expression(),
    "smile": Expression(smile=7.0, brow=0.6, blink=0.15),
    "laugh": Expression(smile=7.0, jaw=9.0, blink=0.25, brow=0.8),
    "open": Expression(jaw=16.0),
    "frown": Expression(frown=4.5, brow=-4.0, blink=0.15, chin=1.5),
    "surprise": Expression(jaw=10.5, brow=5.0, blink=-0.25),
    "kiss": Expression(pucker=6.0, brow=0.5),
    "puff": Expression(puff=6.0, pucker=1.5),
}
"""Full strength of each; a capture takes a share of it."""


def draw_expression(name: str, rng: np.random.Generator) -> Expression:
    """Return the named expression at a drawn strength, with the small movements that every capture has."""
    full = EXPRESSIONS[name]
    strength = 1.0 if name == "neutral" else float(rng.uniform(0.6, 1.1))
    scaled = {field: getattr(full, field) * strength for field in Expression.__dataclass_fields__}
    scaled["smile"] += 0.5 * abs(float(rng.standard_normal()))
    scaled["brow"] += 0.5 * float(rng.standard_normal())
    scaled["puff"] += 0.35 * float(rng.standard_normal())
    scaled["chin"] += 0.35 * float(rng.standard_normal())
    scaled["blink"] += float(rng.uniform(-0.05, 0.15))
    return replace(full, **scaled)


def mouth_split(identity: Identity, levels: Levels, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return 0 above the mouth line and 1 below: a step between the lips, a slow rise in the cheeks."""
    _, line, _ = lip_borders(identity, levels, x)
    half = identity["mouth_width"] / 2
    spread = LIP_SPREAD_MM + 26.0 * smooth_step(np.abs(x), 0.55 * half, half + 22.0)
    return smooth_step(line - y, -spread, spread)


def displacement(
    identity: Identity, levels: Levels, expression: Expression, coords: np.ndarray, rest: np.ndarray, front: np.ndarray
) -> np.ndarray:
    """Return the vectors (N, 3), mm, by which an expression moves points.

    Args:
        identity: shape parameters.
        levels: heights of the person's features.
        expression: the movements.
        coords: undeformed x, y (N, 2).
        rest: neutral positions (N, 3).
        front: weights (N,), 0 where nothing moves.
    """
    return MovingPoints(identity, levels, np.arange(len(coords)), coords, front).displacement(expression, rest[:, 2])


@dataclass(frozen=True, eq=False)
class MovingPoints:
    """Points of one face and how far each movement reaches there, computed once for all expressions of that face.

    Attributes:
        identity: shape parameters.
        levels: heights of the person's features.
        at: which of the face's points they are, (N,).
        coords: their undeformed x, y f8 (N, 2).
        front: their weights f8 (N,), 0 where nothing moves.
    """

    identity: Identity
    levels: Levels
    at: np.ndarray
    coords: np.ndarray
    front: np.ndarray

    @classmethod
    def of(cls, identity: Identity, levels: Levels, coords: np.ndarray, front: np.ndarray) -> MovingPoints:
        """Return those of a face's points, at coords (..., 2) with weights (...,), that move."""
        at = np.flatnonzero(front > 0)
        return cls(identity, levels, at, coords.reshape(-1, 2)[at], front.reshape(-1)[at])

    def moved(self, e: Expression, rest: np.ndarray) -> np.ndarray:
        """Return all points of the face f8 (..., 3), neutral at `rest`, with an expression."""
        points = rest.reshape(-1, 3).copy()
        if len(self.at):
            points[self.at] += self.displacement(e, points[self.at, 2])
        return points.reshape(rest.shape)

    def displacement(self, e: Expression, rest_z: np.ndarray) -> np.ndarray:
        """Return the vectors f8 (N, 3), mm, by which an expression moves the points, neutral at z f8 (N,)."""
        reach, frown = self._reach, max(-e.brow, 0.0)
        moved = _mouth(reach, e)
        if e.jaw:
            moved += _jaw(self._jaw_reach, e, rest_z)
        x, y, z = moved
        y += e.brow * reach["brow"]
        z += 0.12 * abs(e.brow) * reach["brow"]
        if frown:
            x -= 0.35 * frown * self._frown_reach["inward"]
            z += 0.22 * frown * self._frown_reach["between"]
        z += e.puff * reach["cheek"]
        x += 0.5 * e.puff * reach["cheek_outward"]
        chin = e.chin * reach["chin"]
        y += chin
        z += 0.6 * chin
        moved *= self.front
        return moved.T

    @cached_property
    def _x_y(self) -> tuple[np.ndarray, np.ndarray]:
        return np.ascontiguousarray(self.coords[:, 0]), np.ascontiguousarray(self.coords[:, 1])

    @cached_property
    def _reach(self) -> dict[str, np.ndarray]:
        """Return how far the movements of every expression reach, 0..1; outward ones have the sign of the side."""
        p, at, (x, y) = self.identity, self.levels, self._x_y
        side, half = np.abs(x), p["mouth_width"] / 2
        return {
            "brow": bump(side, y, 24, p["brow_y"] + 2, 20, 10),
            "cheek": bump(side, y, 40, at.stomion + 6, 15, 17),
            "cheek_outward": np.sign(x) * bump(side, y, 44, at.stomion + 4, 14, 17),
            "chin": bump(x, y, 0, at.pogonion + 3, 14, 10),
            "outward": np.tanh(x / 3.0),
            "corner": bump(side, y, half + 1, at.stomion - 1, 12, 12),
            "middle": bump(x, y, 0, at.stomion, 16, 9),
            "apple": bump(side, y, 35, -32, 13, 12),
            "fold": bump(side, y - 0.9 * (side - half), half + 6, at.stomion + 14, 4, 12),
            "wings": bump(side, y, p["nose_width"] / 2, at.subnasale + 6, 6, 6),
        }

    @cached_property
    def _frown_reach(self) -> dict[str, np.ndarray]:
        p, (x, y) = self.identity, self._x_y
        side = np.abs(x)
        return {
            "inward": np.sign(x) * bump(side, y, 12, p["brow_y"], 8, 9),
            "between": bump(side, y, 6, p["brow_y"] - 4, 4.5, 8),
        }

    @cached_property
    def _jaw_reach(self) -> dict[str, np.ndarray]:
        p, at, (x, y) = self.identity, self.levels, self._x_y
        side, half, split = np.abs(x), p["mouth_width"] / 2, mouth_split(p, at, x, y)
        return {
            "split": split,
            "above": 1 - split,
            "not_neck": smooth_step(y, at.menton - 26.0, at.menton - 4.0),
            "over_hinge": y + 15.0,
            "upper_lip": bump(x, y, 0, at.stomion + 4, 15, 8),
            "gap": smooth_step(np.minimum(split, 1 - split), 0.0, 0.5) * smooth_step(side, half, 0.6 * half),
            "corner_outward": np.sign(x) * bump(side, y, half, at.stomion, 10, 12),
        }


def _jaw(reach: Mapping[str, np.ndarray], e: Expression, rest_z: np.ndarray) -> np.ndarray:
    """Turn what is below the mouth line about the jaw's hinge, less and less down the neck; f8 (3, N)."""
    lower = reach["split"] * smooth_step(rest_z, -5.0, 45.0) * reach["not_neck"]
    angle = e.jaw / 95.0
    dy, dz = reach["over_hinge"], rest_z - 8.0
    moved = np.empty((3, len(rest_z)))
    moved[0] = -0.13 * e.jaw * reach["corner_outward"]
    moved[1] = -lower * np.sin(angle) * dz
    moved[1] += 0.10 * e.jaw * reach["above"] * reach["upper_lip"]
    moved[2] = lower * (np.sin(angle) * dy - (1 - np.cos(angle)) * dz)
    moved[2] -= reach["gap"] * min(e.jaw, 12.0)
    return moved


def _mouth(reach: Mapping[str, np.ndarray], e: Expression) -> np.ndarray:
    """Pull the corners, the lips between them and the cheeks next to them; f8 (3, N)."""
    outward, corner, apple = reach["outward"], reach["corner"], reach["apple"]
    moved = np.empty((3, len(corner)))
    moved[0] = outward * (0.85 * e.smile - 1.0 * e.pucker + 0.15 * e.frown) * corner
    moved[0] += outward * 0.18 * e.smile * reach["wings"]
    moved[1] = (0.75 * e.smile - 0.95 * e.frown) * corner
    moved[1] += 0.40 * e.smile * apple
    moved[2] = (-0.55 * e.smile - 0.1 * e.frown) * corner + (0.95 * e.pucker - 0.30 * e.smile) * reach["middle"]
    moved[2] += 0.50 * e.smile * apple
    moved[2] -= 0.22 * e.smile * reach["fold"]
    return moved
