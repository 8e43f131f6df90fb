"""Synthetic people: the embedded source of parametric faces, rendered when their arrays are read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from face3d_data.reader import Reader, Source
from face3d_data.registry import register


@register
class Synthetic(Reader):
    """Render people who do not exist: faces with some 30 random shape parameters, expression, pose, colour and stereo
    depth.

    Needs no data. Capture 0 of a person is near-frontal and neutral, the others vary; the same (seed, person, capture)
    and size give the same bytes, whatever else is rendered. Landmarks are exact.
    """

    name = "synthetic"
    version = 1  # raise with every change of the generator that moves a pixel: cached results hang on it
    outputs = ("color", "depth", "intrinsics", "landmarks")
    tag_names = ("expression", "yaw_deg", "pitch_deg", "roll_deg", "distance_mm")
    reasons: ClassVar[dict[str, str]] = {}

    people: int = Field(8, gt=0, exclude=True, description="number of people")
    captures: int = Field(4, gt=0, exclude=True, description="captures per person")
    first_person: int = Field(0, ge=0, exclude=True, description="number of the first person, for disjoint populations")
    seed: int = Field(0, ge=0, description="seed of the population; other seeds give other people")
    width: int = Field(640, ge=32, le=4096, description="image width in px; the field of view stays the same")
    height: int = Field(480, ge=24, le=4096, description="image height in px")

    def scan(self) -> Iterator[Source]:
        """Yield every capture, person by person; draws poses for the tags, renders nothing."""
        from face3d_data.synthetic.capture import capture_tags

        for person in range(self.first_person, self.first_person + self.people):
            for capture in range(self.captures):
                yield Source(
                    person=f"person_{person:03d}",
                    capture=f"capture_{capture:02d}",
                    record={"person": person, "capture": capture},
                    tags=capture_tags(self.seed, person, capture),
                    arrays=self.outputs,
                )

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; the capture is rendered once for all of its arrays."""
        record = source.record
        return _rendered(self.seed, record["person"], record["capture"], self.width, self.height)[name]


@lru_cache(maxsize=2)
def _rendered(seed: int, person: int, capture: int, width: int, height: int) -> dict[str, Any]:
    from face3d_data.synthetic.capture import render_capture

    made = render_capture(seed, person, capture, width=width, height=height)
    arrays = {name: value for name, value in made.items() if isinstance(value, np.ndarray)}
    for array in arrays.values():
        array.setflags(write=False)  # several readers of the memory: a stage that writes into it must copy
    return arrays
