"""Scans of synthetic people made without rendering, and copies of them, for the search for near-duplicates.

A library of `near_duplicates.py`: the skin of a synthetic head is sampled, seen through a sensor's noise, and aligned
as `align_3d` does.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from face3d_data.digest import seed_from
from face3d_data.geometry.align import fit_rigid, refine, transform
from face3d_data.geometry.mean_face import mean_face
from face3d_data.sample import Sample
from face3d_data.stages.mask import Mask
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.expression import EXPRESSIONS, displacement, draw_expression
from face3d_data.synthetic.head import Head, build_head
from face3d_data.synthetic.identity import draw_identity

POINTS, FEWER_POINTS, SCAN_POINTS = 2048, 1536, 10_000
NOISE_MM, WAVES_MM = 0.8, 0.4
"""Standard deviations of a point's own noise, and of what neighbours share, as stereo sensors have it."""
LANDMARKS_MM = 2.0
KINDS = ("sampled anew", "new noise", "turned", "masked")


@lru_cache(maxsize=4)
def head_of(person: int) -> Head:
    """Return one person's head."""
    identity = draw_identity(11, person)
    return build_head(identity, draw_appearance(identity), 0.6)


def scan_of(person: int, capture: int, neutral: bool, clean: bool = False) -> np.ndarray:
    """Return a capture as the sensor sees it and `align_3d` aligns it: f4 (N, 3), mm, face frame."""
    rng = np.random.default_rng(seed_from("near duplicates", person, capture))
    head, part = head_of(person), head_of(person).parts[0]
    rest, marks = part.rest.copy(), head.landmarks.copy()
    names = [name for name in EXPRESSIONS if name != "neutral"]
    if not neutral and rng.random() > 0.35:
        drawn = draw_expression(str(rng.choice(names)), rng)
        on = part.front > 0
        given = (head.identity, head.skull.levels, drawn)
        rest[on] += displacement(*given, part.coords[on], rest[on], part.front[on])
        marks += displacement(*given, head.landmark_coords, marks, np.ones(5))
    points = _seen(rest, part.front, rng)
    if not clean:
        points[:, 2] += NOISE_MM * rng.standard_normal(len(points)) + _waves(points, rng)
    face = mean_face()
    pose = fit_rigid(marks + rng.normal(0, LANDMARKS_MM, marks.shape), face.landmarks)
    moved = transform(points, refine(points, face, pose))
    return moved[np.einsum("ij,ij->i", moved, moved) < 85.0**2].astype(np.float32)


def _seen(grid: np.ndarray, front: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return points f8 (n, 3) spread over the front of a head's skin, grid (R, C, 3)."""
    corner, down, right = grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:]
    area = np.linalg.norm(np.cross(down - corner, right - corner), axis=-1) * np.clip(2 * front[:-1, :-1], 0, 1)
    cell = rng.choice(area.size, SCAN_POINTS, p=(area / area.sum()).ravel())
    row, column = np.divmod(cell, area.shape[1])
    u, v = rng.random((2, SCAN_POINTS, 1))
    left = grid[row, column] * (1 - u) + grid[row + 1, column] * u
    return left * (1 - v) + (grid[row, column + 1] * (1 - u) + grid[row + 1, column + 1] * u) * v


def _waves(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    field = gaussian_filter(rng.standard_normal((64, 64)), 3, mode="wrap")
    field *= WAVES_MM / field.std()
    return field[(points[:, 1] / 4).astype(int) % 64, (points[:, 0] / 4).astype(int) % 64]


def thinned(points: np.ndarray, n_points: int, rng: np.random.Generator) -> np.ndarray:
    """Return so many of the points, drawn."""
    return points[rng.permutation(len(points))[:n_points]]


def copy_of(scan: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return a copy of a scan, f4 (2048, 3)."""
    if kind == "sampled anew":
        few = thinned(scan, FEWER_POINTS, rng)
        return np.concatenate([few, few[: POINTS - FEWER_POINTS]])
    if kind == "new noise":
        return thinned(scan + rng.normal(0, 0.5, scan.shape).astype(np.float32), POINTS, rng)
    if kind == "turned":
        turn = Rotation.from_euler("xyz", rng.uniform(-6, 6, 3), degrees=True).as_matrix()
        return thinned((scan @ turn.T + rng.uniform(-3, 3, 3)).astype(np.float32), POINTS, rng)
    sample = Sample.of({"points": scan, "landmarks_3d": mean_face().landmarks.astype(np.float32)}, key="0")
    worn = next(iter(Mask(keep_images=False).run(sample, rng)))
    return thinned(worn.arrays["points"], POINTS, rng)
