"""Synthetic people: the embedded source of parametric faces, rendered when their arrays are read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from face3d_data.errors import UserError
from face3d_data.formats.face_model import FaceModel, read_face_model
from face3d_data.reader import Reader, Source
from face3d_data.registry import register


@register
class Synthetic(Reader):
    """Render people who do not exist: faces with some 30 random shape parameters, expression, pose, colour and stereo
    depth.

    Needs no data. Capture 0 of a person is near-frontal and neutral, the others vary; the same (seed, person, capture)
    and size give the same bytes, whatever else is rendered. Landmarks are exact. With `model`, people are drawn from a
    statistical face model instead, in plain skin: one of `face3d model build`, or of the layouts of the stage register.
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
    model: Path | None = Field(
        None, description="file of a statistical face model to draw people from: .npz, FLAME .npz or .pkl, Basel .h5"
    )

    @field_validator("model")
    @classmethod
    def _model_can_be_read(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                read_face_model(value)
            except UserError as error:
                raise ValueError(str(error)) from None
        return value

    def parameters(self) -> dict[str, Any]:
        """Return the parameters; without a model as before there was one, so that no cache is lost."""
        values = super().parameters()
        return values if self.model is not None else {name: v for name, v in values.items() if name != "model"}

    def scan(self) -> Iterator[Source]:
        """Yield every capture, person by person; draws poses for the tags, renders nothing."""
        from face3d_data.synthetic.capture import capture_tags
        from face3d_data.synthetic.statistical import model_capture_tags

        tags = capture_tags if self.model is None else model_capture_tags
        for person in range(self.first_person, self.first_person + self.people):
            for capture in range(self.captures):
                yield Source(
                    person=f"person_{person:03d}",
                    capture=f"capture_{capture:02d}",
                    record={"person": person, "capture": capture},
                    tags=tags(self.seed, person, capture),
                    arrays=self.outputs,
                )

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; the capture is rendered once for all of its arrays."""
        record = source.record
        number = record["person"], record["capture"]
        return _rendered(self.model, self.seed, *number, self.width, self.height)[name]


@lru_cache(maxsize=2)
def _rendered(model: Path | None, seed: int, person: int, capture: int, width: int, height: int) -> dict[str, Any]:
    from face3d_data.synthetic.capture import render_capture
    from face3d_data.synthetic.statistical import render_model_capture

    if model is None:
        made = render_capture(seed, person, capture, width=width, height=height)
    else:
        face, landmarks = _face_of(model)
        made = render_model_capture(face, landmarks, seed, person, capture, width=width, height=height)
    arrays = {name: value for name, value in made.items() if isinstance(value, np.ndarray)}
    for array in arrays.values():
        array.setflags(write=False)  # several readers of the memory: a stage that writes into it must copy
    return arrays


@lru_cache(maxsize=1)
def _face_of(path: Path) -> tuple[FaceModel, np.ndarray]:
    """Return a model and the vertices of its 68 landmarks; those that a file does not name are found on its mean."""
    from face3d_data.registration.foreign import landmarks_of

    model = read_face_model(path)
    return model, landmarks_of(model) if model.landmarks is None else model.landmarks
