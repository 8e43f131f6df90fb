"""Faces of many images at once on a GPU: both networks on all of them, and one wait for the device a batch.

Everything between the upload of the images and the landmarks runs on the device: pictures are sampled there, and boxes
are suppressed there for a fixed number of faces. So numbers differ from those of one image at a time by the rounding
of grey levels, some hundredths of a px, and an image has at most `MOST_FACES` faces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from face3d_data.detectors.mediapipe.nets import DETECTOR_PX, MESH_PX, load_nets
from face3d_data.detectors.mesh_faces import SURE, faces_of
from face3d_data.detectors.mesh_search import ANCHORS, LARGEST_OVERLAP, LEAST_SCORE
from face3d_data.detectors.protocol import DetectedFaces

MOST_FACES = 3
CANDIDATES = 32
"""Anchors of an image that may hold a face; a face of any size has fewer than ten."""
GROWN = 1.5


def find_faces_in_all(images: Sequence[np.ndarray], device: str) -> list[DetectedFaces]:
    """Return the faces of an eighth of the image and more, of each of several images.

    Args:
        images: u1 (H, W, 3) each, RGB; those of one size are worked on together.
        device: a torch device.
    """
    found = [DetectedFaces.none()] * len(images)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
        shapes.setdefault(image.shape, []).append(i)
    for places in shapes.values():
        made = _of_one_size(np.stack([images[i] for i in places]), device)
        for i, faces in zip(places, made, strict=True):
            found[i] = faces
    return found


def _of_one_size(images: np.ndarray, device: str) -> list[DetectedFaces]:
    detector, mesh = load_nets(device)
    with torch.inference_mode():
        pixels = torch.from_numpy(images).to(device, non_blocking=True).permute(0, 3, 1, 2).float()
        height, width = images.shape[1:3]
        side = float(max(height, width))
        scale = side / DETECTOR_PX
        shift = torch.tensor([(width - side) / 2, (height - side) / 2], device=device)
        whole = torch.cat([torch.eye(2, device=device) * scale, shift[:, None]], dim=1).expand(len(images), 2, 3)
        boxes, points, scores = suppress_all(*detector(sample(pixels, whole, DETECTOR_PX, "zeros") / 127.5 - 1))
        boxes, points = boxes * scale + shift.repeat(2), points * scale + shift
        maps = face_maps(boxes.flatten(0, 1), points.flatten(0, 1))
        each = torch.arange(len(images), device=device).repeat_interleave(MOST_FACES)
        marks, flags = mesh(sample(pixels[each], maps, MESH_PX, "border") / 255)
        placed = marks[..., :2] @ maps[:, :, :2].transpose(1, 2) + maps[:, None, :, 2]
        sure = torch.sigmoid(flags) * (scores.flatten() >= SURE)  # others are looked at again, one by one
        values = torch.cat([placed.flatten(1), sure[:, None]], dim=1).view(len(images), MOST_FACES, -1)
        gathered = values.cpu().numpy()  # the only wait
    return [faces_of(one[:, :-1].reshape(MOST_FACES, -1, 2), one[:, -1]) for one in gathered]


def sample(pixels: Tensor, maps: Tensor, side_px: int, outside: str) -> Tensor:
    """Return pictures (n, 3, side_px, side_px) of images (n, 3, H, W), bilinearly.

    Args:
        pixels: grey levels.
        maps: (n, 2, 3), pixels of a picture to those of its image; centres of pixels are at whole numbers.
        side_px: side of a picture.
        outside: what is beyond the image, `zeros` or `border`.
    """
    height, width = pixels.shape[2:]
    steps = torch.arange(side_px, device=pixels.device, dtype=pixels.dtype)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).reshape(-1, 3) @ maps.transpose(1, 2)
    size = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=pixels.device, dtype=pixels.dtype)
    grid = (places / size * 2 - 1).view(-1, side_px, side_px, 2)
    return F.grid_sample(pixels, grid, padding_mode=outside, align_corners=True)


def suppress_all(logits: Tensor, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best faces of each picture: clusters of overlapping ones become their mean weighted by score.

    Args:
        logits: (n, 896).
        places: (n, 896, 16).

    Returns:
        Boxes (n, MOST_FACES, 4), points (n, MOST_FACES, 6, 2), both in px of the picture, and scores (n, MOST_FACES),
        0 where there is no such face.
    """
    scores, best = torch.sigmoid(logits.clamp(-100, 100)).topk(CANDIDATES, dim=1)
    anchors = torch.from_numpy(ANCHORS * DETECTOR_PX).to(places)[best]
    values = places.gather(1, best[..., None].expand(-1, -1, 16))
    middle, size = anchors + values[..., :2], values[..., 2:4]
    boxes = torch.cat([middle - size / 2, middle + size / 2], dim=2)
    points = anchors[:, :, None] + values[..., 4:].unflatten(2, (6, 2))
    overlap = _overlaps(boxes)
    left = scores >= LEAST_SCORE
    every = torch.arange(len(scores), device=scores.device)
    found = []
    for _ in range(MOST_FACES):
        first = left.float().argmax(dim=1)
        near = left & (overlap[every, first] > LARGEST_OVERLAP)
        weights = scores * near
        total = weights.sum(dim=1).clamp(min=1e-9)
        mean_box = (weights[..., None] * boxes).sum(dim=1) / total[:, None]
        mean_points = (weights[..., None, None] * points).sum(dim=1) / total[:, None, None]
        found.append((mean_box, mean_points, scores[every, first] * left.any(dim=1)))
        left = left & ~near
    made = [torch.stack(part, dim=1) for part in zip(*found, strict=True)]
    return made[0], made[1], made[2]


def _overlaps(boxes: Tensor) -> Tensor:
    """Return the overlap (n, k, k) of boxes (n, k, 4) with each other, by the area of the union; 1 with themselves."""
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    common = (high - low).clamp(min=0).prod(dim=-1)
    area = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)
    overlap = common / (area[:, :, None] + area[:, None] - common).clamp(min=1e-9)
    return torch.maximum(overlap, torch.eye(boxes.shape[1], device=boxes.device))


def face_maps(boxes: Tensor, points: Tensor) -> Tensor:
    """Return the maps (n, 2, 3) from the pixels of the mesh's pictures to those of the image, level with the eyes."""
    across = points[:, 1] - points[:, 0]
    angle = torch.atan2(across[:, 1], across[:, 0])
    side = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1).clamp(min=1.0) * GROWN / MESH_PX
    cos, sin = torch.cos(angle) * side, torch.sin(angle) * side
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    shift = middle - linear.sum(dim=2) * (MESH_PX / 2)
    return torch.cat([linear, shift[..., None]], dim=2)
