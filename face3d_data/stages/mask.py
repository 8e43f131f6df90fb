"""Stage `mask`: put a face mask on the face, consistently in colour, depth and points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field, field_validator, model_validator

from face3d_data.errors import Reject, UserError, did_you_mean
from face3d_data.option_types import Weight, equal_weights, ordered
from face3d_data.registry import register
from face3d_data.resources import Asset
from face3d_data.sample import Sample
from face3d_data.stage import Names
from face3d_data.stages.covering import Covering
from face3d_data.wear.mask_draw import WORN, MaskRanges, WearStyle, draw_mask
from face3d_data.wear.mask_style import (
    CLOTH_PATTERNS,
    MASK_STYLES_ASSET,
    ClothPattern,
    MaskStyle,
    Standoff,
    mask_styles,
)
from face3d_data.wear.mask_style_file import read_mask_style
from face3d_data.wear.mask_surface import build_mask
from face3d_data.wear.wearing import Face

TiltDeg = Annotated[float, Field(ge=-45, le=45)]
Tilt = Annotated[tuple[TiltDeg, TiltDeg], AfterValidator(ordered)]
Share = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0.5, le=1.5)]
SizeRange = Annotated[tuple[Factor, Factor], AfterValidator(ordered)]
TautRange = Annotated[tuple[Share, Share], AfterValidator(ordered)]
BARE = ("none", "")
"""Values of the tag `mask` of a face that wears none."""
FILE_STEM = re.compile(r"[\w.-]+")


@register
class Mask(Covering):
    """Put a face mask of a random style on the face, consistently in points, depth and colour, with labels."""

    name: ClassVar[str] = "mask"
    version: ClassVar[int] = 4
    tag_names: ClassVar[Names] = (
        "mask", "mask_worn", "mask_color", "mask_pattern", "mask_standoff_mm", "mask_tilt_deg", "mask_size",
        "mask_side", "mask_seed", "mask_taut", "visible_ratio",
    )  # fmt: skip
    assets: ClassVar[tuple[Asset, ...]] = (*Covering.assets, MASK_STYLES_ASSET)
    reasons: ClassVar[dict[str, str]] = {**Covering.reasons, "already_masked": "the face already wears a mask"}

    styles: dict[str, Weight] = Field(
        dict.fromkeys(mask_styles(), 1.0), description="styles to draw from: a list, or style: weight"
    )
    worn: dict[WearStyle, Weight] = Field(
        {"proper": 1.0}, description=f"how masks are worn, in the same form: {', '.join(WORN)}"
    )
    style_files: tuple[Path, ...] = Field((), description="YAML files of your own styles, named after their files")
    standoff_mm: Standoff | None = Field(None, description="range of the stand-off, mm [each style's own]")
    tilt_deg: Tilt = Field((-3.0, 3.0), description="range of the rotation about the viewing axis")
    size: SizeRange = Field((0.96, 1.05), description="range of the factor on the style's outline")
    taut: TautRange | None = Field(
        None,
        description="range of how taut the cloth is: 1 spans nose and chin, 0 follows nose and lips [each style's own]",
    )
    colors: tuple[str, ...] = Field((), description="draw only these of a style's colours, if it has any of them")
    patterns: tuple[ClothPattern, ...] = Field(
        (), description=f"draw only these of its patterns, if it has any of them: {', '.join(CLOTH_PATTERNS)}"
    )

    already_masked: Literal["reject", "keep", "cover"] = Field(
        "reject",
        description="faces that already wear a mask (tag mask): leave them out, keep them unchanged, or cover them too",
    )

    @field_validator("styles", "worn", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        """Take a list, or `a,b` on the command line, as equal weights."""
        return equal_weights(value)

    @field_validator("style_files")
    @classmethod
    def _files_can_be_named(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        names = [path.stem for path in value]
        for path, name in zip(value, names, strict=True):
            if not FILE_STEM.fullmatch(name):
                raise ValueError(f"{path}: a style is named by its file: rename it to letters, digits, '.', '_', '-'")
            if name in mask_styles() or names.count(name) > 1:
                other = "of the package" if name in mask_styles() else "of another file too"
                raise ValueError(f"{name!r} is a style {other}: rename the file")
        return value

    @model_validator(mode="after")
    def _styles_are_known(self) -> Mask:
        known = [*mask_styles(), *(path.stem for path in self.style_files)]
        if not self.styles or not self.worn:
            raise ValueError("styles and worn need at least one name")
        for name in self.styles:
            if name not in known:
                remedy = did_you_mean(name, known) or ": add its file to style_files"
                raise ValueError(f"styles: {name!r} is none of {', '.join(known)}{remedy}")
        for path in self.style_files:
            try:
                read_mask_style(path)
            except UserError as error:
                raise ValueError(f"style_files: {error}") from None
        return self

    @model_validator(mode="after")
    def _colors_are_known(self) -> Mask:
        known = sorted({color for name in self.styles for color in self._wardrobe[name][0].colors})
        for color in self.colors:
            if color not in known:
                raise ValueError(f"colors: none of the chosen styles has {color!r} (they have {', '.join(known)})")
        return self

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the textures of the user's own styles too."""
        yield from super().content_files()
        for i, path in enumerate(self.style_files):
            texture = read_mask_style(path).texture_path
            if texture is not None:
                yield f"style_files[{i}].texture", texture

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the variants of a bare face; one that wears a mask is left out, kept as it is, or covered too."""
        worn = sample.tags.get("mask", BARE[0])
        if worn in BARE or self.already_masked == "cover":
            yield from super().run(sample, rng)
        elif self.already_masked == "keep" or self.keep_original:
            yield sample
        else:
            raise Reject("already_masked", f"wears {worn}: already_masked: keep leaves it unchanged")

    def declared_tags(self) -> Names:
        """Return the tags of a mask: how taut it is only where that is drawn."""
        return tuple(name for name in self.tag_names if name != "mask_taut" or self.taut is not None)

    def variant(self, sample: Sample, face: Face, number: int, rng: np.random.Generator) -> Sample:
        """Return the sample with a mask of a drawn style."""
        chosen = {name: self._wardrobe[name] for name in self.styles}
        draw = draw_mask(
            {name: style for name, (style, _) in chosen.items()},
            self.styles,
            self.worn,
            rng,
            ranges=MaskRanges(self.standoff_mm, self.tilt_deg, self.size, self.taut),
            colors=self.colors,
            patterns=self.patterns,
        )
        style, texture = chosen[draw.style]
        masked = self.put_on(sample, face, build_mask(face.skin, style, draw, texture), rng)
        return masked.with_tags(**draw.tags()).as_variant(f"mask:{draw.style}.{number}")

    @cached_property
    def _wardrobe(self) -> Mapping[str, tuple[MaskStyle, np.ndarray | None]]:
        own = {path.stem: read_mask_style(path) for path in self.style_files}
        return {name: (style, None) for name, style in mask_styles().items()} | {
            name: (file.style, file.texture) for name, file in own.items()
        }
