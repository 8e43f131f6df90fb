"""Expressions: vector displacements of the face over its undeformed coordinates."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    x, y = coords.T
    moved = _jaw(identity, levels, expression, x, y, rest)
    moved += _mouth(identity, levels, expression, x, y)
    side = np.abs(x)
    brow = bump(side, y, 24, identity["brow_y"] + 2, 20, 10)
    moved[:, 1] += expression.brow * brow
    moved[:, 2] += 0.12 * abs(expression.brow) * brow
    moved[:, 0] -= np.sign(x) * 0.35 * max(-expression.brow, 0.0) * bump(side, y, 12, identity["brow_y"], 8, 9)
    moved[:, 2] += 0.22 * max(-expression.brow, 0.0) * bump(side, y, 6, identity["brow_y"] - 4, 4.5, 8)
    moved[:, 2] += expression.puff * bump(side, y, 40, levels.stomion + 6, 15, 17)
    moved[:, 0] += np.sign(x) * 0.5 * expression.puff * bump(side, y, 44, levels.stomion + 4, 14, 17)
    chin = expression.chin * bump(x, y, 0, levels.pogonion + 3, 14, 10)
    moved[:, 1] += chin
    moved[:, 2] += 0.6 * chin
    return moved * front[:, None]


def _jaw(p: Identity, at: Levels, e: Expression, x: np.ndarray, y: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Turn what is below the mouth line about the jaw's hinge, less and less down the neck."""
    split = mouth_split(p, at, x, y)
    lower = split * smooth_step(rest[:, 2], -5.0, 45.0) * smooth_step(y, at.menton - 26.0, at.menton - 4.0)
    angle = e.jaw / 95.0
    dy, dz = y + 15.0, rest[:, 2] - 8.0
    moved = np.zeros((len(x), 3))
    moved[:, 1] = -lower * np.sin(angle) * dz
    moved[:, 2] = lower * (np.sin(angle) * dy - (1 - np.cos(angle)) * dz)
    moved[:, 1] += 0.10 * e.jaw * (1 - split) * bump(x, y, 0, at.stomion + 4, 15, 8)
    half = p["mouth_width"] / 2
    gap = smooth_step(np.minimum(split, 1 - split), 0.0, 0.5) * smooth_step(np.abs(x), half, 0.6 * half)
    moved[:, 2] -= gap * min(e.jaw, 12.0) * 1.0
    inward = bump(np.abs(x), y, half, at.stomion, 10, 12)
    moved[:, 0] -= np.sign(x) * 0.13 * e.jaw * inward
    return moved


def _mouth(p: Identity, at: Levels, e: Expression, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pull the corners, the lips between them and the cheeks next to them."""
    half = p["mouth_width"] / 2
    side, sign = np.abs(x), np.tanh(x / 3.0)
    corner = bump(side, y, half + 1, at.stomion - 1, 12, 12)
    middle = bump(x, y, 0, at.stomion, 16, 9)
    moved = np.zeros((len(x), 3))
    moved[:, 0] = sign * (0.85 * e.smile - 1.0 * e.pucker + 0.15 * e.frown) * corner
    moved[:, 1] = (0.75 * e.smile - 0.95 * e.frown) * corner
    moved[:, 2] = (-0.55 * e.smile - 0.1 * e.frown) * corner + (0.95 * e.pucker - 0.30 * e.smile) * middle
    apple = bump(side, y, 35, -32, 13, 12)
    moved[:, 2] += 0.50 * e.smile * apple
    moved[:, 1] += 0.40 * e.smile * apple
    fold = bump(side, y - 0.9 * (side - half), half + 6, at.stomion + 14, 4, 12)
    moved[:, 2] -= 0.22 * e.smile * fold
    wings = bump(side, y, p["nose_width"] / 2, at.subnasale + 6, 6, 6)
    moved[:, 0] += sign * 0.18 * e.smile * wings
    return moved
