"""Head mesh of one person: skin grid, ears and hair, with the undeformed coordinates that paint and expressions use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.synthetic import features
from face3d_data.synthetic.appearance import FALLING, Appearance
from face3d_data.synthetic.expression import MovingPoints
from face3d_data.synthetic.features import smooth_step
from face3d_data.synthetic.hair import ear_grid, hair_grid
from face3d_data.synthetic.identity import Identity
from face3d_data.synthetic.skull import Skull

SKIN, EAR, HAIR = 0, 1, 2
SHIRT_MM = 3.5
LIP_ROW_MM = 0.45


@dataclass(frozen=True)
class MeshGrid:
    """A grid of vertices, closed round or open, belonging to one material.

    Attributes:
        kind: SKIN, EAR or HAIR.
        rest: f8 (R, C, 3) neutral positions, head frame, mm.
        coords: f8 (R, C, 2) undeformed x, y of the face; features are drawn in them.
        front: f8 (R, C) 1 where features and expressions apply, falling to 0 at the sides.
        relief_mm: f8 (R, C) how far the features stand off the smooth head.
        buried: bool (R, C) what lies inside the head for certain, whatever the expression.
        closed: whether the last column joins the first.
        detail: of the grid, as `build_head` takes it.
    """

    kind: int
    rest: np.ndarray
    coords: np.ndarray
    front: np.ndarray
    relief_mm: np.ndarray
    buried: np.ndarray
    closed: bool = True
    detail: float = 1.0

    @cached_property
    def cavity(self) -> np.ndarray:
        """How deep each vertex is in a hollow of the features, f8 (R, C), mm, negative on ridges; paint needs it."""
        return _cavity(self.relief_mm, self.detail) if self.kind == SKIN else np.zeros(self.rest.shape[:2])


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
    parts: tuple[MeshGrid, ...]
    triangles: np.ndarray
    landmarks: np.ndarray
    landmark_coords: np.ndarray

    @cached_property
    def outer_triangles(self) -> np.ndarray:
        """Those of `triangles` that may be seen: not the hair that lies inside the head."""
        buried = np.concatenate([part.buried.reshape(-1) for part in self.parts])
        return self.triangles[~buried[self.triangles].all(axis=1)]

    @cached_property
    def moving(self) -> tuple[MovingPoints, ...]:
        """What of each part moves with expressions."""
        levels = self.skull.levels
        return tuple(MovingPoints.of(self.identity, levels, part.coords, part.front) for part in self.parts)

    @cached_property
    def moving_landmarks(self) -> MovingPoints:
        """How the landmarks move with expressions."""
        return MovingPoints.of(self.identity, self.skull.levels, self.landmark_coords, np.ones(5))


@dataclass(frozen=True, eq=False)
class HeadCore:
    """What the heads of one person have in common, whatever their detail; attributes as those of `Head`."""

    identity: Identity
    appearance: Appearance
    skull: Skull
    hair_and_ears: tuple[MeshGrid, ...]
    landmarks: np.ndarray
    landmark_coords: np.ndarray

    @classmethod
    def of(cls, identity: Identity, appearance: Appearance) -> HeadCore:
        """Make it for a person; `appearance` decides the hair's shape."""
        skull = Skull.of(identity)
        shown = () if appearance.style in FALLING else (-1, 1)  # falling hair hides the ears
        ears = [_plain(EAR, *ear_grid(identity, skull, side)) for side in shown]
        hair = _plain(HAIR, *hair_grid(identity, skull, appearance))
        return cls(identity, appearance, skull, (*ears, hair), *_landmarks(identity, skull))

    def head(self, detail: float) -> Head:
        """Return the person's head with a skin of that detail, as `build_head` takes it."""
        parts = (_skin(self.identity, self.skull, detail), *self.hair_and_ears)
        offsets = np.cumsum([0] + [part.rest.shape[0] * part.rest.shape[1] for part in parts])
        triangles = np.concatenate(
            [
                grid_triangles(*part.rest.shape[:2], part.closed) + int(offset)
                for part, offset in zip(parts, offsets[:-1], strict=True)
            ]
        )
        marks = self.landmarks, self.landmark_coords
        return Head(self.identity, self.appearance, self.skull, parts, triangles.astype(np.uint32), *marks)


def build_head(identity: Identity, appearance: Appearance, detail: float = 1.0) -> Head:
    """Build the neutral head of a person.

    Args:
        identity: shape parameters.
        appearance: decides the hair's shape.
        detail: 1 gives rows about 1 mm apart at eyes, nose and mouth; 0.6 is enough below 320x240.
    """
    return HeadCore.of(identity, appearance).head(detail)


def _plain(kind: int, rest: np.ndarray, coords: np.ndarray, buried: np.ndarray | None = None) -> MeshGrid:
    zero = np.zeros(rest.shape[:2])
    return MeshGrid(kind, rest, coords, zero, zero, np.zeros(rest.shape[:2], bool) if buried is None else buried)


def grid_triangles(n_rows: int, n_columns: int, closed: bool) -> np.ndarray:
    """Return the triangles (T, 3) of a grid of vertices, from its top down and left to right, closed round or not."""
    index = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    right = np.roll(index, -1, axis=1) if closed else index[:, 1:]
    left = index if closed else index[:, :-1]
    a, b, c, d = left[:-1], right[:-1], left[1:], right[1:]
    return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, c, b), (b, c, d))])


