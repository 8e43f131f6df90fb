"""Mask sheet: everything a face can wear, one row each, from the front and the side, in colour, depth and points.

Plain arrays in, RGB images out, as in `pictures.sample_picture`. From the front a sample is shown as it is; from the
side its depth is seen as a surface, so what one camera did not see is missing there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.align import rotate, transform
from face3d_data.geometry.camera import FAR_MM, depth_to_points, project
from face3d_data.geometry.normals import mesh_normals
from face3d_data.pictures.sample_picture import BACKGROUND, LABEL_RGB, ArrayMap, color_depth, draw_points
from face3d_data.wear.occluder import Occluder, camera_rays
from face3d_data.wear.wearing import Face

COLUMNS = ("colour", "colour, side", "depth", "depth, side", "points", "points, side")
SIDE_DEG = 70.0
MIDDLE_MM = np.array([0.0, -22.0, -55.0])
HALF_MM = 120.0
"""What a panel shows: this far from the middle of the head, face frame."""
NEAR_MM, DEEP_MM = 5.0, 130.0
"""What a depth panel's colours span: from in front of the nose tip to the ears."""
JUMP_MM, JUMP_STEPS = 8.0, 6.0
"""Neighbouring readings farther apart, in mm or in widths of a pixel, are two surfaces."""
SUPERSAMPLING = 2
DOT_MM = 2.0
LABEL_WIDTH_PX, HEAD_PX, GAP_PX = 150, 22, 4


@dataclass(frozen=True, eq=False)
class SheetView:
    """From where a face is shown, the same for all rows of a sheet.

    Attributes:
        to_face: f8 (4, 4), camera to face frame.
        side_deg: angle of the side view: to the side that the camera saw more of.
    """

    to_face: np.ndarray
    side_deg: float


def look_at(to_face: np.ndarray) -> SheetView:
    """Return from where to show a face, given the motion (4, 4) from the camera to the face frame."""
    camera_is_right = np.linalg.inv(to_face)[2, 0] < 0
    return SheetView(to_face, SIDE_DEG if camera_is_right else -SIDE_DEG)


