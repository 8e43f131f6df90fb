"""Glasses and sunglasses: rims in front of the eyes, a bridge over the nose, temples to the ears, lenses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from face3d_data.registry import register
from face3d_data.wear.fabric import linear_rgb
from face3d_data.wear.head_map import sample_map, unroll
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders.mesh import OccluderMesh, assemble, grid_mesh, keep_outside, ring, tube, unit
from face3d_data.wear.skin import Skin

FRAME, LENS = 0, 1
EYE_TO_LENS_MM = 13.0
MOST_FORWARD_MM = 7.0
"""Glasses that would touch cheeks or nose are moved at most this far forward."""
PANTOSCOPIC_DEG = 8.0
"""The lenses' lower edges are nearer to the cheeks."""
EAR_Z_MM = -118.0
"""Where the ears begin, face frame."""
N_RIM = 56
COLORS = ("#17181b", "#2a1d16", "#5b3a22", "#7d7f84", "#b08d4b", "#26324a", "#6b2230")
LENS_COLORS = ("#0c0d10", "#1d1712", "#111c18", "#151a28")
CLEAR_COLOR = "#94a2a8"


@dataclass(frozen=True)
class Shape:
    """Half outline of a lens: a superellipse, broader above or below.

    Attributes:
        width_mm: of a lens.
        height_mm: of a lens.
        power: 2 is an ellipse, more is squarer.
        taper: how much narrower the lower edge is, share of the width; negative: broader.
        droop: how much lower the outer half hangs, share of the height; negative: it rises (cat's eye).
    """

    width_mm: float
    height_mm: float
    power: float
    taper: float
    droop: float


SHAPES = {
    "round": Shape(46, 44, 2.0, 0.0, 0.0),
    "oval": Shape(50, 33, 2.2, 0.05, 0.0),
    "rectangle": Shape(52, 32, 4.5, 0.08, 0.0),
    "wayfarer": Shape(51, 40, 3.6, 0.22, -0.06),
    "aviator": Shape(56, 48, 2.6, 0.20, 0.10),
    "cat_eye": Shape(52, 38, 2.8, 0.18, -0.16),
}


@dataclass(frozen=True)
class GlassesDraw:
    """One drawn pair.

    Attributes:
        shape: name of the lenses' shape in `SHAPES`.
        color: colour of the frame, `#rrggbb`.
        lens_color: colour of the lenses.
        opacity: how much of the light the lenses keep back, 0..1.
        size: factor on the lenses.
        rim_mm: thickness of the rims.
        tilt_deg: how much one side is higher.
    """

    shape: str = "rectangle"
    color: str = COLORS[0]
    lens_color: str = CLEAR_COLOR
    opacity: float = 0.08
    size: float = 1.0
    rim_mm: float = 2.6
    tilt_deg: float = 0.0


def draw_glasses(rng: np.random.Generator) -> GlassesDraw:
    """Draw a pair with clear lenses."""
    return _draw(rng, ("round", "oval", "rectangle", "wayfarer", "cat_eye"), (CLEAR_COLOR,), (0.05, 0.11), (1.4, 4.2))


def draw_sunglasses(rng: np.random.Generator) -> GlassesDraw:
    """Draw a pair with dark lenses, a little larger."""
    return _draw(rng, ("round", "rectangle", "wayfarer", "aviator", "cat_eye"), LENS_COLORS, (0.9, 1.0), (1.6, 5.0))


def _draw(
    rng: np.random.Generator,
    shapes: tuple[str, ...],
    lens_colors: tuple[str, ...],
    opacity: tuple[float, float],
    rim_mm: tuple[float, float],
) -> GlassesDraw:
    return GlassesDraw(
        shape=shapes[int(rng.integers(len(shapes)))],
        color=COLORS[int(rng.integers(len(COLORS)))],
        lens_color=lens_colors[int(rng.integers(len(lens_colors)))],
        opacity=round(float(rng.uniform(*opacity)), 3),
        size=round(float(rng.uniform(0.95, 1.08)), 3),
        rim_mm=round(float(rng.uniform(*rim_mm)), 2),
        tilt_deg=round(float(rng.normal(0, 1.5)), 2),
    )


