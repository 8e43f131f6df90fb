"""Operation `flip`: a photograph flipped left to right, of the same person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.mirror import Mirror
from face3d_data.augment.operation import ArrayNames, Operation, Record
from face3d_data.registry import register
from face3d_data.sample import PIXELS, POSITIONS, Tag

GEOMETRY: ArrayNames = ("points", "depth", "grid", "map")
"""Where one of these is there, a flipped face is another shape, which only `mirror` may make."""


@register
class Flip(Operation):
    """Flip a photograph left to right, with its box and landmarks; the face stays that person's.

    Trainers of image networks take a flipped photograph for one more of the same person. A shape is not symmetric
    enough for that: a sample that holds points, depth or a scanner's grid is left as it is, see `mirror`.
    """

    name: ClassVar[str] = "flip"
    needs: ClassVar[ArrayNames] = ("color",)
    acts_on: ClassVar[ArrayNames] = (
        "color", "box", *PIXELS, *(name for name in POSITIONS if name != "vertices"), "intrinsics", "pose",
    )  # fmt: skip
    removes: ClassVar[ArrayNames] = Mirror.removes
    draws: ClassVar[ArrayNames] = ("flip",)
    strengths: ClassVar[ArrayNames] = ("flip_p",)

    flip_p: float = Field(0.0, ge=0, le=1, description="probability of flipping a photograph without geometry")

    def fits(self, arrays: Mapping[str, np.ndarray]) -> bool:
        """Tell whether there is an image and nothing that knows the face's shape."""
        return super().fits(arrays) and not any(name in arrays for name in GEOMETRY)

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return whether to flip."""
        return {"flip": bool(rng.random() < self.flip_p)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return image, box, landmarks and camera, flipped; nothing where there is geometry."""
        if not record["flip"] or not self.fits(arrays):
            return {}
        image = {name: arrays[name] for name in self.acts_on if name in arrays}
        return Mirror().apply(image, {"mirror": True})
