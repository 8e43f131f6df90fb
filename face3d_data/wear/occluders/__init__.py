"""The occluders of the face databases that are no masks: what is drawn, and the surface built from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from face3d_data.wear.occluder import Occluder
from face3d_data.wear.occluders.glasses import GlassesDraw, build_glasses, draw_glasses, draw_sunglasses
from face3d_data.wear.occluders.hair import HairDraw, build_hair, draw_hair
from face3d_data.wear.occluders.hand import HandDraw, build_hand, draw_hand_eye, draw_hand_mouth
from face3d_data.wear.occluders.own_color import hair_color, skin_color
from face3d_data.wear.occluders.scarf import ScarfDraw, build_scarf, draw_scarf
from face3d_data.wear.skin import Skin
from face3d_data.wear.wearing import Face


@dataclass(frozen=True)
class Kind:
    """One kind of occluder.

    Attributes:
        draws: the dataclass of its drawn values.
        draw: draws them.
        build: makes the surface on a person's skin, given the landmarks f4 (5, 3) in the face frame, mm.
        own_color: the person's own colour of it, `#rrggbb`, where a sample shows it.
    """

    draws: type
    draw: Callable[[np.random.Generator], Any]
    build: Callable[[Skin, np.ndarray, Any], Occluder]
    own_color: Callable[[Face], str | None] = lambda face: None

    def draw_for(self, face: Face, rng: np.random.Generator) -> Any:
        """Draw what this face is given, in its own colours where they can be told."""
        draw = self.draw(rng)
        color = self.own_color(face)
        return draw if color is None else replace(draw, color=color)


KINDS: dict[str, Kind] = {
    "hand_mouth": Kind(HandDraw, draw_hand_mouth, build_hand, skin_color),
    "hand_eye": Kind(HandDraw, draw_hand_eye, build_hand, skin_color),
    "glasses": Kind(GlassesDraw, draw_glasses, build_glasses),
    "sunglasses": Kind(GlassesDraw, draw_sunglasses, build_glasses),
    "hair": Kind(HairDraw, draw_hair, build_hair, hair_color),
    "scarf": Kind(ScarfDraw, draw_scarf, build_scarf),
}
