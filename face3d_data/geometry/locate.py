"""Face localisation in points without landmarks: the best fit of the mean face from many poses and positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from face3d_data.geometry.align import every_nth, measure_fit, refine, transform
from face3d_data.geometry.mean_face import MeanFace, mean_face
from face3d_data.geometry.nearest import NearestPoints
from face3d_data.geometry.nose_tips import nose_tips

UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Camera frame (x right, y down, z forward) to the axes of the face frame (x right, y up, z to the viewer)."""
YAWS_DEG = (0.0, -30.0, 30.0, -60.0, 60.0)
PITCHES_DEG = (0.0, -25.0, 25.0)
SEARCHED = 12_000
RATED = 3_000
"""Points by which places are rated before anything is fitted there."""
SCORE_RADIUS_MM = 70.0
ROOM_MM = 160.0
"""Points farther than this from a place tried do not matter to it."""
REACH_MM = 15.0
"""A point this far from the mean face counts as nothing in a rating."""
FEWEST_NEAR = 30
"""Points near a nose tip, of those searched; fewer are no face."""
TRIED = 10
"""Places where a quick fit is made, the best rated ones."""
QUICK = ((150, 20.0, 5),)
REFINED = 3
RIVAL = 0.85
"""Share of the best rating from which a quick fit may turn out to be the better one."""
SAME_MM, SAME_DEG = 4.0, 4.0
"""Quick fits no farther apart than this end as one."""
SCORED = 700
NEAR_MM = 6.0


@dataclass(frozen=True, eq=False)
class Located:
    """A face that was found.

    Attributes:
        motion: f8 (4, 4), frame of the points to face frame.
        landmarks: f4 (5, 3), mm, the mean face's landmarks in the frame of the points.
        rmse_mm: of the inliers among the points within 70 mm of the nose, to the mean face's planes.
        inlier_share: share of these points that are within 10 mm of it.
        covered: share of the mean face within 70 mm of its nose tip that has a point within 6 mm.
    """

    motion: np.ndarray
    landmarks: np.ndarray
    rmse_mm: float
    inlier_share: float
    covered: float

    @property
    def score(self) -> float:
        """How well it fits, 0 to 1: points are on the face, and the face on points."""
        return self.inlier_share * self.covered / (1.0 + self.rmse_mm / 4.0)


def locate_face(points: np.ndarray, axes: np.ndarray = UPRIGHT) -> Located | None:
    """Find the face in points by the mean face alone.

    Candidates for the nose tip are points that are locally the foremost and stand out of what surrounds them, seen from
    15 directions within 60 degrees of `axes`. All are rated by a few points, the best get a quick fit of the mean face,
    and the best of those, apart from each other, are fitted by ICP.

    Args:
        points: (N, 3), finite, mm: a face, a head, or a scene with one person.
        axes: (3, 3), rotation from the points' frame to the axes of a face that looks straight ahead; by default the
            face looks at the camera, upright.

    Returns:
        The best fit, None where nothing stands out like a nose.
    """
    return _Search(points).locate(axes)


TURNED: dict[str, np.ndarray] = {
    "upside down": np.diag([-1.0, -1.0, 1.0]),
    "from behind": np.diag([-1.0, 1.0, -1.0]),
    "looking up": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
    "looking down": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "on its left side": np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "on its right side": np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
    "from a side": np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]),
    "from the other side": np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
}
"""How a scan may stand whose axes are not those that were said, to the rotation that is tried then."""


def locate_turned(points: np.ndarray, axes: np.ndarray = UPRIGHT) -> tuple[str, Located | None]:
    """Return how a face stands that was sought in vain, or found badly, as `TURNED` has it, and the best fit there.

    Args:
        points: as for `locate_face`.
        axes: what was taken for upright.
    """
    search = _Search(points)
    found = {name: search.locate(turn @ axes) for name, turn in TURNED.items()}
    best = max(found, key=lambda name: one.score if (one := found[name]) is not None else 0.0)
    return best, found[best]


def turn_deg(one: np.ndarray, other: np.ndarray) -> float:
    """Return by how many degrees two motions (4, 4), or rotations (3, 3), turn differently."""
    between = one[:3, :3] @ other[:3, :3].T
    return float(np.degrees(np.arccos(np.clip((np.trace(between) - 1) / 2, -1, 1))))


@cache
def _turns() -> tuple[np.ndarray, ...]:
    """Rotations that undo those of a head away from the camera."""
    angles = [(yaw, pitch) for yaw in YAWS_DEG for pitch in PITCHES_DEG]
    return tuple(Rotation.from_euler("yx", pair, degrees=True).as_matrix() for pair in angles)


@cache
def _core() -> np.ndarray:
    """Return some of the mean face's points near its nose tip, f8 (S, 3)."""
    face = mean_face()
    near = face.points[np.linalg.norm(face.points - face.landmarks[2], axis=1) <= SCORE_RADIUS_MM]
    return every_nth(near, SCORED).astype(np.float64)


