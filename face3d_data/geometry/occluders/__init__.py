"""The occluders of the face databases that are no masks: what is drawn, and the surface built from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from face3d_data.geometry.occluder import Occluder
from face3d_data.geometry.occluders.glasses import GlassesDraw, build_glasses, draw_glasses, draw_sunglasses
from face3d_data.geometry.occluders.hair import HairDraw, build_hair, draw_hair
from face3d_data.geometry.occluders.hand import HandDraw, build_hand, draw_hand_eye, draw_hand_mouth
from face3d_data.geometry.occluders.scarf import ScarfDraw, build_scarf, draw_scarf
from face3d_data.geometry.skin import Skin


@dataclass(frozen=True)
class Kind:
    """One kind of occluder.

    Attributes:
        draws: the dataclass of its drawn values.
        draw: draws them.
        build: makes the surface on a person's skin, given the landmarks f4 (5, 3) in the face frame, mm.
    """

    draws: type
    draw: Callable[[np.random.Generator], Any]
    build: Callable[[Skin, np.ndarray, Any], Occluder]


KINDS: dict[str, Kind] = {
    "hand_mouth": Kind(HandDraw, draw_hand_mouth, build_hand),
    "hand_eye": Kind(HandDraw, draw_hand_eye, build_hand),
    "glasses": Kind(GlassesDraw, draw_glasses, build_glasses),
    "sunglasses": Kind(GlassesDraw, draw_sunglasses, build_glasses),
    "hair": Kind(HairDraw, draw_hair, build_hair),
    "scarf": Kind(ScarfDraw, draw_scarf, build_scarf),
}
