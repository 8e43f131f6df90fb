"""Choice of one face among those that were found in an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from face3d_data.detectors.protocol import DetectedFaces


def choose(faces: DetectedFaces, which: str, shape: tuple[int, int]) -> int:
    """Return the index of the face to take.

    Args:
        faces: one or more.
        which: `largest` box, most `central` in the image, most `confident`, or the `best` of all three: the largest
            product of the side of the box (the root of its area in the image), 1 - d / D for its middle at d px of the
            image's, D being half a diagonal, and the confidence. Someone who passes by at the edge has a third of the
            centrality of who sits in the middle, and would have to be three times as tall in the image.
        shape: height and width of the image, px.
    """
    boxes = faces.boxes.astype(np.float64)
    size = np.array(shape[::-1], np.float64)
    off = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - size / 2, axis=1)
    if which == "largest":
        return int(np.argmax((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])))
    if which == "central":
        return int(np.argmin(off))
    if which == "confident":
        return int(np.argmax(faces.scores))
    inside = np.clip(boxes[:, 2:], 0, size) - np.clip(boxes[:, :2], 0, size)
    side = np.sqrt(np.maximum(inside, 0).prod(axis=1))
    centrality = np.maximum(1 - off / (np.linalg.norm(size) / 2), 0)
    return int(np.argmax(side * centrality * faces.scores))
