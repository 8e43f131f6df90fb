"""Styles of face masks: their fields, and the table of the packaged styles.

Places are in mm along the skin of the mean head, from its nose tip: x to the right in the image, y up (`head_map`'s
plane with its zero moved to the nose tip). A user's style is a YAML file of the same fields.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from face3d_data.option_types import Range, ordered
from face3d_data.resources import Asset
from face3d_data.yaml_file import parse_yaml

MASK_STYLES_ASSET = Asset("geometry/mask_styles.yaml", "wear/mask_styles.yaml")
CLOTH_PATTERNS = ("plain", "stripes", "checks", "dots", "print")

Coordinate = Annotated[float, Field(ge=-140, le=140)]
SkinPoint = tuple[Coordinate, Coordinate]
ClothPattern = Literal["plain", "stripes", "checks", "dots", "print"]

OrderedRange = Annotated[Range, AfterValidator(ordered)]
StandoffMm = Annotated[float, Field(ge=0, le=30)]
Standoff = Annotated[tuple[StandoffMm, StandoffMm], AfterValidator(ordered)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Pleats(_Part):
    """Horizontal folds, each a step of cloth that opens downwards."""

    heights: tuple[Coordinate, ...] = Field(description="y of each fold, mm")
    depth_mm: float = Field(1.6, ge=0, le=6, description="height of a fold")
    drop_mm: float = Field(9.0, gt=0, description="height over which a fold fades out")


class Ridge(_Part):
    """A fold of stiff cloth that stands off like a tent's ridge, or a dome."""

    kind: Literal["vertical", "horizontal", "dome"] = Field(description="direction of the fold")
    height_mm: float = Field(ge=0, le=45, description="its height above the taut cloth")
    at: Coordinate = Field(0.0, description="x of a vertical, y of a horizontal ridge, mm")
    softness_mm: float = Field(2.0, ge=0.1, description="rounding of the fold")


class Valve(_Part):
    """A round exhalation valve."""

    at: SkinPoint = Field(description="its centre, mm")
    radius_mm: float = Field(16.0, gt=2, le=40)
    height_mm: float = Field(7.0, gt=0, le=25)
    color: Color = "#e8e8e4"


class Discs(_Part):
    """Two filter discs, one at each side."""

    at: SkinPoint = Field(description="centre of the right one, mm; the left one is its mirror image")
    radius_mm: float = Field(38.0, gt=5, le=60)
    thickness_mm: float = Field(20.0, gt=1, le=50)
    color: Color = "#c2557e"


class Seam(_Part):
    """A line of stitches or a weld."""

    kind: Literal["vertical", "horizontal"] = "vertical"
    at: Coordinate = 0.0
    depth_mm: float = Field(0.4, ge=0, le=3)


class PrintedLines(_Part):
    """What is printed on the cloth: lines of small letters."""

    at: SkinPoint = Field(description="its middle, mm")
    width_mm: float = Field(24.0, gt=1, le=80)
    letter_mm: float = Field(4.5, gt=0.5, le=20, description="height of a letter; line spacing is 1.5 times this")
    lines: int = Field(2, ge=1, le=6)
    color: Color | None = Field(None, description="default: dark grey on light cloth, light grey on dark")


class MaskStyle(_Part):
    """A style of mask."""

    outline: tuple[SkinPoint, ...] = Field(
        description="right half of the outline, from the top of the middle to its bottom, mm"
    )
    standoff_mm: Standoff = Field((1.2, 2.2), description="distance of the cloth from the skin it touches")
    taut: float = Field(
        1.0, ge=0, le=1, description="1: taut over all hollows of the face; 0: follows all but narrow ones"
    )
    edge_mm: float = Field(14.0, gt=1, description="width of the rim in which the cloth meets the skin")
    smooth_mm: float = Field(3.0, ge=0, le=20, description="stiffness: smaller details are rounded off")
    wrinkles_mm: float = Field(0.0, ge=0, le=3, description="irregular folds")
    hem_mm: float = Field(3.0, ge=0, le=12, description="width of the hem or weld along the outline")
    wire_mm: float = Field(0.0, ge=0, le=4, description="height of the nose wire under the cloth")
    pleats: Pleats | None = None
    ridge: Ridge | None = None
    valve: Valve | None = None
    discs: Discs | None = None
    seams: tuple[Seam, ...] = ()
    label: PrintedLines | None = None
    straps: Literal["ear_loops", "head_straps", "none"] = "ear_loops"
    strap_mm: float = Field(3.5, gt=0.5, le=20, description="width of a strap")
    strap_color: Color | None = Field(None, description="default: that of dark cloth, otherwise near white")
    colors: dict[str, Color] = Field(min_length=1, description="names of colours, one of which is drawn at random")
    inks: tuple[Color, ...] = Field(("#f4f4f0", "#20242c"), min_length=1, description="second colours of patterns")
    patterns: tuple[ClothPattern, ...] = Field(("plain",), min_length=1)
    weave: float = Field(0.04, ge=0, le=0.5, description="contrast of the cloth's weave")
    texture: str | None = Field(
        None, min_length=1, description="PNG next to the YAML file, stretched over the outline's bounding box"
    )

    @model_validator(mode="after")
    def _outline_is_star_shaped(self) -> MaskStyle:
        if len(self.outline) < 4:
            raise ValueError("outline needs four places or more, from the middle's top to its bottom")
        places = np.array(self.outline)
        if abs(places[0, 0]) > 1e-6 or abs(places[-1, 0]) > 1e-6 or (places[:, 0] < 0).any():
            raise ValueError("outline is its right half: x = 0 at the first and last place, none left of it")
        if places[0, 1] - places[-1, 1] < 20 or places[:, 0].max() < 10:
            raise ValueError("outline goes from the top down, at least 20 mm, and is 20 mm broad or more")
        angle = np.unwrap(np.arctan2(*(places - outline_centre(places)).T))
        if (np.diff(angle) <= 0).any():
            raise ValueError("outline folds back: every place of it must be seen from its middle, in order")
        return self


def outline_centre(places: np.ndarray) -> np.ndarray:
    """Return the middle of an outline's right half (N, 2): on the line of symmetry, half-way up; f8 (2,), mm."""
    return np.array([0.0, (places[0, 1] + places[-1, 1]) / 2])


@cache
def mask_styles() -> dict[str, MaskStyle]:
    """Return the styles that come with the package by name, in the table's order."""
    text = MASK_STYLES_ASSET.file.read_text("utf-8")
    return {name: MaskStyle(**fields) for name, fields in parse_yaml(text).items()}
