"""Faces of an image by MediaPipe's two networks: the detector proposes, the mesh decides and places 478 points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from face3d_data.detectors.given import box_around
from face3d_data.detectors.mediapipe.nets import MESH_PX, load_nets
from face3d_data.detectors.mediapipe.view import Square, around_face, whole
from face3d_data.detectors.mesh_search import SIDE_PX, Found, decode, joined, suppress
from face3d_data.detectors.protocol import DetectedFaces
from face3d_data.geometry.landmark_sets import DENSE_OF_68

SMALLEST_SHARE = 1 / 8
"""Width of the smallest face that the detector finds, by the side of the square: 32 of 32 rendered captures at an
eighth, 23 of 32 at a tenth."""
FIVE = (468, 473, 4, 61, 291)
"""Vertices of the mesh: middles of the irises, tip of the nose, corners of the mouth; left in the image first."""
LEAST_SCORE = 0.5
TILES_AT_ONCE = 16
MOST_SQUARES = 300
"""Squares of a level: of 24 megapixels, the last shows faces of a sixtieth of the longer side, after half a second."""
SMALLEST_IMAGE_PX = 2


def find_faces(
    color: np.ndarray, min_face_px: float, possible_px: tuple[float, float] | None, device: str
) -> DetectedFaces:
    """Find the faces of one image; see `Detector.detect`.

    Args:
        color: u1 (H, W, 3), RGB.
        min_face_px: the smallest face sought, px.
        possible_px: smallest and largest face that can occur, where known.
        device: a torch device.
    """
    if min(color.shape[:2]) < SMALLEST_IMAGE_PX:
        return DetectedFaces.none()
    least = possible_px[0] if possible_px else 0.0
    for squares in levels(color.shape, max(min_face_px, least)):
        faces = of_possible_size(place_points(color, search(color, squares, device), device), min_face_px, possible_px)
        if len(faces):
            return faces
    return DetectedFaces.none()


def of_possible_size(
    faces: DetectedFaces, min_face_px: float, possible_px: tuple[float, float] | None
) -> DetectedFaces:
    """Return the faces that are not half as small, nor twice as large, as what can occur."""
    least, most = possible_px or (0.0, np.inf)
    width = faces.boxes[:, 2] - faces.boxes[:, 0]
    return faces.keep((width >= 0.5 * max(least, min_face_px)) & (width <= 2 * most))


def levels(shape: tuple[int, ...], least_px: float) -> Iterator[list[Square]]:
    """Yield the squares to look at: the whole image, then squares of half the side, overlapping by half, and so on.

    A face of up to half a square's side lies whole in one of them. The last level is the first that shows faces of
    `least_px`, or the last of at most `MOST_SQUARES`.
    """
    height, width = shape[:2]
    square = whole(shape)
    yield [square]
    side = square.side
    while side * SMALLEST_SHARE > least_px:
        side /= 2
        middles = [
            [side / 2 + i * side / 2 for i in range(max(1, int(np.ceil((length - side) / (side / 2))) + 1))]
            for length in (height, width)
        ]
        if len(middles[0]) * len(middles[1]) > MOST_SQUARES:
            return
        yield [Square(np.array([x, y]), side) for y in middles[0] for x in middles[1]]


def search(color: np.ndarray, squares: list[Square], device: str) -> Found:
    """Return where the detector sees faces in these squares of an image, in px of the image."""
    net, _ = load_nets(device)
    parts = []
    for start in range(0, len(squares), TILES_AT_ONCE):
        some = squares[start : start + TILES_AT_ONCE]
        pictures = _tensor([square.picture(color, SIDE_PX, "black") for square in some], device)
        with torch.inference_mode():
            logits, places = (part.cpu().numpy() for part in net(pictures / 127.5 - 1))
        parts += [
            decode(*judged).moved(square.to_image(SIDE_PX))
            for square, *judged in zip(some, logits, places, strict=True)
        ]
    return suppress(joined(parts))


def place_points(color: np.ndarray, found: Found, device: str) -> DetectedFaces:
    """Return the faces on which the mesh lies, those that it is surest of first."""
    _, net = load_nets(device)
    dense, scores = [], []
    for box, points in zip(found.boxes, found.points, strict=True):
        square = around_face(box, points[0], points[1])
        with torch.inference_mode():
            # One by one, so that a face's bytes do not depend on who else is in the image.
            mesh, flag = net(_tensor([square.picture(color, MESH_PX)], device) / 255)
            scores.append(float(torch.sigmoid(flag)[0]))
        at = square.to_image(MESH_PX)
        dense.append(mesh[0, :, :2].cpu().numpy().astype(np.float64) @ at[:, :2].T + at[:, 2])
    return faces_of(dense, scores)


def faces_of(dense: Sequence[np.ndarray], scores: Sequence[float] | np.ndarray) -> DetectedFaces:
    """Return the faces whose mesh (478, 2) is sure enough to lie on one, the surest first."""
    kept = [i for i in np.argsort(-np.array(scores), kind="stable") if scores[i] >= LEAST_SCORE]
    if not kept:
        return DetectedFaces.none()
    marks = np.stack([dense[i] for i in kept]).astype(np.float32)
    five = marks[:, FIVE]
    boxes = np.stack([box_around(points) for points in five])
    return DetectedFaces(boxes, np.array([scores[i] for i in kept], np.float32), five, marks[:, DENSE_OF_68], marks)


def _tensor(pictures: list[np.ndarray], device: str) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2).float()
