"""Face localisation in points without landmarks: the best fit of the mean face from many poses and positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from face3d_data.geometry.align import every_nth, measure_fit, refine, transform
from face3d_data.geometry.mean_face import MeanFace, mean_face
from face3d_data.geometry.nearest import NearestPoints

UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Camera frame (x right, y down, z forward) to the axes of the face frame (x right, y up, z to the viewer)."""
YAWS_DEG = (0.0, -30.0, 30.0, -60.0, 60.0)
PITCHES_DEG = (0.0, -25.0, 25.0)
SEARCHED = 12_000
CELL_MM = 6.0
PEAK_CELLS = 4
"""A nose tip is the foremost point within this many cells."""
RING_MM = (28.0, 55.0)
STANDS_OUT_MM = (6.0, 70.0)
"""A nose tip lies so far before the median of what surrounds it at `RING_MM`."""
PEAKS = 12
REFINED = 6
COARSE = ((600, 20.0, 6),)
SCORED = 700
SCORE_RADIUS_MM = 70.0
NEAR_MM = 6.0
ROOM_MM = 160.0
"""Points farther than this from a place tried do not matter to it."""


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
    15 directions within 60 degrees of `axes`; at the best of them the mean face is fitted by ICP.

    Args:
        points: (N, 3), finite, mm: a face, a head, or a scene with one person.
        axes: (3, 3), rotation from the points' frame to the axes of a face that looks straight ahead; by default the
            face looks at the camera, upright.

    Returns:
        The best fit, None where nothing stands out like a nose.
    """
    face = mean_face()
    some = every_nth(points, SEARCHED).astype(np.float64)
    tried = []
    for turn in _turns():
        rotation = turn @ axes
        turned = some @ rotation.T
        for tip in _peaks(turned):
            motion = np.eye(4)
            motion[:3, :3], motion[:3, 3] = rotation, face.landmarks[2] - tip
            near = turned[np.linalg.norm(turned - tip, axis=1) < ROOM_MM] + motion[:3, 3]
            tried.append((_quick_score(near, face), motion))
    tried.sort(key=lambda pair: -pair[0])
    found = [_refined(points, some, motion, face) for _, motion in tried[:REFINED]]
    return max(found, key=lambda one: one.score, default=None)


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
    found = {name: locate_face(points, turn @ axes) for name, turn in TURNED.items()}
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


def _peaks(turned: np.ndarray) -> np.ndarray:
    """Return f8 (P, 3): points that may be a nose tip, those that stand out most first.

    Only cells with points are checked: a stray reading far away costs nothing.
    """
    cells, foremost = _foremost(turned)
    height, tree = foremost[:, 2], cKDTree(cells)
    top = height.copy()
    beside = tree.query_pairs(PEAK_CELLS, p=np.inf, output_type="ndarray")
    for one, other in (beside.T, beside.T[::-1]):
        np.maximum.at(top, one, height[other])
    order = np.argsort(-height, kind="stable")
    peaks = []
    for place in order[height[order] >= top[order]].tolist():
        out = _stands_out(cells, height, tree, place)
        if STANDS_OUT_MM[0] <= out <= STANDS_OUT_MM[1]:
            peaks.append((out, foremost[place]))
    peaks.sort(key=lambda pair: -pair[0])
    return np.array([tip for _, tip in peaks[:PEAKS]]).reshape(-1, 3)


def _foremost(turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of x and y that hold points, f8 (C, 2), and the foremost point of each, f8 (C, 3)."""
    cell = np.floor((turned[:, :2] - turned[:, :2].min(axis=0)) / CELL_MM)
    order = np.lexsort((turned[:, 2], cell[:, 0], cell[:, 1]))
    last = np.append((np.diff(cell[order], axis=0) != 0).any(axis=1), True)
    return cell[order[last]], turned[order[last]]


def _stands_out(cells: np.ndarray, height: np.ndarray, tree: cKDTree, place: int) -> float:
    """Return how far a cell lies before the median of the ring round it, 0 where too little surrounds it."""
    near = np.array(tree.query_ball_point(cells[place], RING_MM[1] / CELL_MM))
    apart = np.hypot(*(cells[near] - cells[place]).T) * CELL_MM
    ring = height[near[(apart >= RING_MM[0]) & (apart <= RING_MM[1])]]
    return float(height[place] - np.median(ring)) if len(ring) >= 20 else 0.0


@cache
def _mean_tree() -> tuple[np.ndarray, NearestPoints]:
    """Return some of the mean face's points near its nose tip, and the tree of all."""
    face = mean_face()
    near = face.points[np.linalg.norm(face.points - face.landmarks[2], axis=1) <= SCORE_RADIUS_MM]
    return every_nth(near, SCORED).astype(np.float64), face.tree


def _quick_score(near: np.ndarray, face: MeanFace) -> float:
    """Return how well points that were moved to the face frame fit, both ways, without refining."""
    radius = near[np.linalg.norm(near - face.landmarks[2], axis=1) <= SCORE_RADIUS_MM]
    if len(radius) < 30:
        return 0.0
    some, tree = _mean_tree()
    there, _ = tree.nearest(every_nth(radius, 300), 15.0)
    back, _ = NearestPoints(near).nearest(some[::3], 15.0)
    return float(np.mean(np.maximum(0, 1 - there / 15.0)) * np.mean(np.maximum(0, 1 - back / 15.0)))


def _refined(points: np.ndarray, some: np.ndarray, motion: np.ndarray, face: MeanFace) -> Located:
    motion = refine(some, face, motion, COARSE)
    motion = refine(points, face, motion)
    moved = transform(points, motion)
    fit = measure_fit(moved, face, face.landmarks[2])
    near = moved[np.linalg.norm(moved - face.landmarks[2], axis=1) <= SCORE_RADIUS_MM + 10.0]
    covered = 0.0
    if len(near):
        apart, _ = NearestPoints(near).nearest(_mean_tree()[0], NEAR_MM)
        covered = float(np.mean(np.isfinite(apart)))
    back = np.linalg.inv(motion)
    return Located(motion, transform(face.landmarks, back).astype(np.float32), fit.rmse_mm, fit.inlier_share, covered)
