"""Hats as geometry: beanies and baseball caps worn above the eyebrows, another one or none in each capture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from face3d_data.synthetic.drawn_hat import DrawnHat
from face3d_data.synthetic.head import grid_triangles
from face3d_data.synthetic.render import Camera

ROWS, COLUMNS = 26, 120
BRIM_ROWS, BRIM_COLUMNS = 9, 31
BRIM_THICK_MM = 3.0
BRIM_HALF_DEG = 62.0
LOOSE_MM = 2.0
"""Between the hair, or the bare head, and the inside of a hat."""
CLEAR_MM = 10.0
"""The five landmarks are seen at least this far below the brim."""
TURN_UP_DEG, MOST_TURNS = 6.0, 10
BOX = 2.2
"""Exponent of the dome's superellipsoid: 2 is an ellipsoid, more is boxier."""
LONGER = 1.2
"""A head's length over its breadth, where the back is no part of the model."""


def hat_mesh(
    hat: DrawnHat,
    head: np.ndarray,
    brow_y: float,
    marks: np.ndarray,
    place: Callable[[np.ndarray], np.ndarray],
    camera: Camera,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a hat's vertices f8 (V, 3), in the camera frame, and triangles (T, 3), counter-clockwise from outside.

    A brim that hides one of the five landmarks from the camera is turned up; where that does not help, the cap is worn
    the wrong way round: landmarks come with depth readings of the face.

    Args:
        hat: a beanie or a cap.
        head: what it is put on, hair included, (N, 3): x right, y up, z ahead, mm.
        brow_y: upper edge of the eyebrows.
        marks: the five landmarks (5, 3) in the camera frame.
        place: brings points (M, 3) of the head into the camera frame.
        camera: the camera.
    """
    dome = hat_dome(hat, head, brow_y)
    vertices, triangles = place(dome.reshape(-1, 3)), grid_triangles(*dome.shape[:2], closed=True)
    if hat.kind != "cap":
        return vertices, triangles
    for turns in range(MOST_TURNS):
        brim = hat_brim(hat, dome, brow_y, hat.brim_down_deg - TURN_UP_DEG * turns)
        placed = place(brim.reshape(-1, 3))
        if _leaves_clear(placed, marks, camera):
            more = grid_triangles(*brim.shape[:2], closed=False) + len(vertices)
            return np.concatenate([vertices, placed]), np.concatenate([triangles, more])
    return vertices, triangles


def hat_dome(hat: DrawnHat, head: np.ndarray, brow_y: float) -> np.ndarray:
    """Return the crown f8 (ROWS, COLUMNS, 3) over a head (N, 3), from its top down; the last row is tucked in."""
    edge_y = brow_y + hat.over_brows_mm
    band = head[np.abs(head[:, 1] - edge_y) < 10.0]
    half = float(np.percentile(np.abs(band[:, 0]), 99))
    length = LONGER * half
    middle = np.array([0.0, edge_y, float(np.percentile(band[:, 2], 99)) - length])
    up = np.deg2rad(np.linspace(89.0, 0.0, ROWS - 1))[:, None]
    round_ = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)[None, :]
    top = max(float(head[:, 1].max()) - edge_y, 0.8 * half)
    direction = np.stack(np.broadcast_arrays(np.cos(up) * np.sin(round_), np.sin(up), np.cos(up) * np.cos(round_)), -1)
    ball = (np.abs(direction / np.array([half, top, length])) ** BOX).sum(axis=-1) ** (-1 / BOX)
    held = np.maximum(ball, _reach(head - middle)) + LOOSE_MM
    # The largest around, so that no hair comes through where the smooth cloth cuts a corner.
    smooth = gaussian_filter(
        maximum_filter(held, (3, 5), mode=("nearest", "wrap")), (0.7, 1.2), mode=("nearest", "wrap")
    )
    over_edge = smooth * np.sin(up)
    thick = hat.thick_mm * np.where(over_edge < hat.cuff_mm, 2.0, 1.0) + _folds(hat, up, round_)
    grid = middle + (smooth + thick)[..., None] * direction
    grid[..., 1] += hat.higher_mm * np.sin(up) ** 2 - hat.lower_behind_mm * np.cos(up) * (1 - np.cos(round_)) / 2
    inner = grid[-1:] - (10.0 + hat.thick_mm) * direction[-1:]
    return np.concatenate([grid, inner])


def hat_brim(hat: DrawnHat, dome: np.ndarray, brow_y: float, down_deg: float) -> np.ndarray:
    """Return a brim f8 (R, BRIM_COLUMNS, 3) at the front edge of a crown: its upper side outwards, then the lower."""
    across = np.linspace(-1.0, 1.0, BRIM_COLUMNS)
    edge, angle = dome[-2], np.linspace(-180.0, 180.0, COLUMNS, endpoint=False)
    root = np.stack([np.interp(BRIM_HALF_DEG * across, angle, column) for column in edge.T], axis=-1)
    root[:, 2] -= 4.0  # begins under the crown
    out = np.linspace(0.0, 1.0, BRIM_ROWS)[:, None] * (4.0 + hat.brim_mm * np.sqrt(np.clip(1 - across**2, 0, 1)))
    slope = np.deg2rad(down_deg)
    upper = np.broadcast_to(root, (BRIM_ROWS, *root.shape)).copy()
    upper[..., 2] += out * np.cos(slope)
    upper[..., 1] -= out * np.sin(slope) + hat.brim_curved_mm * across**2
    upper[..., 1] += max(brow_y + BRIM_THICK_MM - float(upper[..., 1].min()), 0.0)
    lower = upper[::-1] - np.array([0.0, BRIM_THICK_MM, 0.0])
    return np.concatenate([upper, lower])


def _reach(points: np.ndarray) -> np.ndarray:
    """Return how far points (N, 3) are from the origin at most, (ROWS - 1, COLUMNS) by direction; 0 where none is."""
    far = np.linalg.norm(points, axis=1)
    up = np.rad2deg(np.arcsin(np.clip(points[:, 1] / np.maximum(far, 1e-6), -1, 1)))
    above = up > -4.0
    row = np.clip(np.rint((89.0 - up[above]) / 89.0 * (ROWS - 2)), 0, ROWS - 2).astype(int)
    turn = np.arctan2(points[above, 0], points[above, 2])
    column = np.rint((turn + np.pi) / (2 * np.pi) * COLUMNS).astype(int) % COLUMNS
    reach = np.zeros((ROWS - 1, COLUMNS))
    np.maximum.at(reach, (row, column), far[above])
    return reach


def _folds(hat: DrawnHat, up: np.ndarray, round_: np.ndarray) -> np.ndarray:
    """Return how far soft folds stand off, mm, none at the edge; caps are stiff and have few."""
    rng = np.random.default_rng(hat.folds)
    height = 0.5 if hat.kind == "cap" else 2.0
    waves = [np.sin(n * round_ + rng.uniform(0, 2 * np.pi) + rng.uniform(-4, 4) * up) for n in (2, 3, 5, 8)]
    return height * np.sin(up) * np.cos(up) * (1 + sum(waves) / 4)


def _leaves_clear(brim: np.ndarray, marks: np.ndarray, camera: Camera) -> bool:
    """Return whether no landmark is behind a brim, or less than `CLEAR_MM` below it, as the camera sees them."""
    seen, at = camera.project(brim), camera.project(marks)
    px_per_mm = camera.fx / float(marks[:, 2].mean())
    down = at[3:].mean(axis=0) - at[:2].mean(axis=0)
    down /= np.linalg.norm(down)
    off = (seen[:, None] - at[None]) / px_per_mm
    beside = np.abs(off @ np.array([down[1], -down[0]])) < CLEAR_MM
    return not (beside & (off @ down > -CLEAR_MM)).any()
