"""Stage `occlude`: put a hand, glasses, hair or a scarf before the face, or remove its lower part."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from face3d_data.component import did_you_mean
from face3d_data.registry import register
from face3d_data.sample import Sample
from face3d_data.stage import Names
from face3d_data.stages.covering import Covering, Weight, equal_weights
from face3d_data.wear.occluders import KINDS
from face3d_data.wear.occluders.removal import CropDraw, draw_crop, remove_below
from face3d_data.wear.wearing import Face

CROP = "crop"
NAMES = (*KINDS, CROP)
_DRAWS = (*(kind.draws for kind in KINDS.values()), CropDraw)


@register
class Occlude(Covering):
    """Cover the face by a hand, glasses, hair or a scarf, in colour, depth and points alike; or crop it."""

    name: ClassVar[str] = "occlude"
    version: ClassVar[int] = 1
    tag_names: ClassVar[Names] = (
        "occlusion",
        *dict.fromkeys(f"occlusion_{field.name}" for draw in _DRAWS for field in fields(draw)),
        "visible_ratio",
    )

    kinds: dict[str, Weight] = Field(
        dict.fromkeys(NAMES, 1.0),
        description=f"what to draw from: a list, or kind: weight, of {', '.join(NAMES)} (the lower face removed)",
    )

    @field_validator("kinds", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        """Take a list, or `a,b` on the command line, as equal weights."""
        return equal_weights(value)

    @field_validator("kinds")
    @classmethod
    def _kinds_are_known(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = [name for name in value if name not in NAMES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(NAMES)}{did_you_mean(unknown[0], NAMES)}")
        if not value:
            raise ValueError("give one kind or more")
        return value

    def variant(self, sample: Sample, face: Face, number: int, rng: np.random.Generator) -> Sample:
        """Return the sample with a drawn kind of occluder."""
        names = sorted(self.kinds)  # in any order written, the fingerprint is the same
        weights = np.array([self.kinds[name] for name in names])
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        if name == CROP:
            draw: Any = draw_crop(rng)
            covered = self.with_covered(sample, *remove_below(face, draw))
        else:
            draw = KINDS[name].draw_for(face, rng)
            covered = self.put_on(sample, face, KINDS[name].build(face.skin, face.landmarks, draw), rng)
        tags = {f"occlusion_{key}": value for key, value in asdict(draw).items()}
        return covered.with_tags(occlusion=name, **tags).as_variant(f"occlude:{name}.{number}")