def _row_parameters(skull: Skull, detail: float) -> np.ndarray:
    """Return row parameters: dense at eyes, nose and mouth, with rows just above and below the mouth line."""
    p, at = skull.identity, skull.levels
    lips = (at.stomion + LIP_ROW_MM, at.stomion - LIP_ROW_MM)
    marks = [
        (p["crown_y"] + 2.9, 40.0, 3.6),
        (40.0, 13.0, 1.9),
        (13.0, -12.0, 1.05),
        (-12.0, at.tip + 6, 1.7),
        (at.tip + 6, at.subnasale - 2, 0.85),
        (at.subnasale - 2, at.stomion + 3.2, 1.15),
        (at.stomion + 3.2, lips[0], 0.7),
        (lips[0], lips[1], LIP_ROW_MM / detail),
        (lips[1], at.stomion - 4, 0.7),
        (at.stomion - 4, at.mentolabial, 1.3),
        (at.mentolabial, at.menton + 3, 2.0),
    ]
    levels = [np.linspace(hi, lo, max(2, round(detail * (hi - lo) / step)), endpoint=False) for hi, lo, step in marks]
    face = skull.row_at(np.concatenate([*levels, [at.menton + 3]]))
    last = skull.dense[0][-1]
    below = np.linspace(face[-1], last, max(12, round(30 * detail)) + 1)[1:]
    return np.concatenate([face, below])


def _column_angles(detail: float) -> np.ndarray:
    """Return angles around the head, dense over the middle of the face."""
    step = 0.0157 / detail
    steps = [step] * round(0.40 / step)
    while sum(steps) < np.pi / 2 - 0.03:
        steps.append(min(1.10 * steps[-1], 0.075 / detail))  # spacing that jumps shows as a band in the shading
    side = np.cumsum(steps) * (np.pi / 2 / sum(steps))
    back = np.linspace(np.pi / 2, 3 * np.pi / 2, round(28 * detail) + 1)[1:-1]
    return np.concatenate([-side[::-1], [0.0], side, back])


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


def _skin(identity: Identity, skull: Skull, detail: float) -> MeshGrid:
    angle = _column_angles(detail)
    rest = skull.surface(_row_parameters(skull, detail), angle)
    front = smooth_step(np.broadcast_to(np.cos(angle), rest.shape[:2]), 0.06, 0.38)
    _, line, _ = features.lip_borders(identity, skull.levels, rest[..., 0])
    bend = np.exp(-(((rest[..., 1] - skull.levels.stomion) / 7.0) ** 2)) * smooth_step(front, 0.2, 0.6)
    rest[..., 1] += (line - skull.levels.stomion) * bend  # rows follow the mouth line, so that the lips part cleanly
    coords = rest[..., :2].copy()
    face = (front > 0) & (rest[..., 1] > skull.levels.menton - 30)
    front = np.where(face, front, 0.0)
    smooth_z = rest[..., 2].copy()
    rest[..., 2][face] = relief(identity, skull, *(rest[..., i][face] for i in range(3)), front[face])
    relief_mm = rest[..., 2] - smooth_z
    shirt = smooth_step(collar_depth(skull, rest[..., 0], rest[..., 1], rest[..., 2]), 0.0, 2.0)
    out = rest * np.array([1.0, 0.0, 1.0])
    out /= np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-6)
    rest = rest + SHIRT_MM * shirt[..., None] * out
    return MeshGrid(SKIN, rest, coords, front, relief_mm, np.zeros(front.shape, bool), detail=detail)


def _cavity(relief_mm: np.ndarray, detail: float) -> np.ndarray:
    """Return how far the relief is below its surroundings; the head's own roundness would show as bands."""
    near, far = (gaussian_filter(relief_mm, s * detail, mode=("nearest", "wrap")) - relief_mm for s in (3.0, 9.0))
    return near + 0.4 * far


def collar_depth(skull: Skull, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return how far (mm) points are below the shirt's collar, negative above it; it dips in front."""
    dip = 16.0 * smooth_step(z, -10.0, 45.0) * np.exp(-0.5 * (x / 45.0) ** 2)
    return skull.levels.menton - 47.0 - dip - y


def _landmarks(identity: Identity, skull: Skull) -> tuple[np.ndarray, np.ndarray]:
    at = skull.levels
    eye, mouth = identity["interpupillary"] / 2, identity["mouth_width"] / 2
    tip_y = np.arange(at.tip - 7.0, at.tip + 5.0, 0.1)
    tip_x = np.full(len(tip_y), 0.8 * identity.asymmetry[0])
    tip_z = relief(identity, skull, tip_x, tip_y, skull.front_point(tip_x, tip_y), np.ones(len(tip_y)))
    nose_y = float(tip_y[np.argmax(tip_z)])
    corner = at.stomion + 0.2
    coords = np.array([(-eye, 0.3), (eye, 0.3), (tip_x[0], nose_y), (-mouth, corner), (mouth, corner)])
    x, y = coords.T
    z = relief(identity, skull, x, y, skull.front_point(x, y), np.ones(5))
    return np.column_stack([x, y, z]), coords
