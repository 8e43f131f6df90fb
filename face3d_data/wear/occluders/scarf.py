"""Scarf around neck and lower face: thick folds, from nose or mouth down to the shoulders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.ndimage import gaussian_filter1d

from face3d_data.registry import register
from face3d_data.wear.fabric import linear_rgb, noise_tile, sample_tile
from face3d_data.wear.head_map import CENTRE, directions, roll_up, sample_map, unroll
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders.mesh import assemble, grid_mesh, spanned
from face3d_data.wear.skin import Skin

TOPS = {"nose": (44.0, 56.0), "mouth": (17.0, 25.0)}
"""Where the upper edge runs over the face's middle, in the mean head's plane: the nose tip is at 39, the mouth at 0."""
PATTERNS = ("plain", "stripes", "plaid")
COLORS = ("#8d2f33", "#2c3a57", "#4b4f55", "#b7a98f", "#33503f", "#7a5a78", "#c9c4ba", "#1f2023", "#b0703a")
N_ROWS, N_COLUMNS = 72, 121
HALF_MM = 186.0
HALF_TURN_DEG = 150.0
NECK_Z_MM = -112.0
"""The scarf is wound about a vertical line here, face frame."""
FRONT_MM, SIDE_MM = 84.0, 90.0
BOTTOM_Y_MM = -152.0
FACE, NECK = 0, 1
FACE_SHARE = 0.45
"""How much of its rows and columns lie over the face; the rest may be out of the picture."""
STITCH_MM = (4.6, 3.8)


@dataclass(frozen=True)
class ScarfDraw:
    """One drawn scarf.

    Attributes:
        top: `nose` or `mouth`: what it covers up to.
        top_b_mm: height of its upper edge in the middle, in the mean head's plane.
        color: `#rrggbb`.
        second_color: of stripes and plaid.
        pattern: `plain`, `stripes` or `plaid`.
        thickness_mm: of the cloth.
        fold_mm: depth of the folds.
        fold_every_mm: distance of the folds.
        slope: how much the folds climb to one side, mm a mm.
        seed: of the folds' irregularities and the knit.
    """

    top: str = "mouth"
    top_b_mm: float = 20.0
    color: str = COLORS[0]
    second_color: str = COLORS[3]
    pattern: str = "plain"
    thickness_mm: float = 8.0
    fold_mm: float = 5.0
    fold_every_mm: float = 28.0
    slope: float = 0.1
    seed: int = 0


def draw_scarf(rng: np.random.Generator) -> ScarfDraw:
    """Draw a scarf."""
    top = tuple(TOPS)[int(rng.integers(len(TOPS)))]
    first, second = rng.choice(len(COLORS), 2, replace=False)
    return ScarfDraw(
        top=top,
        top_b_mm=round(float(rng.uniform(*TOPS[top])), 1),
        color=COLORS[first],
        second_color=COLORS[second],
        pattern=PATTERNS[int(rng.integers(len(PATTERNS)))],
        thickness_mm=round(float(rng.uniform(5.5, 10)), 1),
        fold_mm=round(float(rng.uniform(3, 7)), 1),
        fold_every_mm=round(float(rng.uniform(24, 40)), 1),
        slope=round(float(rng.uniform(-0.2, 0.2)), 3),
        seed=int(rng.integers(2**31)),
    )


def build_scarf(skin: Skin, landmarks: np.ndarray, draw: ScarfDraw) -> Occluder:
    """Build a scarf on a person; arguments as for `build_glasses`. Part 0 covers the face, part 1 the neck."""
    guard = np.maximum(skin.radius, skin.guard)
    down = np.linspace(0, 1, N_ROWS)[:, None]
    plane = _places(skin, draw, down)
    touching = sample_map(spanned(guard, 70.0, 50.0).astype(np.float64), plane)
    lying = _step(down / 0.09) * draw.thickness_mm + 1.2
    hanging = _step((down - 0.2) / 0.35)
    neck = _neck_radius(plane) + draw.thickness_mm
    worn = touching + lying
    worn = worn + hanging * 6.0 * np.logaddexp(0.0, (neck - worn) / 6.0)  # a smooth maximum
    coords = _lengths(roll_up(plane, worn))
    folds = draw.fold_mm * _fold(draw, coords) * _step(down / 0.12) * (0.5 + 0.7 * down)
    edge = 3.0 * sample_tile(noise_tile(draw.seed, 5, (3, 3)), coords / 6.0) * _step(down / 0.25)
    radius = np.maximum(worn + folds + 0.4 * edge, touching + 1.0)
    points = roll_up(plane, radius)
    mesh = grid_mesh(points[::-1], coords[::-1])
    below = mesh.triangles[:, 0] < round((1 - FACE_SHARE) * N_ROWS) * N_COLUMNS
    beside = np.abs(mesh.triangles[:, 0] % N_COLUMNS - N_COLUMNS // 2) > FACE_SHARE * N_COLUMNS / 2
    return assemble([(mesh, np.where(below | beside, NECK, FACE))], _Paint(draw))


@register
class Scarf(OccluderKind):
    """A scarf wound round neck and lower face, up to the mouth or the nose."""

    name: ClassVar[str] = "scarf"
    draws: ClassVar[type[Any]] = ScarfDraw

    def draw(self, rng: np.random.Generator) -> ScarfDraw:
        """Draw one."""
        return draw_scarf(rng)

    def build(self, skin: Skin, landmarks: np.ndarray, draw: ScarfDraw) -> Occluder:
        """Build it on a person; see `build_scarf`."""
        return build_scarf(skin, landmarks, draw)


def _places(skin: Skin, draw: ScarfDraw, down: np.ndarray) -> np.ndarray:
    """Return the plane coordinates (R, C, 2), mm, of the cloth's rows, from the upper edge downwards."""
    turn = np.linspace(-1, 1, N_COLUMNS)
    lift = sample_tile(noise_tile(draw.seed, 4, (2, 2)), np.stack([turn * 9 + 20, 0 * turn], axis=1))
    top_b = draw.top_b_mm + (14.0 - 0.6 * draw.top_b_mm) * np.abs(turn) ** 1.5 + 3.0 * lift + 40.0 * draw.slope * turn
    top = skin.to_person(np.stack([HALF_MM * turn, top_b], axis=1))
    angle = np.deg2rad(HALF_TURN_DEG) * turn
    hem = np.stack(
        [
            (SIDE_MM + 12) * np.sin(angle),
            BOTTOM_Y_MM + 4.0 * lift,
            NECK_Z_MM + (FRONT_MM + 10) * np.cos(angle),
        ],
        axis=1,
    )
    bottom, _ = unroll(hem)
    return top[None] + down[..., None] * (bottom - top)[None]


