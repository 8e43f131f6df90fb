"""Skin of a person as a radius over the unrolled head: everything worn is fitted to it.

The field is the mean head's radius plus the scan's own smoothed deviation from it. Where the scan has no reading
(holes, the far cheek, behind the ears) the deviation of its surroundings goes on, so straps may run around the head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from face3d_data.wear.head_map import STEP_MM, grid_ab, mean_head, radius_normals, roll_up, sample_map, unroll

NEAR_MEAN_MM = 22.0
"""Points whose radius differs more from the mean head's (after the median difference) are no skin: hair, a hand."""
SMOOTHING_CELLS = (1.2, 3.5, 10.0, 30.0)
"""Widths of the normalised convolutions that fill each other's gaps, finest first."""
POOLED_CELLS = (1, 2, 4, 8)
"""Cells pooled for each of them, in rows and columns: wide kernels need no fine grid."""
ROUGHNESS_MM = 4.0
CHIN_LINE = np.array([-0.6, 0.8])
"""Direction (up, towards the viewer) in which the chin is the farthest point of the face's profile."""
CHIN_BELOW_MOUTH_MM = (12.0, 62.0)
STRIP_MM = 7.0


@dataclass(frozen=True)
class Skin:
    """A person's skin.

    Attributes:
        radius: f4 (151, 161), smoothed skin over the grid of `head_map`, mm.
        guard: f4 (151, 161), radius below which nothing worn may lie: lips and nose wings, which smoothing flattens.
        heights: f8 (2, 5), b of brow-ward end, eyes, nose, mouth and chin on the mean head and on this person, mm.
        width: how many times as broad as the mean head's this person's features are.
    """

    radius: np.ndarray
    guard: np.ndarray
    heights: np.ndarray
    width: float

    def with_lower_chin(self, lower_mm: float) -> Skin:
        """Return the skin with its chin lower by `lower_mm`."""
        heights = self.heights.copy()
        heights[1, 0] -= lower_mm
        return replace(self, heights=heights)

    def to_person(self, ab: np.ndarray) -> np.ndarray:
        """Return where places (..., 2) of the mean head are on this person: between the features, linearly."""
        return np.stack([ab[..., 0] * self.width, _interpolate(ab[..., 1], *self.heights)], axis=-1)

    def to_mean(self, ab: np.ndarray) -> np.ndarray:
        """Return the inverse of `to_person`."""
        return np.stack([ab[..., 0] / self.width, _interpolate(ab[..., 1], *self.heights[::-1])], axis=-1)


def mean_skin(landmarks: np.ndarray | None = None) -> Skin:
    """Return the mean head's skin, its features where `landmarks` (5, 3) in the face frame are, if given."""
    return fit_skin(np.zeros((0, 3), np.float32), mean_head().landmarks if landmarks is None else landmarks)


def fit_skin(points: np.ndarray, landmarks: np.ndarray) -> Skin:
    """Fit the skin of a face.

    Args:
        points: f4 (N, 3), face frame, finite, mm; may hold hair, shoulders and noise. Few or none: the mean head.
        landmarks: (5, 3), face frame, mm; rows that are not finite are taken from the mean head.
    """
    head = mean_head()
    ab, r = unroll(points)
    deviation = r - sample_map(head.radius, ab)
    across, up = np.abs(grid_ab()[0, 0])
    inside = (np.abs(ab[:, 0]) <= across) & (np.abs(ab[:, 1]) <= up)
    typical = float(np.median(deviation[inside])) if inside.any() else 0.0
    near = inside & (np.abs(deviation - typical) <= NEAR_MEAN_MM)
    smooth, rough = _smooth(ab[near], deviation[near])
    radius = (head.radius + smooth).astype(np.float32)
    guard = radius + np.clip(rough - smooth, 0, ROUGHNESS_MM)
    known = np.where(np.isfinite(landmarks).all(axis=1)[:, None], landmarks, head.landmarks)
    return Skin(radius, guard.astype(np.float32), *_features(radius, known))


