"""Detector `facemesh`: MediaPipe's face detector, and its face mesh with attention on every face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.detectors.mediapipe.assets import ATTENTION_MESH, SHORT_RANGE
from face3d_data.detectors.protocol import DetectedFaces, Detector
from face3d_data.registry import register


@register
class Facemesh(Detector):
    """MediaPipe's FaceMesh: 478 landmarks of every face, of which the 68 and the five are taken; also under a mask.

    The short-range detector finds faces of an eighth of the image's longer side and more; smaller ones are sought in
    overlapping squares of the image, each level half as large as the one before, until one level holds a face. The eyes
    are the middles of the irises. The score is the mesh's own probability that it lies on a face. Where the detector
    was not quite sure it looks again from near, upright and upside down, to leave out what is no face.
    """

    name: ClassVar[str] = "facemesh"
    version: ClassVar[int] = 2

    device: str = Field("cpu", description="torch device; one thread is used on the CPU")
    every_size: bool = Field(False, description="look for smaller faces, too, where large ones were found")

    def detect(
        self, color: np.ndarray, min_face_px: float = 20.0, possible_px: tuple[float, float] | None = None
    ) -> DetectedFaces:
        """Find the faces of one image; see `Detector.detect`."""
        from face3d_data.detectors.mesh_faces import find_faces  # torch is imported at the first image

        return find_faces(color, min_face_px, possible_px, self.device, self.every_size)

    def detect_all(
        self, colors: Sequence[np.ndarray], min_face_px: float, possible_px: Sequence[tuple[float, float] | None]
    ) -> list[DetectedFaces]:
        """Find the large faces of several images at once, as on a GPU; images without any need `detect`."""
        from face3d_data.detectors.mesh_batch import find_faces_in_all
        from face3d_data.detectors.mesh_faces import of_possible_size

        found = find_faces_in_all(colors, self.device)
        return [
            of_possible_size(faces, min_face_px, possible) for faces, possible in zip(found, possible_px, strict=True)
        ]

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the networks' weight files."""
        yield from ((asset.label, asset.file) for asset in (SHORT_RANGE, ATTENTION_MESH))