def mean_face_depth(face: Face, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return what a photo's camera would read if the face were its estimated skin, and that camera.

    Args:
        face: as `find_face` finds it in a colour image.
        shape: height and width of the image, px.

    Returns:
        Depth f4 (H, W), mm, 0 beyond the head; intrinsics f8 (4,) in px, guessed where the photo brought none.
    """
    surface, intrinsics = face.view.surface, face.view.intrinsics
    if surface is None or intrinsics is None:
        raise ValueError("a face that was found in a colour image has an estimated skin and a camera")
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    rays = camera_rays(np.stack([columns.ravel(), rows.ravel()], axis=1), intrinsics)
    depth = surface.cast(rays, face.view.to_face).t
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32).reshape(shape), intrinsics


def panels(arrays: ArrayMap, look: SheetView, size: int) -> list[np.ndarray]:
    """Return the six pictures of a sample, as in `COLUMNS`, each u1 (size, size, 3) RGB.

    Args:
        arrays: `color`, `depth`, `intrinsics`, `points`, `pose`, `normals`, and `occlusion` where it is known.
        look: from where to show it.
        size: width and height of a picture, px.
    """
    depth = arrays["depth"]
    nose_mm = float(np.linalg.inv(look.to_face)[2, 3])
    span = (nose_mm - NEAR_MM, nose_mm + DEEP_MM)
    sides = _from_the_side(arrays, look, size)
    return [
        front(arrays["color"], arrays["intrinsics"], look, size),
        sides[0],
        front(color_depth(depth, span), arrays["intrinsics"], look, size),
        sides[1],
        _points(arrays, look, 0.0, size),
        _points(arrays, look, look.side_deg, size),
    ]


def front(image: np.ndarray, intrinsics: np.ndarray, look: SheetView, size: int) -> np.ndarray:
    """Return the part of an image u1 (H, W, 3) where the head is, u1 (size, size, 3)."""
    import cv2

    middle = transform(MIDDLE_MM[None], np.linalg.inv(look.to_face))
    centre = project(middle, intrinsics)[0]
    half = HALF_MM * float(intrinsics[0]) / float(middle[0, 2])
    scale = size / (2 * half)
    motion = np.array([[scale, 0, (half - centre[0]) * scale - 0.5], [0, scale, (half - centre[1]) * scale - 0.5]])
    # Shrinking by a linear filter alone would leave jagged edges: blur what the smaller picture cannot hold.
    soft = cv2.GaussianBlur(image, (0, 0), 0.4 / scale) if scale < 1 else image
    return cv2.warpAffine(soft, motion, (size, size), borderValue=(BACKGROUND,) * 3)


def _from_the_side(arrays: ArrayMap, look: SheetView, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return colour and shaded depth of the readings, seen as a surface from the side."""
    fine = size * SUPERSAMPLING
    surface, colors = _surface(arrays, look)
    rays, toward = _parallel_rays(look.side_deg, fine)
    hits = surface.cast(rays)
    met = np.flatnonzero(hits.found)
    color = np.full((fine * fine, 3), BACKGROUND, np.uint8)
    depth = color.copy()
    if len(met):
        found = hits.take(met)
        corners = surface.triangles[found.triangle].astype(np.intp)
        u, v = found.barycentric[:, :1], found.barycentric[:, 1:]
        color[met] = (1 - u - v) * colors[corners[:, 0]] + u * colors[corners[:, 1]] + v * colors[corners[:, 2]]
        facing = np.clip(surface.at(found, rays[met]).normals @ toward, 0, 1).astype(np.float32)
        height_mm = FAR_MM - found.t
        shown = color_depth((1e4 - height_mm)[None], (1e4 - 90.0, 1e4 + 60.0))[0]
        depth[met] = shown * (0.35 + 0.65 * facing[:, None])
    return _shrunk(color.reshape(fine, fine, 3), size), _shrunk(depth.reshape(fine, fine, 3), size)


def _surface(arrays: ArrayMap, look: SheetView) -> tuple[Occluder, np.ndarray]:
    """Return the readings around the head as a surface in the face frame, and the colours f4 (V, 3) of its corners."""
    depth = np.asarray(arrays["depth"])
    points, pixels = depth_to_points(depth, arrays["intrinsics"])
    number = np.full(depth.shape, -1)
    number.reshape(-1)[pixels] = np.arange(len(points))
    placed = transform(points, look.to_face).astype(np.float32)
    near = (np.abs(placed - MIDDLE_MM) <= 1.5 * HALF_MM).all(axis=1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    corners = np.concatenate([np.stack(three, axis=-1).reshape(-1, 3) for three in ((a, c, b), (b, c, d))])
    corners = corners[(corners >= 0).all(axis=1)]
    corners = corners[near[corners].all(axis=1)]
    z = points[:, 2]
    limit = np.maximum(JUMP_MM, JUMP_STEPS * z[corners[:, 0]] / float(arrays["intrinsics"][0]))
    corners = corners[np.ptp(z[corners], axis=1) <= limit]
    surface = Occluder(
        placed,
        mesh_normals(placed, corners),
        corners.astype(np.uint32),
        np.zeros((len(placed), 2), np.float32),
        np.zeros(len(corners), np.uint8),
        lambda part, _: np.ones((len(part), 3), np.float32),
        0,
    )
    return surface, arrays["color"].reshape(-1, 3)[pixels].astype(np.float32)


def _turn(yaw_deg: float) -> np.ndarray:
    """Return the rotation f8 (3, 3) from the face frame to that of a viewer who stands so far to the image's right."""
    sine, cosine = np.sin(np.deg2rad(yaw_deg)), np.cos(np.deg2rad(yaw_deg))
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def _parallel_rays(yaw_deg: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rays f4 (size², 6) from far away to the head, row by row, and the direction (3,) to the viewer."""
    right, up, toward = _turn(yaw_deg)
    places = (np.arange(size) + 0.5) / size * 2 - 1
    across, down = np.meshgrid(places * HALF_MM, places * HALF_MM)
    start = MIDDLE_MM + toward * FAR_MM + across.reshape(-1, 1) * right - down.reshape(-1, 1) * up
    return np.hstack([start, np.broadcast_to(-toward, start.shape)]).astype(np.float32), toward


def _points(arrays: ArrayMap, look: SheetView, yaw_deg: float, size: int) -> np.ndarray:
    """Return a picture of the points, coloured by what they are of."""
    pose = np.asarray(arrays["pose"]) if "pose" in arrays else np.eye(4)
    motion = look.to_face @ np.linalg.inv(pose)
    turn = _turn(yaw_deg)
    seen = (transform(np.asarray(arrays["points"], np.float64), motion) - MIDDLE_MM) @ turn.T
    label = arrays["occlusion"] if "occlusion" in arrays else np.zeros(len(seen), np.uint8)
    facing = np.clip((rotate(arrays["normals"], motion) @ turn.T)[:, 2], 0, 1)
    rgb = (LABEL_RGB[label] * (0.25 + 0.75 * facing[:, None])).astype(np.uint8)
    # What turns its back is behind the surface, and would shine through between its points.
    inside = (np.abs(seen[:, :2]) < HALF_MM).all(axis=1) & np.isfinite(seen).all(axis=1) & (facing > 0)
    limits = np.array([[-HALF_MM, -HALF_MM], [HALF_MM, HALF_MM]])
    # At 20,000 points a face, about one a mm, dots of 2 mm leave no gaps from the front.
    fine, dot_px = size * SUPERSAMPLING, 2 * round(DOT_MM * size * SUPERSAMPLING / (4 * HALF_MM)) + 1
    return _shrunk(draw_points(seen[inside, :2], seen[inside, 2], rgb[inside], fine, limits, dot_px), size)


def sheet(rows: Sequence[tuple[Sequence[str], Sequence[np.ndarray]]]) -> np.ndarray:
    """Return one picture of rows of panels under the headings of `COLUMNS`.

    Args:
        rows: the lines that stand left of each row, in ASCII, and its panels, all of one size.

    Returns:
        u1 (H, W, 3) RGB.
    """
    size = len(rows[0][1][0])
    step = size + GAP_PX
    image = np.full((HEAD_PX + len(rows) * step, LABEL_WIDTH_PX + len(COLUMNS) * step, 3), 255, np.uint8)
    for column, text in enumerate(COLUMNS):
        _write(image, text, LABEL_WIDTH_PX + column * step + 2, HEAD_PX - 7)
    for row, (lines, pictures) in enumerate(rows):
        top = HEAD_PX + row * step
        for number, text in enumerate(lines):
            _write(image, text, 6, top + 18 + 18 * number)
        for column, picture in enumerate(pictures):
            left = LABEL_WIDTH_PX + column * step
            image[top : top + size, left : left + size] = picture
    return image


def _shrunk(image: np.ndarray, size: int) -> np.ndarray:
    import cv2

    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def _write(image: np.ndarray, text: str, left: int, baseline: int) -> None:
    import cv2

    cv2.putText(image, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