class _Search:
    """Points that are searched, one way up or several."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points
        self.face = mean_face()
        self.some = every_nth(points, SEARCHED).astype(np.float64)
        self.few = every_nth(self.some, RATED)
        self.fewest = FEWEST_NEAR * len(self.few) / max(len(self.some), 1)
        self.tree = NearestPoints(self.few)

    def locate(self, axes: np.ndarray) -> Located | None:
        """Return the best fit of a face that stands as `axes` say."""
        motions = self._motions(axes)
        if not len(motions):
            return None
        rated = self._rate(motions, 100, 6)
        best = np.argsort(-rated, kind="stable")[:TRIED]
        fitted = np.array([refine(self.few, self.face, motion, QUICK) for motion in motions[best]])
        rated = self._rate(fitted, 300, 2)
        order = np.argsort(-rated, kind="stable")
        rivals = fitted[order[rated[order] >= RIVAL * rated.max()]]
        found = [self._fitted(motion) for motion in _apart(rivals)[:REFINED]]
        return max(found, key=lambda one: one.score)

    def _motions(self, axes: np.ndarray) -> np.ndarray:
        """Return motions f8 (P, 4, 4) that lay what may be a nose tip on the mean face's, seen from all directions."""
        motions: list[np.ndarray] = []
        for turn in _turns() if len(self.some) else ():
            rotation = turn @ axes
            for tip in nose_tips(self.some @ rotation.T):
                motion = np.eye(4)
                motion[:3, :3], motion[:3, 3] = rotation, self.face.landmarks[2] - tip
                motions.append(motion)
        return np.array(motions).reshape(-1, 4, 4)

    def _rate(self, motions: np.ndarray, n_points: int, step: int) -> np.ndarray:
        """Return how well the points fit after each motion, f8 (P,): how near they are to the face, and it to them.

        Args:
            motions: (P, 4, 4).
            n_points: how many points count, of those near the nose tip.
            step: every which point of the face counts.
        """
        rotations, shifts = motions[:, :3, :3], motions[:, :3, 3]
        nose = self.face.landmarks[2].astype(np.float64)
        tips = np.einsum("pji,pj->pi", rotations, nose - shifts)
        apart = (self.few**2).sum(axis=1) - 2 * tips @ self.few.T + (tips**2).sum(axis=1)[:, None]
        near = [every_nth(np.flatnonzero(row), n_points) for row in apart <= SCORE_RADIUS_MM**2]
        which = np.repeat(np.arange(len(motions)), [len(one) for one in near])
        moved = np.einsum("pij,pj->pi", rotations[which], self.few[np.concatenate(near)]) + shifts[which]
        there = np.maximum(0, 1 - self.face.tree.nearest(moved, REACH_MM)[0] / REACH_MM)
        count = np.bincount(which, minlength=len(motions))
        there_mean = np.bincount(which, there, len(motions)) / np.maximum(count, 1)
        face = np.einsum("pji,psj->psi", rotations, _core()[None, ::step] - shifts[:, None])
        back, _ = self.tree.nearest(face.reshape(-1, 3), REACH_MM)
        back_mean = np.maximum(0, 1 - back.reshape(len(motions), -1) / REACH_MM).mean(axis=1)
        return np.where(count >= self.fewest, there_mean * back_mean, 0.0)

    def _fitted(self, motion: np.ndarray) -> Located:
        tip = np.linalg.inv(motion)[:3] @ np.append(self.face.landmarks[2], 1.0)
        offset = self.points - tip.astype(self.points.dtype)
        points = self.points[np.einsum("ij,ij->i", offset, offset) <= ROOM_MM**2]
        return _measured(points, refine(points, self.face, motion), self.face)


def _apart(motions: np.ndarray) -> list[np.ndarray]:
    """Return those of some rigid transforms (N, 4, 4) that differ from each one before."""
    kept: list[np.ndarray] = []
    for motion in motions:
        tips = [np.linalg.norm(motion[:3, 3] - other[:3, 3]) for other in kept]
        near = [other for other, apart_mm in zip(kept, tips, strict=True) if apart_mm <= SAME_MM]
        if all(turn_deg(motion, other) > SAME_DEG for other in near):
            kept.append(motion)
    return kept


def _measured(points: np.ndarray, motion: np.ndarray, face: MeanFace) -> Located:
    """Return a face found, and how well it fits."""
    moved = transform(points, motion)
    fit = measure_fit(moved, face, face.landmarks[2])
    near = moved[np.linalg.norm(moved - face.landmarks[2], axis=1) <= SCORE_RADIUS_MM + 10.0]
    apart, _ = NearestPoints(near).nearest(_core(), NEAR_MM)
    covered = float(np.mean(np.isfinite(apart)))
    back = np.linalg.inv(motion)
    return Located(motion, transform(face.landmarks, back).astype(np.float32), fit.rmse_mm, fit.inlier_share, covered)
