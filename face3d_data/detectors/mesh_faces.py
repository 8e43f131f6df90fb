"""Faces of an image by MediaPipe's two networks: the detector proposes, the mesh decides and places 478 points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from face3d_data.detectors.boxes import overlap
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
SURE = 0.88
"""A find of the detector with this score is a face the right way up; others are looked at again from near."""
NEAR_SIDES = 2.0
"""Side of the square that is looked at again, by the longer side of the mesh."""
UPRIGHT_SCORE, UPSIDE_DOWN_SCORE = 0.76, 0.85
"""Least scores from near: rendered faces in masks have 0.83 and more, dark, narrow or partly hidden ones 0.79, things
that a mesh lies on up to 0.74; with the square upside down, such faces have 0.89 and more, things up to 0.81."""
LARGE_SCORE = 0.65
"""The same for what is seen in the whole image, hardly ever a thing: photographs in drawn masks have 0.68 and more."""
MIDDLE_PX, WIDTH_PX = 20.0, (20.0, 110.0)
"""Where and how wide the face is in the detector's picture then."""
TILES_AT_ONCE = 16
MOST_SQUARES = 300
"""Squares of a level: of 24 megapixels, the last shows faces of a sixtieth of the longer side, after half a second."""
SMALLEST_IMAGE_PX = 2
SAME_FACE = 0.5
"""Share of the smaller box that two finds have in common from which on they are one face."""


def find_faces(
    color: np.ndarray,
    min_face_px: float,
    possible_px: tuple[float, float] | None,
    device: str,
    every_size: bool = False,
) -> DetectedFaces:
    """Find the faces of one image; see `Detector.detect`.

    Args:
        color: u1 (H, W, 3), RGB.
        min_face_px: the smallest face sought, px.
        possible_px: smallest and largest face that can occur, where known.
        device: a torch device.
        every_size: look for smaller faces, too, where large ones were found.
    """
    if min(color.shape[:2]) < SMALLEST_IMAGE_PX:
        return DetectedFaces.none()
    least = possible_px[0] if possible_px else 0.0
    known = DetectedFaces.none()
    for number, squares in enumerate(levels(color.shape, max(min_face_px, least))):
        near_score = UPRIGHT_SCORE if number else LARGE_SCORE
        placed = place_points(color, search(color, squares, device), device, near_score)
        faces = of_possible_size(placed, min_face_px, possible_px)
        if len(faces) and not every_size:
            return faces
        known = _with_others(known, faces)
    return known


def _with_others(known: DetectedFaces, more: DetectedFaces) -> DetectedFaces:
    """Return faces, and of more of them those that are not among the known ones, the surest first."""
    if not len(known) or not len(more):
        return known if len(known) else more
    new = more.keep(overlap(more.boxes, known.boxes, smaller=True).max(axis=1) <= SAME_FACE)
    if not len(new) or known.landmarks_dense is None or new.landmarks_dense is None:
        return known
    dense = np.concatenate([known.landmarks_dense, new.landmarks_dense])
    return faces_of(list(dense), np.concatenate([known.scores, new.scores]))


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


def place_points(color: np.ndarray, found: Found, device: str, near_score: float = LARGE_SCORE) -> DetectedFaces:
    """Return the faces on which the mesh lies, those that it is surest of first.

    The mesh is as sure of a headlight as of a face, and takes a face that is upside down for an upright one. So where
    the detector was not quite sure, it looks again at what the mesh found, upright and upside down.

    Args:
        color: u1 (H, W, 3), RGB.
        found: by the detector.
        device: a torch device.
        near_score: what the detector has to give such a face from near.
    """
    placed = []
    for box, points, score in zip(*found, strict=True):
        one = _place(color, around_face(box, points[0], points[1]), device)
        if one.score >= LEAST_SCORE:
            placed.append(one if score >= SURE else _look_again(color, one, device, near_score))
    faces = [one for one in placed if one is not None]
    return faces_of([one.dense for one in faces], [one.score for one in faces])


class _Placed(NamedTuple):
    """A mesh f8 (478, 2), px, and the probability that it lies on a face."""

    dense: np.ndarray
    score: float


def _place(color: np.ndarray, square: Square, device: str) -> _Placed:
    _, net = load_nets(device)
    with torch.inference_mode():
        # One by one, so that a face's bytes do not depend on who else is in the image.
        mesh, flag = net(_tensor([square.picture(color, MESH_PX)], device) / 255)
    at = square.to_image(MESH_PX)
    dense = mesh[0, :, :2].cpu().numpy().astype(np.float64) @ at[:, :2].T + at[:, 2]
    return _Placed(dense, float(torch.sigmoid(flag)[0]))


def _look_again(color: np.ndarray, placed: _Placed, device: str, near_score: float) -> _Placed | None:
    """Return the mesh, placed again if the face is upside down, or None where the detector sees no face from near."""
    across = placed.dense[FIVE[1]] - placed.dense[FIVE[0]]
    angle = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(angle), np.sin(angle)
    level = placed.dense @ np.array([[cos, -sin], [sin, cos]])  # as if the eyes were level
    low, high = level.min(axis=0), level.max(axis=0)
    middle = np.array([[cos, -sin], [sin, cos]]) @ ((low + high) / 2)
    side = NEAR_SIDES * float(max(high - low))
    upright, upside_down = (_from_near(color, Square(middle, side, angle + more), device) for more in (0.0, np.pi))
    if upside_down.score < max(UPSIDE_DOWN_SCORE, upright.score):
        return placed if upright.score >= near_score else None
    again = _place(color, upside_down.square, device)
    return again if again.score >= LEAST_SCORE else None


class _Near(NamedTuple):
    """How sure the detector is of the face in the middle of a square, and the square that the mesh sees it in."""

    score: float
    square: Square


def _from_near(color: np.ndarray, square: Square, device: str) -> _Near:
    net, _ = load_nets(device)
    with torch.inference_mode():
        logits, places = net(_tensor([square.picture(color, SIDE_PX, "black")], device) / 127.5 - 1)
    found = decode(logits[0].cpu().numpy(), places[0].cpu().numpy(), 0.0)
    off = np.abs((found.boxes[:, :2] + found.boxes[:, 2:]) / 2 - SIDE_PX / 2).max(axis=1)
    width = found.boxes[:, 2] - found.boxes[:, 0]
    there = np.flatnonzero((off < MIDDLE_PX) & (width > WIDTH_PX[0]) & (width < WIDTH_PX[1]))
    if not len(there):
        return _Near(0.0, square)
    box, points = found.boxes[there[0]], found.points[there[0]]
    at = square.to_image(SIDE_PX)
    seen = around_face(box, points[0], points[1])
    scale = square.side / SIDE_PX
    return _Near(
        float(found.scores[there[0]]),
        Square(at[:, :2] @ seen.middle + at[:, 2], seen.side * scale, square.angle + seen.angle),
    )


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
