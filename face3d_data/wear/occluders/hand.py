"""Hand on the face: over the mouth or over an eye, with its wrist and the start of a sleeve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from face3d_data.registry import register
from face3d_data.wear.fabric import linear_rgb, noise_tile, sample_tile
from face3d_data.wear.occluder import Occluder
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders.hand_pose import FOREARM_MM, WRIST_MM, HandPose, lay_hand
from face3d_data.wear.occluders.mesh import OccluderMesh, assemble, keep_outside, spanned, tube
from face3d_data.wear.occluders.own_color import skin_color
from face3d_data.wear.skin import Skin
from face3d_data.wear.wearing import Face

HAND, ARM, SLEEVE = 0, 1, 2
SKIN_COLORS = ("#e6c4ae", "#d9ac8f", "#c69472", "#a87552", "#7e5238", "#573829")
SLEEVE_COLORS = ("#2b3140", "#5d6066", "#7a2f33", "#d8d5cc", "#3c4a38", "#191a1d")
CELL_MM = 3.0
NAIL_MM = (2.0, 13.0)
CREASES_MM = np.array([23.0, 27.0, 47.0, 51.0])


@dataclass(frozen=True)
class HandDraw:
    """One drawn hand.

    Attributes:
        over: `mouth` or `eye`.
        side: whence it comes, and the eye that it covers: -1 image left, 1 image right.
        color: of its skin, `#rrggbb`.
        sleeve_color: `#rrggbb`.
        knuckle_a_mm: how far its knuckles lie from the face's middle, towards `side`, in the mean head's plane.
        knuckle_b_mm: their height there: mouth 0, nose tip 39, eyes 78.
        turn_deg: direction of the fingers: 0 up, 90 towards the other side.
        spread_deg: how much farther apart than at rest the fingers are.
        size: factor on the hand.
        seed: of the skin's blotches.
    """

    over: str = "mouth"
    side: int = -1
    color: str = SKIN_COLORS[1]
    sleeve_color: str = SLEEVE_COLORS[0]
    knuckle_a_mm: float = 6.0
    knuckle_b_mm: float = -8.0
    turn_deg: float = 65.0
    spread_deg: float = 0.0
    size: float = 0.95
    seed: int = 0


def draw_hand_mouth(rng: np.random.Generator) -> HandDraw:
    """Draw a hand over the mouth."""
    return _draw(rng, "mouth", (0.0, 14.0), (-16.0, -2.0), (52.0, 82.0))


def draw_hand_eye(rng: np.random.Generator) -> HandDraw:
    """Draw a hand over an eye."""
    return _draw(rng, "eye", (34.0, 48.0), (64.0, 92.0), (-4.0, 24.0))


def _draw(
    rng: np.random.Generator,
    over: str,
    a_mm: tuple[float, float],
    b_mm: tuple[float, float],
    turn_deg: tuple[float, float],
) -> HandDraw:
    return HandDraw(
        over=over,
        side=1 if rng.random() < 0.5 else -1,
        color=SKIN_COLORS[int(rng.integers(len(SKIN_COLORS)))],
        sleeve_color=SLEEVE_COLORS[int(rng.integers(len(SLEEVE_COLORS)))],
        knuckle_a_mm=round(float(rng.uniform(*a_mm)), 1),
        knuckle_b_mm=round(float(rng.uniform(*b_mm)), 1),
        turn_deg=round(float(rng.uniform(*turn_deg)), 1),
        spread_deg=round(float(rng.uniform(-1, 3)), 1),
        size=round(float(rng.uniform(0.86, 1.02)), 3),
        seed=int(rng.integers(2**31)),
    )


def build_hand(skin: Skin, landmarks: np.ndarray, draw: HandDraw) -> Occluder:
    """Build a hand on a person's face; arguments as for `build_glasses`.

    Part 0 is the hand, part 1 the wrist, part 2 the sleeve.
    """
    guard = np.maximum(skin.radius, skin.guard)
    turn = np.deg2rad(draw.turn_deg)
    fingers = np.array([-draw.side * np.sin(turn), np.cos(turn)])
    knuckles = skin.to_person(np.array([draw.side * draw.knuckle_a_mm, draw.knuckle_b_mm]))
    # A hand from image left is the right one, its thumb on that side.
    pose = lay_hand(spanned(guard, 40.0, 40.0), knuckles, fingers, draw.side, draw.size, draw.spread_deg)
    body = _body(pose)
    body = replace(body, vertices=keep_outside(body.vertices, guard, 0.8))
    part = np.where(body.coords[body.triangles[:, 0], 0] < WRIST_MM, HAND, ARM)
    return assemble([(body, part), (_sleeve(pose, draw.size), SLEEVE)], _Paint(draw))


@register
class HandOverMouth(OccluderKind):
    """A hand over the mouth, with its wrist and the beginning of a sleeve."""

    name: ClassVar[str] = "hand_mouth"
    draws: ClassVar[type[Any]] = HandDraw

    def draw(self, rng: np.random.Generator) -> HandDraw:
        """Draw one."""
        return draw_hand_mouth(rng)

    def build(self, skin: Skin, landmarks: np.ndarray, draw: HandDraw) -> Occluder:
        """Build it on a person; see `build_hand`."""
        return build_hand(skin, landmarks, draw)

    def own_color(self, face: Face) -> str | None:
        """Return the colour of the person's own skin, where it is seen."""
        return skin_color(face)


