"""Identity of a synthetic person: named shape parameters drawn from a few correlated factors, and an appearance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face3d_data.digest import seed_from

FACTORS = ("size", "masculine", "broad", "long", "flesh", "convex", "eyes", "age")
"""Global factors, standard normal each. Real faces vary mostly along few directions; independent draws do not."""

N_RESIDUALS = 24


@dataclass(frozen=True)
class Parameter:
    """One identity parameter: normal around `mean`, cut at the limits, partly driven by the global factors."""

    mean: float
    sd: float
    low: float
    high: float
    unit: str
    loadings: Mapping[str, float]


def _p(mean: float, sd: float, low: float, high: float, unit: str = "mm", **loadings: float) -> Parameter:
    return Parameter(mean, sd, low, high, unit, loadings)


PARAMETERS: dict[str, Parameter] = {
    # skull and jaw
    "bizygomatic": _p(138, 6, 125, 151, size=0.6, masculine=0.3, long=-0.35, flesh=0.35),
    "head_breadth": _p(152, 6, 138, 166, size=0.6, masculine=0.25, long=-0.4),
    "bigonial": _p(114, 7, 98, 130, size=0.4, masculine=0.5, flesh=0.45, long=-0.2),
    "nasion_menton": _p(118, 6.2, 104, 132, size=0.55, masculine=0.4, long=0.55),
    "crown_y": _p(118, 5, 105, 130, size=0.6, masculine=0.2, long=0.2),
    "forehead_slope": _p(0, 4.6, -10, 10, masculine=0.55, convex=0.45, age=0.2),
    "temple": _p(0, 2.2, -5, 5, flesh=0.55, age=-0.35),
    "gonion_y": _p(0, 4, -9, 9, masculine=-0.45, long=-0.3),
    "zygoma": _p(4, 1.7, 0, 8, broad=0.5, flesh=-0.3, age=-0.2),
    "cheek": _p(0, 2.9, -7, 7, flesh=0.8, age=-0.3),
    "midface": _p(0, 2.8, -6.5, 6.5, convex=0.65, broad=0.25, flesh=0.25),
    "neck": _p(116, 7, 100, 132, masculine=0.65, flesh=0.45),
    # eyes and brow
    "interpupillary": _p(63, 3.2, 54, 72, size=0.55, broad=0.3, masculine=0.2),
    "fissure": _p(29, 1.6, 25, 33, size=0.35, eyes=0.6),
    "opening": _p(10, 1.2, 7, 13, eyes=0.65, masculine=-0.3, age=-0.3),
    "eye_tilt_deg": _p(4, 2.5, -3, 10, "deg", broad=0.4, age=-0.35),
    "eye_depth": _p(0, 2.6, -6.5, 6.5, masculine=0.45, broad=-0.5, convex=0.3),
    "brow_ridge": _p(3.5, 1.9, 0, 7, masculine=0.7),
    "brow_y": _p(21, 2.2, 16, 26, masculine=-0.5, eyes=0.35, long=0.3),
    # nose
    "nasion_tip": _p(45, 3.5, 37, 54, size=0.4, long=0.5, age=0.3, masculine=0.25),
    "protrusion": _p(18.6, 2.4, 14, 25, broad=-0.6, convex=0.4, masculine=0.25),
    "nose_width": _p(35, 3.4, 28, 42, broad=0.7, masculine=0.35, age=0.2),
    "bridge_height": _p(0, 2.6, -6, 6, broad=-0.75, convex=0.2),
    "bridge_half_width": _p(7.5, 1.2, 5.5, 10, broad=0.45, masculine=0.3),
    "hump": _p(0, 1.5, -3.6, 3.6, broad=-0.4, age=0.4, masculine=0.2),
    "tip_half_width": _p(10.5, 1.3, 7.5, 13.5, broad=0.65, masculine=0.25),
    "tip_y": _p(0, 2.2, -5, 5, age=-0.55, masculine=-0.3),
    "ala": _p(9, 1.5, 6, 12.5, broad=0.55, masculine=0.2),
    # mouth and chin
    "upper_lip": _p(22, 2.2, 16, 28, masculine=0.4, long=0.45, age=0.35),
    "mouth_width": _p(51, 3.2, 42, 60, size=0.45, broad=0.4, masculine=0.2),
    "vermilion_upper": _p(7, 1.4, 3.5, 11, broad=0.6, age=-0.5),
    "vermilion_lower": _p(9, 1.5, 5, 13, broad=0.6, age=-0.4),
    "lip_protrusion": _p(4.5, 1.2, 1, 8, broad=0.65, age=-0.3),
    "chin": _p(0, 3.3, -8, 8, masculine=0.45, convex=-0.65),
    "mentolabial": _p(2.4, 1.1, 0, 5.5, masculine=0.3, convex=-0.3),
    "nasolabial": _p(1.1, 0.5, 0, 2.5, age=0.7, flesh=0.3),
}
"""Means, deviations and limits follow adult anthropometry (Farkas 1994; Zhuang and Bradtmiller 2005); where no survey
gives a figure (bump heights), they are the sizes that make surfaces vary as real ones do (benchmarks/population.py)."""

ASYMMETRY_SD_MM = 0.5
RESIDUAL_SD_MM = 0.75


@dataclass(frozen=True)
class Identity:
    """One person; `identity[name]` is a shape parameter.

    Attributes:
        shape: parameter name to value, in the parameter's unit.
        factors: the global factors by name, standard normal.
        residuals: f8 (24,) heights of the smooth bumps that no parameter names, mm.
        asymmetry: f8 (8,) left-right shifts, mm.
        appearance_seed: seed of skin, hair, eyes and clothes.
    """

    shape: Mapping[str, float]
    factors: Mapping[str, float]
    residuals: np.ndarray
    asymmetry: np.ndarray
    appearance_seed: int

    def __getitem__(self, name: str) -> float:
        return self.shape[name]


def draw_identity(seed: int, person: int) -> Identity:
    """Draw one person; the same for equal (seed, person), whatever was drawn before.

    Args:
        seed: the population.
        person: number within the population, from 0.
    """
    rng = np.random.default_rng(seed_from("synthetic identity", seed, person))
    factors = dict(zip(FACTORS, np.clip(rng.standard_normal(len(FACTORS)), -2.5, 2.5).tolist(), strict=True))
    own = rng.standard_normal(len(PARAMETERS))
    values = {}
    for (name, parameter), noise in zip(PARAMETERS.items(), own, strict=True):
        shared = sum(weight * factors[factor] for factor, weight in parameter.loadings.items())
        rest = np.sqrt(1.0 - sum(weight**2 for weight in parameter.loadings.values()))
        value = parameter.mean + parameter.sd * (shared + rest * float(noise))
        values[name] = float(np.clip(value, parameter.low, parameter.high))
    residuals = np.clip(rng.standard_normal(N_RESIDUALS), -2.5, 2.5) * RESIDUAL_SD_MM
    asymmetry = np.clip(rng.standard_normal(8), -2.5, 2.5) * ASYMMETRY_SD_MM
    return Identity(values, factors, residuals, asymmetry, int(rng.integers(2**62)))


def mean_identity() -> Identity:
    """Return the person in the middle of the population."""
    values = {name: parameter.mean for name, parameter in PARAMETERS.items()}
    return Identity(values, dict.fromkeys(FACTORS, 0.0), np.zeros(N_RESIDUALS), np.zeros(8), 0)
