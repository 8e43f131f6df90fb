"""Boxes as MTCNN uses them: float64 (n, 4), x1, y1, x2, y2 in px."""

from __future__ import annotations

import numpy as np

_BLOCK = 512


def to_square(boxes: np.ndarray) -> np.ndarray:
    """Return squares (n, 4) about the same centres, as large as the longer sides of `boxes` (n, 4)."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    side = np.maximum(width, height)
    x1 = boxes[:, 0] + width * 0.5 - side * 0.5
    y1 = boxes[:, 1] + height * 0.5 - side * 0.5
    return np.stack([x1, y1, x1 + side, y1 + side], axis=1)


def refine_boxes(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Move the corners of `boxes` (n, 4) by `offsets` (n, 4), which are in units of width + 1 and height + 1."""
    width, height = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    return boxes + offsets * np.stack([width, height, width, height], axis=1)


def clip(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return `boxes` (n, 4) with every corner inside the image's pixels."""
    return np.clip(boxes, 0, [width - 1, height - 1, width - 1, height - 1])


def overlap(boxes: np.ndarray, others: np.ndarray, smaller: bool = False) -> np.ndarray:
    """Return the overlap (n, m) of `boxes` (n, 4) with `others` (m, 4).

    Args:
        boxes: (n, 4).
        others: (m, 4).
        smaller: divide the common area by the smaller box's area instead of by the area of the union.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.maximum(0, high - low)
    common = sides[..., 0] * sides[..., 1]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    other_areas = (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])
    if smaller:
        return common / np.minimum(areas[:, None], other_areas)
    return common / (areas[:, None] + other_areas - common)


def suppress(boxes: np.ndarray, threshold: float, smaller: bool = False) -> np.ndarray:
    """Return a mask (n,) of the boxes that overlap no better one by more than `threshold`.

    A box is dropped also when the better one is itself dropped: that is the convention of the `mtcnn` package. Works in
    blocks, so that memory grows with n, not with its square.

    Args:
        boxes: (n, 4), best first.
        threshold: the largest overlap allowed.
        smaller: see `overlap`.
    """
    kept = np.ones(len(boxes), bool)
    for start in range(0, len(boxes), _BLOCK):
        block = boxes[start : start + _BLOCK]
        for before in range(0, start + 1, _BLOCK):
            clash = overlap(boxes[before : before + _BLOCK], block, smaller) > threshold
            if before == start:
                clash = np.triu(clash, k=1)
            kept[start : start + len(block)] &= ~clash.any(axis=0)
    return kept