def build_glasses(skin: Skin, landmarks: np.ndarray, draw: GlassesDraw) -> Occluder:
    """Build a pair of glasses on a person.

    Args:
        skin: the person's skin.
        landmarks: f4 (5, 3), face frame, mm.
        draw: the pair.

    Returns:
        The occluder: part 0 rims, bridge and temples, part 1 the lenses, which cameras see through if clear.
    """
    guard = np.maximum(skin.radius, skin.guard)
    front = _Front.on(guard, np.asarray(landmarks, np.float64), draw)
    half = draw.rim_mm / 2
    # Rims of cellulose are deeper than thick ones are broad; wires are round.
    depth = half if half < 1 else 0.7 * half + 0.4
    pieces: list[tuple[OccluderMesh, int]] = []
    for side in (-1, 1):
        rim = keep_outside(front.at(front.outline(side)), guard, half + 0.4)
        pieces += [(ring(rim, half, depth, front.axes[2]), FRAME), (front.lens(side, rim), LENS)]
        pieces += [(_temple(front, rim, side, guard, draw), FRAME)]
    pieces.append((_bridge(front, guard, half), FRAME))
    pieces = [(replace(mesh, vertices=keep_outside(mesh.vertices, guard, 0.4)), part) for mesh, part in pieces]
    return assemble(pieces, _Paint(draw), see_through=(1.0, draw.opacity))


@register
class Glasses(OccluderKind):
    """Glasses with clear lenses, which change colour only."""

    name: ClassVar[str] = "glasses"
    draws: ClassVar[type[Any]] = GlassesDraw

    def draw(self, rng: np.random.Generator) -> GlassesDraw:
        """Draw one."""
        return draw_glasses(rng)

    def build(self, skin: Skin, landmarks: np.ndarray, draw: GlassesDraw) -> Occluder:
        """Build it on a person; see `build_glasses`."""
        return build_glasses(skin, landmarks, draw)


@register
class Sunglasses(OccluderKind):
    """Glasses with dark lenses, which a depth camera sees too."""

    name: ClassVar[str] = "sunglasses"
    draws: ClassVar[type[Any]] = GlassesDraw

    def draw(self, rng: np.random.Generator) -> GlassesDraw:
        """Draw one."""
        return draw_sunglasses(rng)

    def build(self, skin: Skin, landmarks: np.ndarray, draw: GlassesDraw) -> Occluder:
        """Build it on a person; see `build_glasses`."""
        return build_glasses(skin, landmarks, draw)


@dataclass(frozen=True, eq=False)
class _Front:
    """The plane of the lenses: origin f8 (3,) between them, axes f8 (3, 3) right, up and forward; lens size in mm."""

    origin: np.ndarray
    axes: np.ndarray
    shape: Shape
    size: float
    gap_mm: float

    @classmethod
    def on(cls, guard: np.ndarray, landmarks: np.ndarray, draw: GlassesDraw) -> _Front:
        """Put the lenses before a person's eyes, as near as lashes, cheeks and nose let them."""
        apart = float(np.linalg.norm(landmarks[1] - landmarks[0]))
        right = unit((landmarks[1] - landmarks[0]) * [1.0, 1.0, 0.3])
        angle, roll = np.deg2rad([PANTOSCOPIC_DEG, draw.tilt_deg])
        up = np.array([0.0, np.cos(angle), np.sin(angle)])
        right = unit(right * np.cos(roll) + up * np.sin(roll))
        forward = unit(np.cross(right, up))
        axes = np.stack([right, np.cross(forward, right), forward])
        shape, size = SHAPES[draw.shape], draw.size * np.clip(apart / 63.0, 0.88, 1.15)
        # The pupils look through the lenses' upper half, a little inwards of their middle.
        origin = landmarks[:2].mean(axis=0) + axes.T @ [0.0, 3.0 - 0.16 * shape.height_mm * size, EYE_TO_LENS_MM]
        gap = float(np.clip(apart + 5.0 - shape.width_mm * size, 14.0, 22.0))
        front = cls(origin, axes, shape, size, gap)
        return cls(origin + front._needed(guard, draw.rim_mm) * forward, axes, shape, size, gap)

    def outline(self, side: int, share: float = 1.0) -> np.ndarray:
        """Return the outline (N_RIM, 2) of one lens in the plane of the lenses, mm, anticlockwise from outside."""
        angle = np.linspace(0, 2 * np.pi, N_RIM, endpoint=False)
        cos, sin = np.cos(angle), np.sin(angle)
        r = (np.abs(cos) ** self.shape.power + np.abs(sin) ** self.shape.power) ** (-1 / self.shape.power)
        x, y = share * r * cos, share * r * sin
        width, height = self.shape.width_mm * self.size / 2, self.shape.height_mm * self.size / 2
        # x counts outwards: the lower edge is drawn in from the nose's side.
        across = width * (x + self.shape.taper * np.minimum(y, 0) * np.where(x < 0, -1, 0.5) * np.abs(x))
        return np.stack([side * (across + width + self.gap_mm / 2), height * (y - self.shape.droop * x)], axis=1)

    def at(self, plane: np.ndarray) -> np.ndarray:
        """Return places (..., 3) of the front at plane coordinates (..., 2): it bends around the face."""
        back = -5.0 * (plane[..., 0] / 60.0) ** 2
        return self.origin + np.concatenate([plane, back[..., None]], axis=-1) @ self.axes

    def lens(self, side: int, rim: np.ndarray) -> OccluderMesh:
        """Return the glass inside a rim (N, 3), bulging a little."""
        centre = rim.mean(axis=0)
        share = np.array([1.0, 0.8, 0.55, 0.3, 0.05])[:, None, None]
        points = centre + share * (rim - centre) + 2.5 * (1 - share**2) * self.axes[2]
        coords = (points - self.origin) @ self.axes[:2].T
        return grid_mesh(points[:, ::side], coords[:, ::side], closed=True)

    def _needed(self, guard: np.ndarray, rim_mm: float) -> float:
        """Return how far forward the rims must move to clear the skin, mm."""
        rims = self.at(np.concatenate([self.outline(-1), self.outline(1)]))
        plane, r = unroll(rims)
        lack = sample_map(guard.astype(np.float64), plane) + 1.0 + rim_mm / 2 - r
        return float(np.clip(np.percentile(lack, 97), 0.0, MOST_FORWARD_MM))


