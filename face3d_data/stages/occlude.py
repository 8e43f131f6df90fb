"""Stage `occlude`: put a hand, glasses, hair or a scarf in front of the face, or remove its lower part."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from face3d_data.errors import did_you_mean
from face3d_data.option_types import Weight, equal_weights
from face3d_data.registry import components, find, register
from face3d_data.sample import Sample
from face3d_data.stage import Names
from face3d_data.stages.covering import Covering
from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders import KINDS
from face3d_data.wear.occluders.removal import CropDraw, draw_crop, remove_below
from face3d_data.wear.wearing import Face

CROP = "crop"
NAMES = (*KINDS, CROP)
_DRAWS: tuple[type[Any], ...] = (*(kind.draws for kind in KINDS.values()), CropDraw)


@register
class Occlude(Covering):
    """Cover the face with a hand, glasses, hair or a scarf, consistently in colour, depth and points; or crop it."""

    name: ClassVar[str] = "occlude"
    version: ClassVar[int] = 2
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
        others = components("occluder") if set(value) - set(NAMES) else {}
        known = (*NAMES, *(name for name in others if name not in NAMES))
        unknown = [name for name in value if name not in known]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(known)}{did_you_mean(unknown[0], known)}")
        if not value:
            raise ValueError("give at least one kind")
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
            kind = kind_of(name)
            draw = kind.draw_for(face, rng)
            covered = self.put_on(sample, face, kind.build(face.skin, face.landmarks, draw), rng)
        tags = {f"occlusion_{key}": value for key, value in asdict(draw).items()}
        return covered.with_tags(occlusion=name, **tags).as_variant(f"occlude:{name}.{number}")

    def parameters(self) -> dict[str, Any]:
        """Return the parameters, with the versions of other packages' kinds."""
        return super().parameters() | {f"version of {kind.name}": kind.version for kind in self._others}

    def declared_tags(self) -> Names:
        """Return the tags of every shipped kind, and of other packages' that are drawn from."""
        drawn = (f"occlusion_{field.name}" for kind in self._others for field in fields(kind.draws))
        return tuple(dict.fromkeys((*self.tag_names, *drawn)))

    @property
    def _others(self) -> list[OccluderKind]:
        return [kind_of(name) for name in sorted(self.kinds) if name not in NAMES]


def kind_of(name: str) -> OccluderKind:
    """Return a kind of occluder by name, shipped or of another package."""
    return KINDS[name] if name in KINDS else find("occluder", name)()
