"""Detector protocol: input image; output boxes, scores and landmarks per face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class DetectedFaces:
    """The faces found in one image, best first.

    Attributes:
        boxes: float32 (n, 4), x1, y1, x2, y2 in px.
        scores: float32 (n,), in [0, 1].
        landmarks: float32 (n, 5, 2), px: left eye, right eye, nose, left and right mouth corner (image left).
        landmarks_68: float32 (n, 68, 2), px, of iBUG; None where the detector gives none.
        landmarks_dense: float32 (n, 478, 2), px, of MediaPipe's mesh; None where the detector gives none.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray
    landmarks_68: np.ndarray | None = None
    landmarks_dense: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def keep(self, chosen: np.ndarray) -> DetectedFaces:
        """Return only these faces, in this order.

        Args:
            chosen: int (k,) or bool (n,).
        """
        more = (None if many is None else many[chosen] for many in (self.landmarks_68, self.landmarks_dense))
        return DetectedFaces(self.boxes[chosen], self.scores[chosen], self.landmarks[chosen], *more)

    def more(self, index: int) -> dict[str, np.ndarray]:
        """Return the larger sets of landmarks of one face, by the names of the arrays of a sample."""
        sets = {"landmarks_68": self.landmarks_68, "landmarks_dense": self.landmarks_dense}
        return {name: many[index] for name, many in sets.items() if many is not None}

    @classmethod
    def none(cls) -> DetectedFaces:
        """Return no face at all."""
        return cls(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))


class Detector(BaseModel):
    """A face detector; its fields are its options, of which stage `detect` gives those that it has itself.

    Attributes:
        name: what `detector:` of stage `detect` calls it.
        version: raised with every change of what it finds: cached results rest on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str] = "detector"
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1

    def detect(
        self, color: np.ndarray, min_face_px: float = 20.0, possible_px: tuple[float, float] | None = None
    ) -> DetectedFaces:
        """Find the faces of one image.

        Args:
            color: uint8 (H, W, 3), RGB.
            min_face_px: the smallest face sought, in px.
            possible_px: the smallest and the largest face that can occur here, where that is known (`depth_bound`);
                work on other sizes may be left out.

        Returns:
            The faces, best first.
        """
        raise TypeError(f"{type(self).__name__} defines no detect()")

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield (label, path) of every file whose content decides what is found, such as weights; none by default."""
        yield from ()
