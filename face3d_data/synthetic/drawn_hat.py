"""Draw of the hat of one synthetic capture: none, a beanie or a baseball cap, its place and its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from face3d_data.digest import seed_from

HatKind = Literal["none", "beanie", "cap"]
HAT_TAG = "hat"


@dataclass(frozen=True)
class DrawnHat:
    """What one capture wears.

    Attributes:
        kind: none, beanie or cap.
        over_brows_mm: height of its front edge over the eyebrows.
        lower_behind_mm: how far the edge is lower at the back, but not below the eyebrows.
        thick_mm: of the cloth.
        higher_mm: how far the crown stands over the head.
        cuff_mm: height of a beanie's folded edge, twice as thick.
        brim_mm: length of a cap's brim.
        brim_down_deg: slope of the brim.
        brim_curved_mm: how far its sides are lower than its middle.
        folds: seed of the cloth's folds.
    """

    kind: HatKind
    over_brows_mm: float = 0.0
    lower_behind_mm: float = 0.0
    thick_mm: float = 0.0
    higher_mm: float = 0.0
    cuff_mm: float = 0.0
    brim_mm: float = 0.0
    brim_down_deg: float = 0.0
    brim_curved_mm: float = 0.0
    folds: int = 0


def draw_hat(seed: int, person: int, capture: int, share: float) -> DrawnHat:
    """Draw what a capture wears; the same for the same (seed, person, capture) and share.

    Args:
        seed: the population.
        person: number of the person.
        capture: number of the capture: hats are put on and off.
        share: how many of the captures wear one; half of these a cap.
    """
    rng = np.random.default_rng(seed_from("synthetic hat", seed, person, capture))
    if rng.random() >= share:
        return DrawnHat("none")
    kind: HatKind = "cap" if rng.random() < 0.5 else "beanie"
    cap = kind == "cap"
    over = float(rng.uniform(22, 45) if cap else rng.uniform(8, 38))
    return DrawnHat(
        kind=kind,
        over_brows_mm=over,
        lower_behind_mm=float(rng.uniform(0, over - 4)),
        thick_mm=float(rng.uniform(1.5, 3) if cap else rng.uniform(2, 4)),
        higher_mm=float(rng.uniform(6, 22) if cap else rng.uniform(3, 40)),
        cuff_mm=0.0 if cap or rng.random() < 0.3 else float(rng.uniform(30, 65)),
        brim_mm=float(rng.uniform(55, 75)) if cap else 0.0,
        brim_down_deg=float(rng.uniform(-2, 16)),
        brim_curved_mm=float(rng.uniform(2, 14)),
        folds=int(rng.integers(2**31)),
    )
