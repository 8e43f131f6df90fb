"""Occluders other than masks, as in face databases, one per file: the random draw, and the surface built from it."""

from face3d_data.wear.occluder_kind import OccluderKind
from face3d_data.wear.occluders.glasses import Glasses, Sunglasses
from face3d_data.wear.occluders.hair import Hair
from face3d_data.wear.occluders.hand import HandOverEye, HandOverMouth
from face3d_data.wear.occluders.scarf import Scarf

KINDS: dict[str, OccluderKind] = {
    kind.name: kind for kind in (HandOverMouth(), HandOverEye(), Glasses(), Sunglasses(), Hair(), Scarf())
}
"""Those that come with the program."""
