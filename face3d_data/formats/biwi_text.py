"""Text files of the Biwi Kinect Head Pose database: a camera's `.cal` and a frame's `_pose.txt`.

`.cal`: lines 1–3 the camera matrix K in px, then a line of distortion, then lines 7–9 the rotation R and line 11 the
translation T in mm, blank lines between. `_pose.txt`: lines 1–3 the head's rotation R, a blank line, then its centre
in mm. Numbers are apart by spaces; lines may end with a space.
"""

from __future__ import annotations

import math

import numpy as np

MOST_CHARACTERS = 10_000
ORTHONORMAL_WITHIN = 0.02
"""How far R·Rᵀ may be from the unit matrix: the database writes six digits."""
FARTHEST_MM = 10_000.0


def parse_cal(text: str) -> tuple[float, float, float, float]:
    """Return fx, fy, cx, cy in px from the text of a `.cal` file.

    Raises:
        ValueError: naming the line and what is wrong.
    """
    camera = _matrix(_lines(text))
    fx, fy, cx, cy = camera[0, 0], camera[1, 1], camera[0, 2], camera[1, 2]
    expected = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    if not np.array_equal(camera, expected) or min(fx, fy) <= 0 or max(fx, fy, abs(cx), abs(cy)) > 1e5:
        raise ValueError(f"lines 1 to 3: not a camera matrix fx 0 cx / 0 fy cy / 0 0 1: {camera.tolist()}")
    number, row = next(((i, line) for i, line in enumerate(_lines(text)[3:], 4) if line.strip()), (0, ""))
    if len(row.split()) != 3 and any(_is_nonzero(part) for part in row.split()):  # three would be R's
        raise ValueError(f"line {number}: distortion {row[:60]!r} is not supported: the database's cameras have none")
    return float(fx), float(fy), float(cx), float(cy)


def parse_pose(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the head's rotation f8 (3, 3) and its centre f8 (3,) in mm from the text of a `_pose.txt`.

    Raises:
        ValueError: naming the line and what is wrong.
    """
    lines = _lines(text)
    rotation = _matrix(lines)
    if not _is_rotation(rotation):
        raise ValueError("lines 1 to 3: not a rotation")
    number, row = next(((i, line) for i, line in enumerate(lines[3:], 4) if line.strip()), (len(lines) + 1, ""))
    centre = np.array(_numbers(row, number))
    if np.abs(centre).max() > FARTHEST_MM:
        raise ValueError(f"line {number}: the centre is {np.abs(centre).max():.3g} mm away")
    return rotation, centre


def _is_nonzero(text: str) -> bool:
    try:
        return float(text) != 0
    except ValueError:
        return True


def _is_rotation(matrix: np.ndarray) -> bool:
    if np.abs(matrix).max() > 2:
        return False
    off = np.abs(matrix @ matrix.T - np.eye(3)).max()
    return bool(off <= ORTHONORMAL_WITHIN and np.linalg.det(matrix) > 0)


def _lines(text: str) -> list[str]:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(text)} characters are too many")
    return text.splitlines()


def _matrix(lines: list[str]) -> np.ndarray:
    return np.array([_numbers(lines[i] if i < len(lines) else "", i + 1) for i in range(3)])


def _numbers(line: str, number: int) -> list[float]:
    """Return the three numbers of a line."""
    parts = line.split()
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if len(parts) != 3 or len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ValueError(f"line {number}: expected three numbers, found {line[:60]!r}")
    return values
