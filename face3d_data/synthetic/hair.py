"""Ears and hair: grids around the head, made from the same base surface."""

from __future__ import annotations

import numpy as np

from face3d_data.synthetic.appearance import FALLING, Appearance
from face3d_data.synthetic.features import smooth_step
from face3d_data.synthetic.identity import Identity
from face3d_data.synthetic.skull import Skull

Grid = tuple[np.ndarray, np.ndarray]
_SUNK_MM = 18.0  # how far hair that is not there lies below the skin


def ear_grid(identity: Identity, skull: Skull, side: int) -> Grid:
    """Return positions (R, C, 3) of one ear and undeformed coordinates (R, C, 2) far from the face."""
    reach = np.array([0.0, 0.25, 0.42, 0.55, 0.68, 0.8, 0.9, 1.0, 1.03, 0.96])
    outward = np.array([-1.5, -1.5, -0.5, 1.8, 1.6, 1.6, 3.6, 3.4, 0.5, -2.5])  # concha, antihelix, helix rim, back
    turn = np.linspace(0, 2 * np.pi, 26, endpoint=False)
    r, a = np.meshgrid(reach, turn, indexing="ij")
    height = 0.5 * (54 + 0.1 * (identity["nasion_menton"] - 118))
    lobe = 1.0 - 0.32 * smooth_step(-np.sin(a), 0.1, 0.95)
    back = 0.5 * 33 * r * np.cos(a) * lobe
    up = height * r * np.sin(a) + 0.25 * back
    flare = (back + 15.0) * np.tan(np.deg2rad(24.0))
    x = identity["bizygomatic"] / 2 - 1.0 + flare + outward[:, None] * (0.6 + 0.4 * lobe)
    rest = np.stack([side * x, up - 15.0, -8.0 - back], axis=-1)
    if side < 0:
        rest = rest[:, ::-1]
    return rest, np.full((*r.shape, 2), 400.0)


def hairline(appearance: Appearance, angle: np.ndarray) -> np.ndarray:
    """Return the height (mm) above which hair grows, at angles from the front (radians, 0..pi)."""
    line = appearance.hairline_y
    back = appearance.hair_bottom_y if appearance.style in FALLING else -78.0
    degrees = [0, 22, 38, 52, 62, 72, 80, 92, 104, 118, 180]
    recession = appearance.recession_mm
    short = [line, line - 1 + 0.5 * recession, line - 4 + recession, line - 18, 34, 6, -6, 16, 14, -30, back]
    if appearance.style in FALLING:
        short = [line, line - 1, line - 5, line - 16, 30, 0, back, back, back, back, back]
    return np.interp(np.rad2deg(angle), degrees, short)


def hair_grid(identity: Identity, skull: Skull, appearance: Appearance) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the hair and what of it lies inside the head, where none grows.

    Returns:
        positions (R, C, 3); angle in degrees and height in mm of its strands (R, C, 2); bool (R, C), buried.
    """
    falls = appearance.style in FALLING
    bottom = appearance.hair_bottom_y if falls else -84.0
    angle = np.linspace(-np.pi, np.pi, 110, endpoint=False)
    top = np.linspace(identity["crown_y"] + 2.5, -16.0, 44)
    low = np.linspace(-16.0, bottom - 6.0, 26 if falls else 14)[1:]
    rest = np.concatenate([_on_skull(skull, top, angle), _hanging(identity, skull, low, angle, falls)])
    rng = np.random.default_rng(appearance.texture_seed)
    waves = _waves(rng, angle, len(rest))
    ragged = 1.4 * waves + 0.7 * rng.standard_normal((1, len(angle)))
    edge = hairline(appearance, np.abs(angle))[None, :]
    cover = smooth_step(rest[..., 1] - edge + ragged, -2.0, 5.0)
    thick = appearance.hair_mm * (0.75 + 0.25 * smooth_step(rest[..., 1], 20, 90)) + 0.14 * appearance.hair_mm * waves
    grown = smooth_step(rest[..., 1] - edge, -2.0, 16.0)
    outward = rest - np.array([0.0, 15.0, -5.0])
    outward[..., 1] = np.maximum(outward[..., 1], 0.0)
    outward /= np.maximum(np.linalg.norm(outward, axis=-1, keepdims=True), 1e-6)
    lift = cover * (1.0 + (thick - 1.0) * (0.35 + 0.65 * grown)) - (1 - cover) * _SUNK_MM
    if falls:  # locks of uneven length
        rest[..., 1] += 7.0 * waves * smooth_step(rest[..., 1], bottom + 40.0, bottom)
    strands = np.stack(np.broadcast_arrays(np.rad2deg(angle)[None, :], rest[..., 1]), axis=-1)
    open_mouth = (np.abs(angle) < 0.7) & (rest[..., 1] < -40.0)  # goes in as deep as that hair
    off_the_neck = (np.cos(angle) < 0.4) & (rest[..., 1] < -12.0) & falls
    return rest + lift[..., None] * outward, strands.copy(), (cover == 0) & ~open_mouth & ~off_the_neck


def _on_skull(skull: Skull, side_y: np.ndarray, angle: np.ndarray) -> np.ndarray:
    at, rows = skull.dense
    return skull.surface(np.interp(-side_y, -rows[:, 1], at), angle)


def _hanging(identity: Identity, skull: Skull, y: np.ndarray, angle: np.ndarray, falls: bool) -> np.ndarray:
    """Return rows below the ears: along the neck for short hair, straight down for long hair."""
    body = _on_skull(skull, y, angle)
    if not falls:
        return body
    width = identity["bizygomatic"] / 2 + 2 + 10 * smooth_step(y, -16, -110)
    cosine = np.cos(angle)
    depth = np.where(cosine > 0, 72.0 * np.maximum(cosine, 0.0) ** 0.7, 82.0 * cosine)
    straight = np.stack(np.broadcast_arrays(width[:, None] * np.sin(angle), y[:, None], depth - 6.0), axis=-1)
    blend = smooth_step(y, -16.0, -40.0)[:, None, None]
    hang = body * (1 - blend) + straight * blend
    inside = (cosine > 0.35)[None, :, None]
    return np.where(inside, hang * np.array([0.5, 1.0, 0.5]), hang)


def _waves(rng: np.random.Generator, angle: np.ndarray, n_rows: int) -> np.ndarray:
    """Return smooth noise (R, C) in about -1..1 whose ridges run down the strands."""
    total = np.zeros((n_rows, len(angle)))
    along = np.linspace(0.0, 1.0, n_rows)[:, None]
    for frequency in (5, 9, 14, 23, 31):
        phase, drift = rng.uniform(0, 2 * np.pi), rng.uniform(-3, 3)
        total += np.sin(frequency * angle[None, :] + phase + drift * along) * frequency**-0.3
    return total / 2.0
