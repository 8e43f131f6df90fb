"""The mesh of one person: skin grid, ears and hair, with the undeformed coordinates that paint and expressions use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.synthetic import features
from face3d_data.synthetic.appearance import Appearance
from face3d_data.synthetic.features import smooth_step
from face3d_data.synthetic.hair import ear_grid, hair_grid
from face3d_data.synthetic.identity import Identity
from face3d_data.synthetic.skull import Skull

SKIN, EAR, HAIR = 0, 1, 2
SHIRT_MM = 3.5


@dataclass(frozen=True)
class Part:
    """A grid of vertices, closed round or open, belonging to one material.

    Attributes:
        kind: SKIN, EAR or HAIR.
        rest: f8 (R, C, 3) neutral positions, head frame, mm.
        coords: f8 (R, C, 2) undeformed x, y of the face; features are drawn in them.
        front: f8 (R, C) 1 where features and expressions apply, falling to 0 at the sides.
        closed: whether the last column joins the first.
    """

    kind: int
    rest: np.ndarray
    coords: np.ndarray
    front: np.ndarray
    closed: bool


@dataclass(frozen=True)
class Head:
    """One person's neutral head.

    Attributes:
        identity: shape parameters.
        appearance: skin, hair, eyes and clothes.
        skull: the base surface.
        parts: skin first, then ears and hair.
        triangles: uint32 (T, 3) into the parts' vertices, in their order.
        landmarks: f8 (5, 3) neutral positions: left eye, right eye, nose, left and right mouth corner.
        landmark_coords: f8 (5, 2) their undeformed x, y.
    """

    identity: Identity
    appearance: Appearance
    skull: Skull
    parts: tuple[Part, ...]
    triangles: np.ndarray
    landmarks: np.ndarray
    landmark_coords: np.ndarray


def build_head(identity: Identity, appearance: Appearance, detail: float = 1.0) -> Head:
    """Build the neutral head of a person.

    Args:
        identity: shape parameters.
        appearance: decides the hair's shape.
        detail: 1 gives rows about 1 mm apart at eyes, nose and mouth; 0.6 is enough below 320x240.
    """
    skull = Skull.of(identity)
    skin = _skin(identity, skull, detail)
    ears = [Part(EAR, *ear_grid(identity, skull, side), closed=True) for side in (-1, 1)]
    hair = hair_grid(identity, skull, appearance)
    parts = [skin, *ears, *([] if hair is None else [Part(HAIR, *hair, closed=True)])]
    offsets = np.cumsum([0] + [part.rest.shape[0] * part.rest.shape[1] for part in parts])
    triangles = np.concatenate([_grid_triangles(p) + int(o) for p, o in zip(parts, offsets[:-1], strict=True)])
    landmarks, coords = _landmarks(identity, skull)
    return Head(identity, appearance, skull, tuple(parts), triangles.astype(np.uint32), landmarks, coords)


def _grid_triangles(part: Part) -> np.ndarray:
    n_rows, n_columns = part.rest.shape[:2]
    index = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    right = np.roll(index, -1, axis=1) if part.closed else index[:, 1:]
    left = index if part.closed else index[:, :-1]
    a, b, c, d = left[:-1], right[:-1], left[1:], right[1:]
    return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, c, b), (b, c, d))])


def _row_parameters(skull: Skull, detail: float) -> np.ndarray:
    """Return row parameters: dense at eyes, nose and mouth, with rows just above and below the mouth line."""
    p, at = skull.identity, skull.levels
    marks = [
        (p["crown_y"] + 2.9, 40.0, 3.6),
        (40.0, 13.0, 1.9),
        (13.0, -12.0, 1.05),
        (-12.0, at.tip + 6, 1.7),
        (at.tip + 6, at.subnasale - 2, 0.85),
        (at.subnasale - 2, at.stomion + 3, 1.15),
        (at.stomion + 3, at.stomion - 4, 0.7),
        (at.stomion - 4, at.mentolabial, 1.3),
        (at.mentolabial, at.menton + 3, 2.0),
    ]
    levels = [np.linspace(hi, lo, max(2, round(detail * (hi - lo) / step)), endpoint=False) for hi, lo, step in marks]
    face = skull.row_at(np.concatenate([*levels, [at.menton + 3]]))
    last = skull.dense[0][-1]
    below = np.linspace(face[-1], last, max(12, round(30 * detail)) + 1)[1:]
    return np.concatenate([face, below])


def _column_angles(detail: float) -> np.ndarray:
    """Return angles round the head, dense over the middle of the face."""
    middle = np.arcsin(np.linspace(-0.56, 0.56, round(72 * detail) | 1))
    edge = middle[-1]
    side = np.linspace(edge, np.pi / 2, round(17 * detail) + 1)[1:]
    back = np.linspace(np.pi / 2, 3 * np.pi / 2, round(28 * detail) + 1)[1:-1]
    return np.concatenate([-side[::-1], middle, side, back])


def relief(
    identity: Identity, skull: Skull, x: np.ndarray, y: np.ndarray, z: np.ndarray, front: np.ndarray
) -> np.ndarray:
    """Return z with every feature of the face added, at undeformed points x, y, z (N,) with front weights (N,)."""
    at = skull.levels
    subnasale_z = float(skull.front_point(np.zeros(1), np.array([at.subnasale]))[0]) + 0.3 * identity["lip_protrusion"]
    z = z + front * features.tissue(identity, at, x, y)
    z = z + front * features.lips(identity, at, x, y)
    z = features.eyes(identity, x, y, z, 1.0)
    return features.nose(identity, at, x, y, z, subnasale_z)


def _skin(identity: Identity, skull: Skull, detail: float) -> Part:
    angle = _column_angles(detail)
    rest = skull.surface(_row_parameters(skull, detail), angle)
    front = smooth_step(np.broadcast_to(np.cos(angle), rest.shape[:2]), 0.06, 0.38)
    coords = rest[..., :2].copy()
    face = (front > 0) & (rest[..., 1] > skull.levels.menton - 30)
    front = np.where(face, front, 0.0)
    rest[..., 2][face] = relief(identity, skull, *(rest[..., i][face] for i in range(3)), front[face])
    shirt = smooth_step(collar_depth(skull, rest[..., 0], rest[..., 1], rest[..., 2]), 0.0, 2.0)
    out = rest * np.array([1.0, 0.0, 1.0])
    out /= np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-6)
    return Part(SKIN, rest + SHIRT_MM * shirt[..., None] * out, coords, front, closed=True)


def collar_depth(skull: Skull, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return how far (mm) points lie below the shirt's collar, negative above it; it dips in front."""
    dip = 16.0 * smooth_step(z, -10.0, 45.0) * np.exp(-0.5 * (x / 45.0) ** 2)
    return skull.levels.menton - 47.0 - dip - y


def _landmarks(identity: Identity, skull: Skull) -> tuple[np.ndarray, np.ndarray]:
    at = skull.levels
    eye, mouth = identity["interpupillary"] / 2, identity["mouth_width"] / 2
    tip_y = np.arange(at.tip - 7.0, at.tip + 5.0, 0.1)
    tip_x = np.full(len(tip_y), 0.8 * identity.asymmetry[0])
    tip_z = relief(identity, skull, tip_x, tip_y, skull.front_point(tip_x, tip_y), np.ones(len(tip_y)))
    nose_y = float(tip_y[np.argmax(tip_z)])
    corner = at.stomion - 1.2
    coords = np.array([(-eye, 0.3), (eye, 0.3), (tip_x[0], nose_y), (-mouth, corner), (mouth, corner)])
    x, y = coords.T
    z = relief(identity, skull, x, y, skull.front_point(x, y), np.ones(5))
    return np.column_stack([x, y, z]), coords
