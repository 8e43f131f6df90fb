"""Cascade of MTCNN's three networks over a pyramid of images, without TensorFlow.

Gives the boxes and landmarks of the `mtcnn` 1.0.0 package, whose conventions it keeps: P-Net's cell i covers the pixels
2i + 1 to 2i + 12 of its level, crops are sampled as TensorFlow's `crop_and_resize` does (divide by H, multiply by
H - 1, 0 outside), levels are made by area averaging of the normalised float image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from face3d_data.detectors.boxes import clip, refine_boxes, suppress, to_square
from face3d_data.detectors.nets import CropNet, PNet, load_nets
from face3d_data.detectors.protocol import DetectedFaces
from face3d_data.detectors.pyramid import WINDOW_PX, pyramid, shrink

STEP_PX = 2
"""How far P-Net moves its window."""


@dataclass(frozen=True)
class Cascade:
    """MTCNN's cascade: P-Net proposes, R-Net refines, O-Net decides and places five landmarks.

    Attributes:
        thresholds: the least probability that each network must give.
        device: a torch device; on the CPU one thread is used.
    """

    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8)
    device: str = "cpu"

    def detect(
        self, color: np.ndarray, min_face_px: float = 20.0, possible_px: tuple[float, float] | None = None
    ) -> DetectedFaces:
        """Find the faces of one image; see `Detector.detect`.

        The pyramid's levels depend on `min_face_px` alone; `possible_px` only skips levels, so that the faces that are
        possible are found exactly as without it.

        Raises:
            MissingDependency: the weights of the `mtcnn` package are not installed.
        """
        pnet, rnet, onet = load_nets(self.device)
        height, width = color.shape[:2]
        normal = np.array(color, np.float32, order="C")
        normal -= np.float32(127.5)
        normal *= np.float32(1 / 128)
        with torch.inference_mode():
            boxes = self._propose(pnet, normal, pyramid(height, width, min_face_px, possible_px))
            if len(boxes):
                image = self._tensor(normal)
                boxes = self._refine(rnet, image, boxes)
            return self._decide(onet, image, boxes) if len(boxes) else DetectedFaces.none()

    def _tensor(self, image: np.ndarray) -> Tensor:
        """Return (H, W, 3) as (1, 3, H, W); its memory stays as it is, which is the layout that convolutions like."""
        return torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None]

    def _propose(self, pnet: PNet, normal: np.ndarray, scales: np.ndarray) -> np.ndarray:
        """Return square boxes (n, 4) where P-Net sees a face at one of `scales`."""
        found = [self._windows(pnet, normal, scale) for scale in scales]
        boxes, scores = (np.concatenate(parts) for parts in zip(*found, strict=True)) if found else _nothing()
        order = _best_first(scores)
        boxes = boxes[order]
        return to_square(boxes[suppress(boxes, 0.7)])

    def _windows(self, pnet: PNet, normal: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the boxes (n, 4) and log-odds (n,) of one level's windows that may hold a face."""
        logits, offsets = (part.cpu().numpy() for part in pnet(self._tensor(shrink(normal, scale))))
        rows, columns = np.nonzero(logits > _logit(self.thresholds[0]))
        scores = logits[rows, columns]
        order = _best_first(scores)
        rows, columns, scores = rows[order], columns[order], scores[order]
        corner = STEP_PX * np.stack([columns, rows, columns, rows], axis=1) + np.array([1, 1, WINDOW_PX, WINDOW_PX])
        boxes = (corner + offsets[rows, columns].astype(np.float64) * (WINDOW_PX - 1)) / scale
        kept = suppress(boxes, 0.5)
        return boxes[kept], scores[kept]

    def _refine(self, rnet: CropNet, image: Tensor, boxes: np.ndarray) -> np.ndarray:
        """Return square boxes (m, 4), best first, for those of `boxes` (n, 4) that R-Net takes for faces."""
        offsets, scores = (part.cpu().numpy() for part in rnet(crops(image, boxes, 24)))
        order = _best_first(scores)
        order = order[scores[order] > self.thresholds[1]]
        boxes = refine_boxes(boxes[order], offsets[order])
        return to_square(boxes[suppress(boxes, 0.7)])

    def _decide(self, onet: CropNet, image: Tensor, boxes: np.ndarray) -> DetectedFaces:
        """Return the faces that O-Net finds in `boxes` (n, 4)."""
        offsets, points, scores = (part.cpu().numpy() for part in onet(crops(image, boxes, 48)))
        order = _best_first(scores)
        order = order[scores[order] > self.thresholds[2]]
        boxes, scores = boxes[order], scores[order]
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        marks = points[order].reshape(-1, 2, 5).transpose(0, 2, 1) * sides[:, None] + boxes[:, None, :2] - 1
        boxes = refine_boxes(boxes, offsets[order])
        kept = suppress(boxes, 0.7, smaller=True)
        inside = clip(boxes[kept], *image.shape[2:])
        return DetectedFaces(inside.astype(np.float32), scores[kept], marks[kept].astype(np.float32))


def crops(image: Tensor, boxes: np.ndarray, side: int) -> Tensor:
    """Sample each box as a square of `side` px, bilinearly, 0 outside the image.

    Follows TensorFlow's `crop_and_resize` on boxes divided by the image's height and width.

    Args:
        image: (1, 3, H, W).
        boxes: (n, 4) px.
        side: of the result, px.

    Returns:
        (n, 3, side, side).
    """
    height, width = image.shape[2:]
    steps = np.linspace(0, 1, side)
    x, y = ((boxes[:, i, None] + (boxes[:, i + 2] - boxes[:, i])[:, None] * steps) for i in (0, 1))
    x, y = x / width, y / height  # 0 .. 1 stands for the first .. last pixel's centre
    outside = ((y < 0) | (y > 1))[:, :, None] | ((x < 0) | (x > 1))[:, None]
    grid = np.empty((len(boxes), side, side, 2), np.float32)
    grid[..., 0], grid[..., 1] = (2 * x - 1)[:, None], (2 * y - 1)[:, :, None]
    place = torch.from_numpy(grid).to(image.device)
    found = F.grid_sample(image.expand(len(boxes), -1, -1, -1), place, padding_mode="border", align_corners=True)
    return found.masked_fill_(torch.from_numpy(outside).to(image.device)[:, None], 0)


def _best_first(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores, kind="stable")


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _nothing() -> tuple[np.ndarray, np.ndarray]:
    return np.empty((0, 4)), np.empty(0, np.float32)
