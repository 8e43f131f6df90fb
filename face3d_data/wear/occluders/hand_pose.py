"""Hand pose: the bones of a hand laid on a face, with a flat palm and fingers that follow the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.wear.head_map import roll_up, sample_map, unroll
from face3d_data.wear.occluders.mesh import unit
from face3d_data.wear.occluders.surface_nets import Capsules

# Local frame of the hand: x towards the thumb, y along the fingers, z out of its back; the wrist is the origin, mm.
_KNUCKLES = np.array([[27.0, 90.0, 1.0], [7.0, 94.0, 4.0], [-13.0, 89.0, 3.0], [-31.0, 79.0, -1.0]])
_CARPALS = np.array([[15.0, 12.0, 0.0], [5.0, 10.0, 2.0], [-6.0, 10.0, 2.0], [-16.0, 10.0, 0.0]])
_PHALANGES = np.array([[43.0, 25.0, 20.0], [47.0, 29.0, 21.0], [44.0, 27.0, 21.0], [34.0, 20.0, 19.0]])
_FINGER_RADII = np.array([[9.6, 8.7, 8.0, 6.6], [9.8, 8.8, 8.1, 6.7], [9.4, 8.4, 7.7, 6.4], [8.4, 7.3, 6.7, 5.7]])
_FAN_DEG = np.array([7.0, 1.0, -4.0, -11.0])
_THUMB = np.array([[20.0, 16.0, -7.0], [46.0, 46.0, -9.0]])
_WEB = np.array([26.0, 62.0, -5.0])
_THUMB_PHALANGES = np.array([34.0, 27.0])
_THUMB_RADII = np.array([13.0, 11.0, 9.6, 7.8])
_WRIST_RADIUS_MM, _FOREARM_RADIUS_MM = 19.0, 24.0
FOREARM_MM = 75.0
WRIST_MM = 250.0
"""First surface coordinate of the wrist: those of the fingers and the palm are smaller."""
FINGER_BLEND_MM, PALM_BLEND_MM = 1.5, 9.0


@dataclass(frozen=True, eq=False)
class HandPose:
    """Where a hand lies.

    Attributes:
        bones: capsules of fingers, thumb, palm and forearm, face frame.
        tip_mm: f8 (B, 2), distance of each bone's start and end from its finger's tip, mm; palm 150 and more.
        across: f8 (B, 3), unit, across each bone along the hand's back.
        wrist: f8 (3,), face frame, mm.
        arm: f8 (3,), unit, from the wrist to the elbow.
    """

    bones: Capsules
    tip_mm: np.ndarray
    across: np.ndarray
    wrist: np.ndarray
    arm: np.ndarray


@dataclass(frozen=True, eq=False)
class _Bone:
    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]
    blend_mm: float
    tip_mm: tuple[float, float] = (150.0, WRIST_MM - 10.0)


def lay_hand(
    surface: np.ndarray, knuckles: np.ndarray, fingers: np.ndarray, chirality: int, size: float, spread_deg: float
) -> HandPose:
    """Lay a hand on a surface.

    Args:
        surface: f4 (151, 161), radius map that it touches, without hollows that a finger does not reach into.
        knuckles: (2,), where its knuckles come to lie, plane coordinates, mm.
        fingers: (2,), unit, where the fingers point in the plane.
        chirality: -1 a right hand, 1 a left hand.
        size: factor on all lengths.
        spread_deg: how much farther apart the fingers are than at rest, from one to the next.
    """
    surface = surface.astype(np.float64)
    frame = _palm_frame(surface, np.asarray(knuckles, np.float64), np.asarray(fingers, np.float64), chirality)
    wrist = roll_up(knuckles, sample_map(surface, np.asarray(knuckles, np.float64))) - 90.0 * size * frame[1]
    wrist = wrist + _lift(surface, wrist, frame, size) * frame[2]
    bones: list[_Bone] = []
    for i in range(4):
        carpal, knuckle = wrist + size * np.stack([_CARPALS[i], _KNUCKLES[i]]) @ frame
        bones.append(_Bone(carpal, knuckle, (12.0 * size, (_FINGER_RADII[i, 0] + 0.6) * size), PALM_BLEND_MM))
        angle = np.deg2rad(_FAN_DEG[i] + spread_deg * (1.5 - i))
        heading = np.sin(angle) * frame[0] + np.cos(angle) * frame[1]
        bones += _chain(surface, knuckle, heading, _PHALANGES[i] * size, _FINGER_RADII[i] * size)
    bones += _thumb(surface, wrist, frame, size, spread_deg)
    arm = unit(-0.75 * frame[1] + 0.1 * frame[2] + [0.0, -0.85, 0.25])
    radii = (_WRIST_RADIUS_MM * size, _FOREARM_RADIUS_MM * size)
    bones.append(
        _Bone(wrist + 8.0 * size * frame[1], wrist + FOREARM_MM * arm, radii, 16.0, (WRIST_MM, WRIST_MM + 80.0))
    )
    return _pose(bones, wrist, arm, frame[2])


def _thumb(surface: np.ndarray, wrist: np.ndarray, frame: np.ndarray, size: float, spread_deg: float) -> list[_Bone]:
    root, base, web = wrist + size * np.stack([*_THUMB, _WEB]) @ frame
    base = _resting(surface, base, _THUMB_RADII[1] * size)
    heading = unit((0.62 + 0.01 * spread_deg) * frame[0] + 0.78 * frame[1])
    return [
        _Bone(root, base, (_THUMB_RADII[0] * size, _THUMB_RADII[1] * size), PALM_BLEND_MM),
        _Bone(base, web, (8.0 * size, 8.0 * size), PALM_BLEND_MM),
        *_chain(surface, base, heading, _THUMB_PHALANGES * size, _THUMB_RADII[1:] * size),
    ]


def _pose(bones: list[_Bone], wrist: np.ndarray, arm: np.ndarray, out: np.ndarray) -> HandPose:
    start, end = (np.stack([getattr(bone, name) for bone in bones]) for name in ("start", "end"))
    radii, tips = (np.array([getattr(bone, name) for bone in bones]) for name in ("radii", "tip_mm"))
    capsules = Capsules(start, end, radii, np.array([bone.blend_mm for bone in bones]))
    return HandPose(capsules, tips, unit(np.cross(end - start, out)), wrist, arm)


def _palm_frame(surface: np.ndarray, knuckles: np.ndarray, fingers: np.ndarray, chirality: int) -> np.ndarray:
    """Return the hand's axes (3, 3) as rows: to the thumb, along the fingers, out of the back."""
    fingers = fingers / np.linalg.norm(fingers)
    aside = np.array([-fingers[1], fingers[0]])
    back, ahead, left, right = (
        roll_up(place, sample_map(surface, place))
        for place in (knuckles - 70 * fingers, knuckles + 10 * fingers, knuckles + 28 * aside, knuckles - 28 * aside)
    )
    along = unit(ahead - back)
    out = unit(np.cross(right - left, along))
    return np.stack([np.cross(out, along) * -chirality, along, out])


