"""Axis check: the directions of axes in range images and landmarks, compared with pixels and with faces."""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Unreadable

AXES_REASONS: dict[str, str] = {"wrong_axes": "x or y points in another direction than pixels or landmarks show"}
CLEAR = 0.6
"""Share of all neighbours that must agree on a direction."""


def growing(values: np.ndarray, along: int) -> float:
    """Return the share of neighbours along an axis of (H, W) whose value is larger further on; 0.5 without any."""
    steps = np.diff(values, axis=along)
    steps = steps[np.isfinite(steps) & (steps != 0)]
    return float((steps > 0).mean()) if len(steps) else 0.5


def check_grid_axes(grid: np.ndarray, where: str, remedy: str) -> None:
    """Check that x grows along the columns of a range image and y down its rows.

    Args:
        grid: (H, W, 3), camera frame (x right, y down), NaN = nothing.
        where: the file's name, said first.
        remedy: what to set where y goes up.

    Raises:
        Unreadable: `wrong_axes`: it clearly does not. What is neither clearly so nor otherwise is let pass.
    """
    if growing(grid[..., 1], 0) < 1 - CLEAR:
        raise Unreadable("wrong_axes", f"{where}: y goes up along the rows: {remedy}, or store the upper row first")
    if growing(grid[..., 0], 1) < 1 - CLEAR:
        raise Unreadable(
            "wrong_axes", f"{where}: x goes to the left along the columns: it is mirrored: turn x or columns"
        )


def check_landmark_axes(landmarks: np.ndarray, where: str, remedy: str) -> None:
    """Check that the eyes are above the mouth.

    Args:
        landmarks: (5, 3), camera frame, in the array's order, NaN = unknown.
        where: what messages name first.
        remedy: what to set.

    Raises:
        Unreadable: `wrong_axes`: they are below it.
    """
    eyes, mouth = (rows[np.isfinite(rows)] for rows in (landmarks[:2, 1], landmarks[3:, 1]))
    if len(eyes) and len(mouth) and eyes.mean() > mouth.mean():
        raise Unreadable("wrong_axes", f"{where}: the eyes are below the mouth: {remedy}")
