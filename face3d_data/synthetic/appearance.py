"""Appearance of a synthetic person apart from shape: skin, hair, brows, eyes, lips, clothes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.synthetic.identity import Identity

HAIR_STYLES = ("shaved", "short", "crop", "side", "bob", "long", "tied")
FALLING = ("bob", "long")

_HAIR_MM = {"shaved": 1.2, "short": 7.0, "crop": 11.0, "side": 15.0, "bob": 13.0, "long": 13.0, "tied": 6.0}

_SKIN = np.array(
    [(238, 202, 182), (226, 184, 158), (212, 165, 132), (190, 140, 104), (158, 108, 78), (120, 80, 58), (88, 58, 44)],
    dtype=np.float64,
)
_HAIR = np.array(
    [
        (24, 20, 18),
        (38, 28, 22),
        (62, 42, 28),
        (92, 62, 38),
        (140, 100, 58),
        (176, 140, 88),
        (120, 58, 30),
        (128, 124, 120),
    ],
    dtype=np.float64,
)
_IRIS = np.array(
    [(52, 32, 18), (74, 46, 24), (96, 74, 40), (84, 98, 72), (82, 110, 136), (96, 108, 116)], dtype=np.float64
)


@dataclass(frozen=True)
class Appearance:
    """One person's looks. Colours are f8 (3,) sRGB 0..255.

    Attributes:
        skin, lip, hair, brow, iris, shirt: base colours.
        style: one of `HAIR_STYLES`.
        hair_mm: thickness of the hair on the skull.
        hairline_y: height of the hairline above the pupils on the midline, mm.
        recession_mm: how far the hairline goes back at the temples.
        hair_bottom_y: lowest point of long hair, mm.
        brow_mm: half height of the brows.
        brow_strength: their density, 0..1.
        stubble: beard shadow, 0..1.
        freckles: their density, 0..1.
        ruddy: redness of cheeks and nose, 0..1.
        makeup: darkness of the lash line, 0..1.
        stripes: shirt stripes' period in mm, 0 for a plain shirt.
        texture_seed: seed of noise fields.
    """

    skin: np.ndarray
    lip: np.ndarray
    hair: np.ndarray
    brow: np.ndarray
    iris: np.ndarray
    shirt: np.ndarray
    style: str
    hair_mm: float
    hairline_y: float
    recession_mm: float
    hair_bottom_y: float
    brow_mm: float
    brow_strength: float
    stubble: float
    freckles: float
    ruddy: float
    makeup: float
    stripes: float
    texture_seed: int


def draw_appearance(identity: Identity) -> Appearance:
    """Draw a person's looks; hair, beard and brows lean on the identity's factors."""
    rng = np.random.default_rng(identity.appearance_seed)
    masculine, age = identity.factors["masculine"], identity.factors["age"]
    tone = float(np.clip(2.4 + 1.5 * identity.factors["broad"] + 1.3 * rng.standard_normal(), 0, 6))
    skin = np.array([np.interp(tone, range(7), channel) for channel in _SKIN.T])
    skin = skin * (1 + 0.03 * rng.standard_normal()) * (1 + 0.012 * rng.standard_normal(3))
    dark = int(rng.integers(0, 3)) if tone > 3.2 else int(rng.choice(7, p=[0.14, 0.2, 0.2, 0.18, 0.12, 0.1, 0.06]))
    gray = age > 1.1 and rng.random() < 0.7
    hair = _HAIR[7 if gray else dark] * (1 + 0.12 * rng.standard_normal())
    man = masculine + 0.4 * rng.standard_normal() > 0
    style = str(rng.choice(HAIR_STYLES, p=_style_odds(man)))
    lip = skin * np.array([0.90, 0.66, 0.66]) * (1.0 - 0.04 * rng.random()) + np.array([10.0, 0.0, 4.0]) * rng.random()
    lipstick = 0.0 if man else float(rng.random() < 0.4) * rng.uniform(0.3, 0.6)
    lip = lip * (1 - lipstick) + np.array([168.0, 48.0, 62.0]) * lipstick
    iris = _IRIS[int(rng.integers(0, 2)) if tone > 3.2 else int(rng.integers(0, 6))]
    shirt = _shirt(rng)
    return Appearance(
        skin=np.clip(skin, 20, 250),
        lip=np.clip(lip, 20, 240),
        hair=np.clip(hair, 12, 220),
        brow=np.clip(0.8 * hair + 0.05 * skin, 10, 200),
        iris=iris * (1 + 0.1 * rng.standard_normal()),
        shirt=shirt,
        style=style,
        hair_mm=float(_HAIR_MM[style] * rng.uniform(0.8, 1.25)),
        hairline_y=float(identity["crown_y"] * 0.58 + rng.normal(0, 3) - (4 if style == "crop" else 0)),
        recession_mm=float(np.clip(rng.normal(6 if man else 1, 4) + (4 * age if man else 0), -2, 18)),
        hair_bottom_y=float(rng.uniform(-75, -45) if style == "bob" else rng.uniform(-190, -130)),
        brow_mm=float(np.clip(rng.normal(3.4 if man else 2.5, 0.5), 1.6, 5.0)),
        brow_strength=float(rng.uniform(0.55, 0.95)),
        stubble=float(man) * float(rng.random() < 0.55) * float(rng.uniform(0.15, 0.75)),
        freckles=float(rng.random() < 0.2) * float(rng.uniform(0.3, 1.0)) * float(tone < 2.5),
        ruddy=float(rng.uniform(0.2, 1.0)),
        makeup=0.25 if man else float(rng.uniform(0.35, 0.9)),
        stripes=float(rng.choice([0.0, 0.0, 0.0, 14.0, 26.0])),
        texture_seed=int(rng.integers(2**62)),
    )


def _style_odds(man: bool) -> list[float]:
    return [0.16, 0.34, 0.26, 0.2, 0.0, 0.04, 0.0] if man else [0.03, 0.05, 0.05, 0.07, 0.25, 0.35, 0.2]


def _shirt(rng: np.random.Generator) -> np.ndarray:
    """Draw a shirt colour: muted hues, and whites and greys as often as people wear them."""
    hue, saturation, value = rng.random(), rng.uniform(0.0, 0.65), rng.uniform(0.15, 0.9)
    wheel = np.clip(np.abs(((hue * 6 + np.array([0.0, 4.0, 2.0])) % 6) - 3) - 1, 0, 1)
    return 255 * value * (1 - saturation + saturation * wheel)
