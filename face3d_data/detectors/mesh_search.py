"""Search with MediaPipe's short-range face detector: anchors, boxes and weighted suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SIDE_PX = 128
LEAST_SCORE = 0.5
LARGEST_OVERLAP = 0.3
_LOGIT_LIMIT = 100.0


class Found(NamedTuple):
    """Faces that were found: boxes f8 (n, 4) px, points f8 (n, 6, 2) px, scores f8 (n,), best first.

    The points are the left and right eye (in the image), nose, mouth, left and right ear.
    """

    boxes: np.ndarray
    points: np.ndarray
    scores: np.ndarray

    def moved(self, at: np.ndarray) -> Found:
        """Return the faces in other pixels.

        Args:
            at: (2, 3), a map of pixels without rotation.
        """
        corners, points = (part @ at[:, :2].T + at[:, 2] for part in (self.boxes.reshape(-1, 2), self.points))
        return Found(corners.reshape(-1, 4), points, self.scores)


def anchors() -> np.ndarray:
    """Return the anchors' middles f8 (896, 2) as shares of the picture: two in each of 16 x 16 cells, six in 8 x 8."""
    parts = []
    for cells, count in ((16, 2), (8, 6)):
        rows, columns = np.divmod(np.repeat(np.arange(cells * cells), count), cells)
        parts.append((np.stack([columns, rows], axis=1) + 0.5) / cells)
    return np.concatenate(parts)


ANCHORS = anchors()


def decode(logits: np.ndarray, places: np.ndarray, least_score: float = LEAST_SCORE) -> Found:
    """Return the faces at the anchors whose score suffices, in px of the picture of 128 x 128, not yet suppressed.

    Args:
        logits: (896,).
        places: (896, 16), see `ShortRange`.
        least_score: probability that a face must have.
    """
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -_LOGIT_LIMIT, _LOGIT_LIMIT)))
    kept = np.flatnonzero(scores >= least_score)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    at = ANCHORS[kept] * SIDE_PX
    values = places[kept].astype(np.float64)
    middle, size = at + values[:, :2], values[:, 2:4]
    boxes = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
    return Found(boxes, at[:, None] + values[:, 4:].reshape(-1, 6, 2), scores[kept])


def joined(parts: Sequence[Found]) -> Found:
    """Return the faces of several pictures together, best first."""
    boxes, points, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(-scores, kind="stable")
    return Found(boxes[order], points[order], scores[order])


def suppress(found: Found, largest_overlap: float = LARGEST_OVERLAP) -> Found:
    """Return one face for each cluster of overlapping ones: their mean weighted by score, with the best one's score."""
    from face3d_data.detectors.boxes import overlap

    left = np.arange(len(found.scores))
    boxes, points, scores = [], [], []
    while len(left):
        near = overlap(found.boxes[left[:1]], found.boxes[left])[0] > largest_overlap
        near[0] = True
        weights = found.scores[left[near]]
        boxes.append(np.average(found.boxes[left[near]], axis=0, weights=weights))
        points.append(np.average(found.points[left[near]], axis=0, weights=weights))
        scores.append(found.scores[left[0]])
        left = left[~near]
    if not boxes:
        return Found(np.empty((0, 4)), np.empty((0, 6, 2)), np.empty(0))
    return Found(np.stack(boxes), np.stack(points), np.array(scores))
