"""Hair that hangs into the face: locks from the crown over the forehead, longer ones over one eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from face3d_data.registry import register
from face3d_data.wear.fabric import linear_rgb, noise_tile, sample_tile
from face3d_data.wear.head_map import roll_up, sample_map
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders.mesh import OccluderMesh, assemble, grid_mesh, spanned
from face3d_data.wear.occluders.own_color import hair_color
from face3d_data.wear.skin import Skin
from face3d_data.wear.wearing import Face

COLORS = ("#171310", "#241a14", "#3d2a1b", "#5a3d24", "#8a6238", "#b08c56", "#74381d", "#85807b")
ROOT_B_MM = 146.0
"""Where the locks begin: on the crown, out of sight from the front."""
FRINGE, CROWN = 0, 1
CROWN_MM = 34.0
"""Length of a lock above the hairline."""
ROOT_HALF_MM = 74.0
N_LOCKS, N_ALONG, N_ACROSS = 84, 18, 5
LOCK_COORDS_MM = 100.0
"""Range of the first surface coordinate that each lock has to itself."""


@dataclass(frozen=True)
class HairDraw:
    """One drawn fringe.

    Attributes:
        color: `#rrggbb`.
        side: the eye that is covered, -1 image left, 1 image right.
        fringe_b_mm: height in the mean head's plane down to which the short locks hang; the brows are at 93.
        lock_b_mm: the same of the long locks; the eyes are at 78, the nose tip at 39.
        sweep_mm: how far the tips are combed to the side.
        volume_mm: how far the hair stands off the forehead.
        seed: of the locks' places and streaks.
    """

    color: str = COLORS[1]
    side: int = 1
    fringe_b_mm: float = 94.0
    lock_b_mm: float = 44.0
    sweep_mm: float = 16.0
    volume_mm: float = 7.0
    seed: int = 0


def draw_hair(rng: np.random.Generator) -> HairDraw:
    """Draw a fringe that hides one eye."""
    return HairDraw(
        color=COLORS[int(rng.integers(len(COLORS)))],
        side=1 if rng.random() < 0.5 else -1,
        fringe_b_mm=round(float(rng.uniform(86, 104)), 1),
        lock_b_mm=round(float(rng.uniform(18, 58)), 1),
        sweep_mm=round(float(rng.uniform(4, 26)), 1),
        volume_mm=round(float(rng.uniform(4, 9)), 1),
        seed=int(rng.integers(2**31)),
    )


def build_hair(skin: Skin, landmarks: np.ndarray, draw: HairDraw) -> Occluder:
    """Build a fringe on a person; arguments as for `build_glasses`. Part 0 hangs into the face, part 1 is above."""
    rng = np.random.default_rng([draw.seed, 0])
    guard = np.maximum(skin.radius, skin.guard)
    under = spanned(guard, 10.0, 44.0)
    root = np.linspace(-ROOT_HALF_MM, ROOT_HALF_MM, N_LOCKS) + rng.uniform(-3, 3, N_LOCKS)
    locks = [_lock(skin, under, draw, i, root[i], rng) for i in rng.permutation(N_LOCKS)]
    above = (lock.coords[lock.triangles[:, 0], 1] < CROWN_MM for lock in locks)
    return assemble(
        [(lock, np.where(on_crown, CROWN, FRINGE)) for lock, on_crown in zip(locks, above, strict=True)], _Paint(draw)
    )


@register
class Hair(OccluderKind):
    """Hair that hangs into the face and hides one eye."""

    name: ClassVar[str] = "hair"
    draws: ClassVar[type[Any]] = HairDraw

    def draw(self, rng: np.random.Generator) -> HairDraw:
        """Draw one."""
        return draw_hair(rng)

    def build(self, skin: Skin, landmarks: np.ndarray, draw: HairDraw) -> Occluder:
        """Build it on a person; see `build_hair`."""
        return build_hair(skin, landmarks, draw)

    def own_color(self, face: Face) -> str | None:
        """Return the colour of the person's own hair, where it is seen."""
        return hair_color(face)


def _lock(
    skin: Skin, under: np.ndarray, draw: HairDraw, number: int, root_a: float, rng: np.random.Generator
) -> OccluderMesh:
    """Return one lock: a ribbon that hangs from the crown, narrows to its tip and is bent across."""
    covers = _step((draw.side * root_a + 4.0) / 26.0) * _step((92.0 - draw.side * root_a) / 26.0)
    tip_b = draw.fringe_b_mm + covers * (draw.lock_b_mm - draw.fringe_b_mm) - 0.10 * abs(root_a) + rng.normal(0, 4.5)
    tip_a = 0.95 * root_a + draw.side * draw.sweep_mm * (0.25 + 0.75 * covers) + rng.normal(0, 4.0)
    s = np.linspace(0, 1, N_ALONG)
    wave = rng.normal(0, 2.0) * np.sin(np.pi * s * rng.uniform(1, 2))
    path = np.stack([root_a + (tip_a - root_a) * s**1.7 + wave, ROOT_B_MM + (tip_b - ROOT_B_MM) * s], axis=1)
    half = rng.uniform(3.5, 7.0) * np.clip(1.12 - s**3, 0.12, 1.0)
    across = np.linspace(-1, 1, N_ACROSS)
    tangent = np.gradient(path, axis=0)
    sideways = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.linalg.norm(tangent, axis=1, keepdims=True)
    plane = skin.to_person(path[:, None] + (half[:, None] * across)[..., None] * sideways[:, None])
    offset = (
        2.5 + rng.uniform(0, 3.0) + draw.volume_mm * (1 - 0.75 * s) * np.sin(np.pi * np.clip(0.25 + s, 0, 1)) ** 0.5
    )
    bend = 0.28 * half[:, None] * (1 - across**2) * (0.4 + 0.6 * (1 - s[:, None]))
    radius = sample_map(under.astype(np.float64), plane) + offset[:, None] + bend
    length = np.cumsum(np.linalg.norm(tangent, axis=1))
    first = LOCK_COORDS_MM * (number + 0.5) + half[:, None] * across
    coords = np.stack(np.broadcast_arrays(first, length[:, None]), axis=-1)
    return grid_mesh(roll_up(plane, radius)[::-1], coords[::-1])  # the path runs down, rows run up


def _step(x: float) -> float:
    x = float(np.clip(x, 0, 1))
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class _Paint:
    """Streaks along the locks, darker at their edges and roots."""

    draw: HairDraw

    def __call__(self, part: np.ndarray, coords: np.ndarray) -> np.ndarray:
        lock, along = np.floor(coords[:, 0] / LOCK_COORDS_MM), coords[:, 1]
        across = coords[:, 0] - LOCK_COORDS_MM * (lock + 0.5)
        fine, coarse = (
            noise_tile(self.draw.seed, layer, smoothing) for layer, smoothing in ((1, (2, 0.5)), (2, (3, 1.2)))
        )
        at = np.stack([coords[:, 0] * 1.7, along * 0.10], axis=1)
        streak = 0.20 * sample_tile(fine, at) + 0.16 * sample_tile(coarse, at * [0.45, 0.6])
        own = 0.14 * sample_tile(coarse, np.stack([lock * 7.3, lock * 3.1], axis=1))
        edge = 1 - 0.35 * np.clip(np.abs(across) / 6.0, 0, 1) ** 2
        shade = np.clip((1 + streak + own) * edge * (0.8 + 0.2 * np.clip(along / 60, 0, 1)), 0.3, 1.9)
        return (linear_rgb(self.draw.color) * shade[:, None]).astype(np.float32)
