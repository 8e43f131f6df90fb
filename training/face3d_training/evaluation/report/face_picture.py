"""Picture of a dataset's face: its colours, or its relief lit from above."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree

GROUND = 245
"""Grey of the background."""
IN_FRONT_OF_CAMERA_MM = 150.0
"""Clouds that lie farther along z are in the camera's frame (y down, z away from it), others in the face's."""
NEIGHBOURS = 8
JPEG_QUALITY = 88
GAP_SPACINGS = 3.0
"""A pixel farther from any point than this many times their spacing shows nothing."""
LIGHT = np.array([-0.35, 0.55, 0.76])
"""Towards the light: right, up, towards the viewer."""
FIELDS = (("color",), ("points",), ("map",), ("depth",))
"""Arrays that a picture can be made of, the best first."""


def picture_fields(fields: Mapping[str, object] | tuple[str, ...]) -> tuple[str, ...]:
    """Return which of a dataset's arrays `draw_face` wants; none where it can draw nothing."""
    return next((wanted for wanted in FIELDS if set(wanted) <= set(fields)), ())


def draw_face(arrays: Mapping[str, np.ndarray], size: int = 160) -> np.ndarray:
    """Return a picture of a face.

    Args:
        arrays: of one sample: `color` u1 (H, W, 3), else `points` (N, 3) in any unit, else `map` (C, H, W) with the
            height first and the validity last, else `depth` (H, W) mm.
        size: width and height, px.

    Returns:
        u1 (size, size, 3) RGB.
    """
    if "color" in arrays:
        return _fit(np.asarray(arrays["color"]), size)
    if "points" in arrays:
        return relief_of_points(np.asarray(arrays["points"], np.float64), size)
    if "map" in arrays:
        height, seen = np.asarray(arrays["map"][0], np.float64), np.asarray(arrays["map"][-1]) > 0.5
        return _fit(_light(height, seen, 1.0), size)
    depth = np.asarray(arrays["depth"], np.float64)
    known = np.isfinite(depth) & (depth > 0)
    return _fit(_light(-depth, known, 1.0), size)


def relief_of_points(points: np.ndarray, size: int) -> np.ndarray:
    """Return a cloud seen from the front, as a surface in grey: nearer is lighter, slopes are shaded.

    Args:
        points: (N, 3), in the face's frame or the camera's; what is not finite does not count.
        size: width and height, px.

    Returns:
        u1 (size, size, 3) RGB.
    """
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 3:
        return np.full((size, size, 3), GROUND, np.uint8)
    turn = -1.0 if np.median(points[:, 2]) > IN_FRONT_OF_CAMERA_MM else 1.0
    view, near = points[:, :2] * (1, turn), turn * points[:, 2]
    low, high = view.min(axis=0), view.max(axis=0)
    step = float((high - low).max()) * 1.06 / size or 1.0
    across = (np.arange(size) - (size - 1) / 2) * step
    x, up = np.meshgrid(across + (low + high)[0] / 2, across[::-1] + (low + high)[1] / 2)
    count = min(NEIGHBOURS, len(points))
    distance, index = cKDTree(view).query(np.stack([x, up], axis=-1).reshape(-1, 2), k=range(1, count + 1))
    spacing = max(float(np.prod(np.maximum(high - low, step)) / len(points)) ** 0.5, step)
    weight = np.exp(-0.5 * (distance / spacing) ** 2) + 1e-12
    surface = (weight * near[index]).sum(axis=1) / weight.sum(axis=1)
    known = distance[:, 0] <= GAP_SPACINGS * spacing
    return _light(surface.reshape(size, size), known.reshape(size, size), step)


def _light(near: np.ndarray, known: np.ndarray, step: float) -> np.ndarray:
    """Return a height field as a lit picture; heights (H, W) towards the viewer, `step` their unit in pixels."""
    image = np.full((*near.shape, 3), GROUND, np.uint8)
    if not known.any():
        return image
    level = np.where(known, near, np.median(near[known]))
    down, right = np.gradient(level, step) if min(level.shape) > 1 else (np.zeros_like(level),) * 2
    normal = np.stack([-right, down, np.ones_like(level)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    far, close = np.percentile(level[known], (2, 98))
    height = np.clip((level - far) / max(float(close - far), 1e-9), 0, 1)
    shade = np.clip(normal @ (LIGHT / np.linalg.norm(LIGHT)), 0, 1)
    grey = 255 * np.clip(0.08 + 0.92 * shade * (0.6 + 0.4 * height), 0, 1)
    image[known] = (grey[..., None] * (1.0, 0.97, 0.93))[known].astype(np.uint8)
    return image


def picture_uri(image: np.ndarray) -> str:
    """Return a picture, u1 (H, W, 3) RGB, as a JPEG in the form in which a page contains it."""
    import cv2

    encoded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data_uri("image/jpeg", encoded[1].tobytes())


def data_uri(kind: str, content: bytes) -> str:
    """Return bytes of a MIME type as an address that contains them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _fit(image: np.ndarray, size: int) -> np.ndarray:
    """Return an image scaled into a square, proportions kept."""
    import cv2

    scale = size / max(image.shape[:2])
    width, height = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.full((size, size, 3), GROUND, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(image, (width, height), interpolation=way)
    return square