def _lift(surface: np.ndarray, wrist: np.ndarray, frame: np.ndarray, size: float) -> float:
    """Return how far out of its back the palm must move to rest on the surface, mm; less pulls it nearer."""
    carpals, knuckles = wrist + size * _CARPALS @ frame, wrist + size * _KNUCKLES @ frame
    places = np.concatenate([share * knuckles + (1 - share) * carpals for share in (1.0, 0.7, 0.4)])
    plane, r = unroll(places)
    lack = sample_map(surface, plane) + 10.5 * size - r
    return float(np.percentile(lack, 90))


def _resting(surface: np.ndarray, place: np.ndarray, radius_mm: float) -> np.ndarray:
    """Return a place (3,) moved along its ray so that a ball of that radius is on the surface."""
    plane, _ = unroll(place)
    return roll_up(plane, sample_map(surface, plane) + radius_mm)


def _chain(
    surface: np.ndarray, start: np.ndarray, heading: np.ndarray, lengths: np.ndarray, radii: np.ndarray
) -> list[_Bone]:
    """Return a finger's bones: each joint rests on the surface, as far as fingers bend."""
    bones, left = [], float(lengths.sum())
    for length, first, last in zip(lengths, radii[:-1], radii[1:], strict=True):
        aim = heading
        for _ in range(3):
            aim = unit(_resting(surface, start + length * aim, last) - start)
        bend = np.arccos(np.clip(aim @ heading, -1, 1))
        most = np.deg2rad(48.0)
        aim = aim if bend <= most else unit(heading * np.sin(bend - most) + aim * np.sin(most))
        end = start + length * aim
        bones.append(_Bone(start, end, (first, last), FINGER_BLEND_MM, (left, left - length)))
        start, heading, left = end, aim, left - length
    return bones
