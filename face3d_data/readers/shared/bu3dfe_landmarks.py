"""The five landmarks of BU-3DFE: corners among the 83 published points, the nose tip from the mesh.

The order of the 83 points is that of Menpo's labels (`bu3dfe_83`: eyes 1-8 and 9-16, outer mouth 49-60, counted from 1)
and of the list in Deep-MVLM (docs/BU-3DFE_landmark_info.txt: inner and outer corners of the eyes 1, 5, 9, 13, corners
of the mouth 49, 55). The two agree, but for which side is named left, which is settled by place here; the second adds
an 84th point for the nose tip, which the 83 lack.
"""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.readers.shared.scan_folder import left_first

EYES: tuple[tuple[int, int], ...] = ((0, 4), (8, 12))
"""Places, from 0, of the corners of each eye among the 83."""
MOUTH: tuple[int, int] = (48, 54)
_MOST_APART_MM = 1.0
_EYE_WIDTH_MM, _EYES_APART_MM, _MOUTH_WIDTH_MM = (10.0, 60.0), (40.0, 100.0), (20.0, 110.0)
_NOSE_LEAST_MM = 8.0


def five_of_83(indices: np.ndarray, points: np.ndarray, vertices: np.ndarray, name: str) -> np.ndarray:
    """Return the five landmarks f4 (5, 3) of the 83 of a `.bnd`; without a nose tip its row is NaN.

    Args:
        indices: i8 (83,), vertices from 0.
        points: f4 (83, 3), mm, camera frame.
        vertices: f4 (V, 3), mm, camera frame.
        name: the file's name, for errors.

    Raises:
        Unreadable: `bad_landmarks`: they are not at their vertices, or not like those of a face.
    """
    _check_places(indices, points, vertices, name)
    corners = [points[list(pair)] for pair in EYES]
    eyes, mouth = np.stack([pair.mean(axis=0) for pair in corners]), points[list(MOUTH)]
    widths = [("an eye", pair, _EYE_WIDTH_MM) for pair in corners]
    widths += [("the distance of the eyes", eyes, _EYES_APART_MM), ("the mouth", mouth, _MOUTH_WIDTH_MM)]
    for what, pair, (least, most) in widths:
        width = float(np.linalg.norm(pair[0] - pair[1]))
        if not least <= width <= most:
            said = f"{what} is {width:.3g} mm wide, expected {least:g} to {most:g}: in another order?"
            raise Unreadable("bad_landmarks", f"{name}: {said}")
    found = left_first(np.concatenate([eyes, np.full((1, 3), np.nan), mouth]))
    found[2] = _nose_tip(found, vertices)
    return found


def _check_places(indices: np.ndarray, points: np.ndarray, vertices: np.ndarray, name: str) -> None:
    if indices.max() >= len(vertices):
        line = int(indices.argmax()) + 1
        said = f"vertex {indices.max()}, and the mesh has {len(vertices)}"
        raise Unreadable("bad_landmarks", f"{name}: line {line}: {said}")
    apart = np.linalg.norm(vertices[indices] - points, axis=1)
    wrong = np.flatnonzero(~(apart <= _MOST_APART_MM))
    if len(wrong):
        said = f"lies {apart[wrong[0]]:.3g} mm from vertex {indices[wrong[0]]}: of another mesh?"
        raise Unreadable("bad_landmarks", f"{name}: line {wrong[0] + 1}: {said}")


def _nose_tip(landmarks: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Return the vertex (3,) that stands out most from the plane of eyes and mouth, NaN where none does by 8 mm."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    across = landmarks[1] - landmarks[0]
    width = float(np.linalg.norm(across))
    across = across / width
    down = mouth - eyes
    down = down - (down @ across) * across
    height = float(np.linalg.norm(down))
    none = np.full(3, np.nan, np.float32)
    if height < width / 4:
        return none
    down = down / height
    away = np.cross(across, down)
    offsets = np.nan_to_num(vertices - eyes, nan=1e9, posinf=1e9, neginf=-1e9)
    beside, below, behind = offsets @ across, offsets @ down, offsets @ away
    # Cheeks and lips are outside, whatever the expression.
    between = (np.abs(beside) < 0.3 * width) & (below > 0.2 * height) & (below < 0.85 * height)
    if not between.any():
        return none
    tip = np.flatnonzero(between)[np.argmin(behind[between])]
    return vertices[tip] if -behind[tip] >= _NOSE_LEAST_MM else none