def _bridge(front: _Front, guard: np.ndarray, half: float) -> OccluderMesh:
    """Return the bar over the nose from rim to rim."""
    inner, height = front.gap_mm / 2 + 1.5, 0.16 * front.shape.height_mm * front.size
    x = np.linspace(-inner, inner, 13)
    arch = 0.9 * (1 - (x / inner) ** 2)
    path = front.at(np.stack([x, height + 3.0 * arch], axis=1)) + 1.5 * arch[:, None] * front.axes[2]
    thick = max(0.9 * half, 0.8)
    return tube(keep_outside(path, guard, thick + 0.6), thick, thick, front.axes[1])


def _temple(front: _Front, rim: np.ndarray, side: int, guard: np.ndarray, draw: GlassesDraw) -> OccluderMesh:
    """Return the arm from a rim's outer edge to behind the ear's root."""
    outer = front.outline(side)
    y = 0.22 * front.shape.height_mm * front.size
    candidates = np.flatnonzero(outer[:, 0] * side > np.median(outer[:, 0] * side))
    start = rim[candidates[np.argmin(np.abs(outer[candidates, 1] - y))]]
    hinge = start + front.axes.T @ [side * 5.0, 0.0, -2.0]
    ear = np.array([side * 74.0, front.origin[1] + y + 2.0 + side * np.tan(np.deg2rad(draw.tilt_deg)) * 40, EAR_Z_MM])
    s = np.linspace(0, 1, 22)[:, None]
    arm = hinge + s * (ear - hinge)
    half_width, half_height = np.clip(0.45 * draw.rim_mm, 0.8, 1.6), np.clip(0.9 * draw.rim_mm, 1.0, 3.2)
    path = np.vstack([start[None], keep_outside(arm, guard, half_width + 1.2)])
    smooth = np.vstack([path[:2], (path[1:-2] + 2 * path[2:-1] + path[3:]) / 4, path[-1:]])
    return tube(keep_outside(smooth, guard, half_width + 0.8), half_width, half_height, np.array([0.0, 1.0, 0.0]))


@dataclass(frozen=True)
class _Paint:
    """A frame of one colour, and glass that mirrors a bright sky above and a window."""

    draw: GlassesDraw

    def __call__(self, part: np.ndarray, coords: np.ndarray) -> np.ndarray:
        glass = np.broadcast_to(linear_rgb(self.draw.lens_color), (len(part), 3))
        x, y = coords[:, 0], coords[:, 1]
        sky = np.clip(0.035 + 0.0022 * y, 0.0, 0.1)
        along = np.abs(x - 34.0 * np.sign(x) - 0.5 * y) - 4.0
        streak = 0.05 * np.clip(0.5 - along / 3.0, 0, 1) * np.clip((y + 4.0) / 8.0, 0, 1)
        glass = glass + (sky + streak)[:, None]
        return np.where((part == LENS)[:, None], glass, linear_rgb(self.draw.color)).astype(np.float32)
