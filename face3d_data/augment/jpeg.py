"""Operation `jpeg`: a photograph with the artefacts of lossy compression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.operation import ArrayNames, Operation, Record
from face3d_data.registry import register
from face3d_data.sample import Tag

BEST = 95
MOST_PX = 65_500
"""Side of the largest image that JPEG can hold; a larger one is left as it is."""


@register
class Jpeg(Operation):
    """Store the image as JPEG and read it again, at a quality drawn evenly from `jpeg_quality` to 95."""

    name: ClassVar[str] = "jpeg"
    needs: ClassVar[ArrayNames] = ("color",)
    acts_on: ClassVar[ArrayNames] = ("color",)
    draws: ClassVar[ArrayNames] = ("jpeg_quality",)
    strengths: ClassVar[ArrayNames] = ("jpeg_quality",)

    jpeg_quality: int = Field(0, ge=0, le=BEST, description="lowest quality of JPEG compression; 0: no compression")

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the quality; 0 where the operation is off."""
        return {"jpeg_quality": int(rng.integers(self.jpeg_quality, BEST + 1)) if self.jpeg_quality else 0}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the image as a JPEG of that quality holds it, its colour at half the resolution."""
        quality = int(record["jpeg_quality"])
        if quality == 0 or "color" not in arrays:
            return {}
        color = arrays["color"]
        if not color.size or max(color.shape) > MOST_PX:
            return {}
        import cv2

        _, stored = cv2.imencode(".jpg", np.ascontiguousarray(color[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
        read = np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))
        return {"color": np.ascontiguousarray(read[..., ::-1])}