@register
class HandOverEye(OccluderKind):
    """A hand over an eye, with its wrist and the beginning of a sleeve."""

    name: ClassVar[str] = "hand_eye"
    draws: ClassVar[type[Any]] = HandDraw

    def draw(self, rng: np.random.Generator) -> HandDraw:
        """Draw one."""
        return draw_hand_eye(rng)

    def build(self, skin: Skin, landmarks: np.ndarray, draw: HandDraw) -> Occluder:
        """Build it on a person; see `build_hand`."""
        return build_hand(skin, landmarks, draw)

    def own_color(self, face: Face) -> str | None:
        """Return the colour of the person's own skin, where it is seen."""
        return skin_color(face)


def _body(pose: HandPose) -> OccluderMesh:
    """Return the hand's mesh; coordinates are the distance from the finger's tip and across the finger."""
    vertices, normals, triangles = pose.bones.mesh(CELL_MM)
    nearest = np.argmin([pose.bones.distance(vertices, i) for i in range(len(pose.tip_mm))], axis=0)
    start, axis = pose.bones.start[nearest], (pose.bones.end - pose.bones.start)[nearest]
    offset = vertices - start
    share = np.einsum("ij,ij->i", offset, axis) / np.einsum("ij,ij->i", axis, axis)
    first, last = pose.tip_mm[nearest].T
    across = np.einsum("ij,ij->i", offset, pose.across[nearest])
    return OccluderMesh(vertices, normals, triangles, np.stack([first + share * (last - first), across], axis=1))


def _sleeve(pose: HandPose, size: float) -> OccluderMesh:
    """Return the sleeve, from a hand's breadth behind the wrist to the elbow."""
    along = np.array([0.72 * FOREARM_MM, 0.74 * FOREARM_MM, 130.0, 190.0, 260.0])
    half = size * np.array([25.0, 28.0, 31.0, 36.0, 42.0])
    return tube(pose.wrist + along[:, None] * pose.arm, half, half, np.array([1.0, 0.2, 0.3]), sides=20)


@dataclass(frozen=True)
class _Paint:
    """Skin with nails, creased over the finger joints; a plain sleeve."""

    draw: HandDraw

    def __call__(self, part: np.ndarray, coords: np.ndarray) -> np.ndarray:
        along, across = coords[:, 0], coords[:, 1]
        blotches = sample_tile(noise_tile(self.draw.seed, 1, (3, 3)), coords / 3.0)
        skin = linear_rgb(self.draw.color) * (1 + 0.05 * blotches[:, None] * np.array([0.6, 1.0, 1.0], np.float32))
        crease = np.exp(-(((along[:, None] - CREASES_MM) / 0.9) ** 2)).sum(axis=1)
        skin = skin * (1 - 0.16 * crease[:, None])
        tip = np.exp(-np.maximum(along, 0) / 9.0)[:, None]
        skin = skin * (1 - tip * np.array([0.0, 0.12, 0.10], np.float32))
        middle, half = np.mean(NAIL_MM), np.ptp(NAIL_MM) / 2
        nail = np.clip((1 - np.hypot((along - middle) / half, across / 5.0)) * 4, 0, 1)[:, None]
        skin = skin + 0.45 * nail * (1.25 * skin + 0.05 - skin)
        weave = 1 + 0.08 * sample_tile(noise_tile(self.draw.seed, 2, (1, 1)), coords / 1.5)[:, None]
        cloth = linear_rgb(self.draw.sleeve_color) * weave
        return np.where((part == SLEEVE)[:, None], cloth, skin).astype(np.float32)