def _neck_radius(plane: np.ndarray) -> np.ndarray:
    """Return distances from the map's centre of an upright elliptical cylinder around the neck, cut off below."""
    toward = directions(plane)
    x, z = toward[..., 0] / SIDE_MM, toward[..., 2] / FRONT_MM
    from_axis = (CENTRE[2] - NECK_Z_MM) / FRONT_MM
    a, b, c = np.maximum(x**2 + z**2, 1e-6), z * from_axis, from_axis**2 - 1
    cylinder = (-b + np.sqrt(b**2 - a * c)) / a
    floor = (CENTRE[1] - BOTTOM_Y_MM + 12) / np.maximum(-toward[..., 1], 0.05)
    return np.minimum(cylinder, floor)


def _lengths(points: np.ndarray) -> np.ndarray:
    """Return lengths along the cloth (R, C, 2), mm: from its middle to the right, and from its upper edge down."""
    down = np.cumsum(np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=-1), axis=0)
    down = gaussian_filter1d(down, 7.0, axis=1, mode="nearest")  # no dent in every fold below the nose
    right = np.cumsum(np.linalg.norm(np.diff(points, axis=1, prepend=points[:, :1]), axis=-1), axis=1)
    right = right[N_ROWS // 2] - right[N_ROWS // 2, N_COLUMNS // 2]
    return np.stack([np.broadcast_to(right, down.shape), down], axis=-1)


def _fold(draw: ScarfDraw, coords: np.ndarray) -> np.ndarray:
    """Return the folds' relief at places (..., 2) of the cloth, about -1 in the valleys to 1."""
    warp = sample_tile(noise_tile(draw.seed, 6, (4, 4)), coords / 14.0)
    phase = (coords[..., 1] + draw.slope * 2.5 * coords[..., 0] + 7.0 * warp) / draw.fold_every_mm
    return 2.0 * np.abs(np.sin(np.pi * phase)) ** 0.8 - 1.0


def _step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


@dataclass(frozen=True)
class _Paint:
    """Knitted wool: stitches like plaits, stripes or plaid, dark in the folds' valleys."""

    draw: ScarfDraw

    def __call__(self, part: np.ndarray, coords: np.ndarray) -> np.ndarray:
        x, y = coords[:, 0], coords[:, 1]
        share = np.zeros(len(x), np.float32)
        if self.draw.pattern != "plain":
            share = ((y / 34.0) % 1 < 0.4).astype(np.float32)
        if self.draw.pattern == "plaid":
            share = 0.5 * share + 0.5 * ((x / 40.0) % 1 < 0.4)
        first, second = linear_rgb(self.draw.color), linear_rgb(self.draw.second_color)
        albedo = first + share[:, None] * (second - first)
        across = np.abs(2 * ((x / STITCH_MM[0]) % 1) - 1)
        stitch = 0.5 + 0.5 * np.sin(2 * np.pi * (y / STITCH_MM[1] + 0.6 * across))
        gap = 0.30 * across**6
        grain = 0.07 * sample_tile(noise_tile(self.draw.seed, 8, (0.7, 0.7)), coords / 1.1)
        valley = 0.75 + 0.25 * _step((_fold(self.draw, coords) + 1.0) / 0.9)
        shade = (0.78 + 0.22 * stitch - gap + grain) * valley
        return (albedo * np.clip(shade, 0.2, 1.3)[:, None]).astype(np.float32)