def _smooth(ab: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviation f4 over the grid, smoothed and without gaps, and that of what stands out of it."""
    import cv2

    shape = grid_ab().shape[:2]
    column, row = (np.rint((ab[:, i] - grid_ab()[0, 0, i]) * (1 / STEP_MM)).astype(np.intp) for i in (0, 1))
    flat = row * shape[1] + column
    counts = np.stack([np.bincount(flat, weights, shape[0] * shape[1]) for weights in (None, deviation)], axis=-1)
    finest = counts.reshape(*shape, 2).astype(np.float32)
    pooled: dict[int, np.ndarray] = {1: finest}
    for pool in POOLED_CELLS[1:]:
        size = tuple(-(-n // pool) for n in shape)
        pooled[pool] = cv2.resize(pooled[pool // 2], size[::-1], interpolation=cv2.INTER_AREA)
    count, total = (float(n) for n in counts.sum(axis=0))
    filled: np.ndarray = np.full((1, 1), total / max(count, 1.0), np.float32)
    for cells, pool in zip(SMOOTHING_CELLS[::-1], POOLED_CELLS[::-1], strict=True):
        weight, mean = _mean(pooled[pool], cells / pool)
        wider = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        # A mean of few readings counts little beside what the next wider one says.
        filled = wider + weight / (weight + np.float32(0.05)) * (mean - wider)
    weight, mean = _mean(finest, 0.6)
    rough = np.where(weight > 0.7, mean, filled)
    # On steep skin, as at the nose wings, a cell's mean is far below its highest reading; noise is above it everywhere.
    highest = np.full(shape[0] * shape[1], -np.inf, np.float32)
    if len(flat):
        by_cell = np.argsort(flat.astype(np.uint16), kind="stable")  # 24,311 cells; `at` takes four times as long
        first = np.flatnonzero(np.diff(flat[by_cell], prepend=-1))
        highest[flat[by_cell[first]]] = np.maximum.reduceat(deviation[by_cell], first)
    noise = 1.4826 * float(np.median(np.abs(deviation - filled.ravel()[flat]))) if len(flat) else 0.0
    return filled, np.maximum(rough, highest.reshape(shape) - np.float32(2 * noise))


def _mean(counts: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how many readings count about each cell, f4 (R, C), and their mean, of numbers and sums (R, C, 2)."""
    import cv2

    weight, total = cv2.split(cv2.GaussianBlur(counts, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT))
    return weight, total / np.maximum(weight, np.float32(1e-6))


def _features(radius: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, float]:
    head = mean_head()
    mean_ab, ab = unroll(head.landmarks)[0], unroll(np.asarray(landmarks, np.float32))[0]
    width = np.clip((ab[1, 0] - ab[0, 0]) / (mean_ab[1, 0] - mean_ab[0, 0]), 0.8, 1.25)
    rows = [_rows(mean_ab, _chin_b(head.radius, mean_ab)), _rows(ab, _chin_b(radius, ab))]
    steps = np.clip(np.diff(rows[1]), 0.6 * np.diff(rows[0]), 1.6 * np.diff(rows[0]))
    nose = 2
    person = rows[1][nose] + np.concatenate([[0], np.cumsum(steps)]) - np.cumsum(np.concatenate([[0], steps]))[nose]
    return np.stack([rows[0], person]), float(width)


def _rows(ab: np.ndarray, chin: float) -> np.ndarray:
    """Return the b of chin, mouth, nose and eyes, and of a place as far above the eyes as the nose is below."""
    mouth, nose, eyes = ab[3:, 1].mean(), ab[2, 1], ab[:2, 1].mean()
    return np.array([chin, mouth, nose, eyes, 2 * eyes - nose], np.float64)


def _chin_b(radius: np.ndarray, ab: np.ndarray) -> float:
    """Return where the profile's chin is: it moves down with an open mouth, farther than the mouth's corners."""
    mouth, middle = ab[3:, 1].mean(), float(ab[2, 0])
    b = np.arange(mouth - CHIN_BELOW_MOUTH_MM[1], mouth - CHIN_BELOW_MOUTH_MM[0], 1.0)
    strip = np.linspace(middle - STRIP_MM, middle + STRIP_MM, 5)
    places = np.stack(np.broadcast_arrays(strip[None, :], b[:, None]), axis=-1)
    profile = roll_up(places, sample_map(radius, places)).mean(axis=1)
    return float(b[np.argmax(profile[:, 1:] @ CHIN_LINE)])


def _interpolate(value: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return piecewise linear interpolation; beyond the ends the end's shift goes on."""
    inside = np.interp(value, source, target)
    return inside + np.minimum(value - source[0], 0) + np.maximum(value - source[-1], 0)


OVAL_CENTRE, OVAL_HALF = np.array([0.0, -7.0]), np.array([104.0, 82.0])
"""The face from the hairline (trichion, 63 mm above the nasion: Farkas 1994, Anthropometry of the Head and Face) to the
lowest point of the chin, and between the cheekbones' ends: an oval, mm from the nose tip on the mean head."""
OVAL_EVERY = 2


def face_oval(skin: Skin) -> tuple[np.ndarray, np.ndarray]:
    """Return points f4 (M, 3) spread over the face from hairline to chin, face frame, and their unit normals."""
    nose = unroll(mean_head().landmarks[2:3])[0][0]
    grid, radius = grid_ab()[::OVAL_EVERY, ::OVAL_EVERY], skin.radius[::OVAL_EVERY, ::OVAL_EVERY]
    places = np.abs((skin.to_mean(grid) - nose - OVAL_CENTRE) / OVAL_HALF) ** 2.3
    inside = places[..., 0] + places[..., 1] <= 1
    return roll_up(grid[inside], radius[inside]), radius_normals(radius, OVAL_EVERY)[inside]
