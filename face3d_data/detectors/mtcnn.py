"""Detector `mtcnn`: three small convolutional networks, one after the other (Zhang et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.detectors.protocol import DetectedFaces, Detector
from face3d_data.registry import register


@register
class Mtcnn(Detector):
    """MTCNN: P-Net proposes, R-Net refines, O-Net decides and gives five landmarks.

    Zhang et al. 2016, Joint face detection and alignment using multitask cascaded convolutional networks, with the
    weights of the package `mtcnn`, and in torch.
    """

    name: ClassVar[str] = "mtcnn"

    thresholds: tuple[float, float, float] = Field(
        (0.6, 0.7, 0.8), description="least probability required from each of the three networks"
    )
    device: str = Field("cpu", description="torch device; one thread is used on the CPU")

    def detect(
        self, color: np.ndarray, min_face_px: float = 20.0, possible_px: tuple[float, float] | None = None
    ) -> DetectedFaces:
        """Find the faces of one image; see `Cascade.detect`.

        Raises:
            MissingDependency: the weights of the `mtcnn` package are not installed.
        """
        from face3d_data.detectors.cascade import Cascade  # torch is imported when the first image is looked at

        return Cascade(self.thresholds, self.device).detect(color, min_face_px, possible_px)

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the networks' weight files."""
        from face3d_data.detectors.weights import NETS, weight_file

        yield from ((net, weight_file(net)) for net in NETS)
