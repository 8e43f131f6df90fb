"""Beard as geometry: hair on cheeks, chin and upper lip that stands off the skin, longer or shorter in each capture."""

from __future__ import annotations

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.synthetic.features import bump, lip_borders, smooth_step
from face3d_data.synthetic.head import SKIN, Head, MeshGrid

LONGEST_MM = 16.0
TUFTS = 60
"""Bumps of uneven hair."""


def draw_beard(seed: int, person: int, capture: int, share: float) -> float:
    """Return how far a person's beard stands off the skin in one capture, mm; 0 for people without one.

    Args:
        seed: the population.
        person: number of the person: has a beard in all captures or in none.
        capture: number of the capture: beards are cut and grow.
        share: how many of the people have one.
    """
    own = np.random.default_rng(seed_from("synthetic beard", seed, person))
    if own.random() >= share:
        return 0.0
    fullest = float(LONGEST_MM * own.random() ** 2 + 2.0)
    here = np.random.default_rng(seed_from("synthetic beard length", seed, person, capture))
    return fullest * float(here.uniform(0.3, 1.0))


def bearded(head: Head, part: MeshGrid, length_mm: float, seed: int, person: int) -> np.ndarray:
    """Return the neutral positions (R, C, 3) of one part of a head, with a beard of that length on its skin."""
    if part.kind != SKIN or length_mm <= 0:
        return part.rest
    x, y = part.coords[..., 0], part.coords[..., 1]
    weight = _grown(head, x, y) * np.clip(part.front * 3, 0, 1)
    rng = np.random.default_rng(seed_from("synthetic beard tufts", seed, person))
    uneven = np.ones(x.shape)
    for _ in range(TUFTS):
        at_x, at_y = rng.uniform(-60, 60), rng.uniform(head.skull.levels.menton - 15, head.skull.levels.subnasale)
        uneven += rng.uniform(-0.3, 0.3) * bump(x, y, at_x, at_y, 5.0, 7.0)
    outward = part.rest * np.array([1.0, 0.0, 1.0])
    outward /= np.maximum(np.linalg.norm(outward, axis=-1, keepdims=True), 1e-6)
    outward[..., 1] = -0.25  # hair hangs
    return part.rest + (length_mm * weight * uneven)[..., None] * outward


def _grown(head: Head, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return where a beard grows, 0..1: below a line from the ears to the nose's base, but not on the lips."""
    at, identity = head.skull.levels, head.identity
    upper, _, lower = lip_borders(identity, at, x)
    side = np.abs(x)
    line = at.subnasale - 3 - 10 * bump(side, 0 * y, 30, 0, 14, 1) + 0.35 * np.maximum(side - 45, 0)
    grown = smooth_step(line - y, 0.0, 6.0)
    lips = smooth_step(upper + 1.5 - y, -1.0, 1.0) * smooth_step(y - lower + 1.5, -1.0, 1.0)
    lips *= smooth_step(identity["mouth_width"] / 2 + 1.0 - side, -1.0, 1.0)
    shorter = 1 - 0.6 * smooth_step(y - at.stomion, 2.0, 8.0)  # a moustache is shorter than a beard
    return grown * (1 - lips) * shorter * smooth_step(y - (at.menton - 26), 0.0, 10.0)
