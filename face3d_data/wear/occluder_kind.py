"""Kinds of occluder: the random draw of one, and the surface that is built from it on a person's skin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from face3d_data.wear.occluder import Occluder
from face3d_data.wear.skin import Skin
from face3d_data.wear.wearing import Face


class OccluderKind(BaseModel):
    """One kind of occluder that is no mask: `draw` chooses every value that decides it, `build` makes the surface.

    Attributes:
        name: what `kinds:` of stage `occlude` calls it.
        version: raised with every change of what is drawn or built: cached results rest on it.
        draws: the frozen dataclass of its drawn values; they become the tags `occlusion_<field>`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str] = "occluder"
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    draws: ClassVar[type[Any]]

    def draw(self, rng: np.random.Generator) -> Any:
        """Return the drawn values, a `draws`, rounded as they are stored."""
        raise TypeError(f"{type(self).__name__} defines no draw()")

    def build(self, skin: Skin, landmarks: np.ndarray, draw: Any) -> Occluder:
        """Return the surface on a person.

        Args:
            skin: the person's skin, unrolled: `skin.radius` over the plane of the head.
            landmarks: f4 (5, 3), face frame, mm.
            draw: what `draw` returned.
        """
        raise TypeError(f"{type(self).__name__} defines no build()")

    def own_color(self, face: Face) -> str | None:
        """Return the person's own colour of it as `#rrggbb`, where a sample shows it; None by default."""
        return None

    def draw_for(self, face: Face, rng: np.random.Generator) -> Any:
        """Draw what this face is given, in its own colours where they are known."""
        draw, color = self.draw(rng), self.own_color(face)
        return draw if color is None else replace(draw, color=color)
