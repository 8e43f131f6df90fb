"""Stage `mask`: put a face mask on the face, in colour, depth and points alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator, model_validator

from face3d_data.errors import UserError
from face3d_data.stages.mask_style_file import read_mask_style
from face3d_data.geometry.mask_draw import WORN, Worn, draw_mask
from face3d_data.geometry.mask_style import ASSET, PATTERNS, MaskStyle, OrderedRange, mask_styles
from face3d_data.geometry.mask_surface import build_mask
from face3d_data.geometry.wearing import Face
from face3d_data.registry import register
from face3d_data.sample import Sample
from face3d_data.stage import Names
from face3d_data.stages.covering import Covering, Weight, equal_weights


@register
class Mask(Covering):
    """Put a face mask of a drawn style on the face: points, depth and colour agree, and all is labelled."""

    name: ClassVar[str] = "mask"
    version: ClassVar[int] = 1
    tag_names: ClassVar[Names] = (
        "mask", "mask_worn", "mask_color", "mask_pattern", "mask_standoff_mm", "mask_tilt_deg", "mask_size",
        "mask_side", "mask_seed", "visible_ratio",
    )  # fmt: skip
    assets: ClassVar[tuple[str, ...]] = (*Covering.assets, ASSET)

    styles: dict[str, Weight] = Field(
        dict.fromkeys(mask_styles(), 1.0), description="styles to draw from: a list, or style: weight"
    )
    worn: dict[Worn, Weight] = Field({"proper": 1.0}, description=f"how masks are worn, likewise: {', '.join(WORN)}")
    style_files: tuple[Path, ...] = Field((), description="YAML files of styles of your own, named by their file names")
    standoff_mm: OrderedRange | None = Field(
        None, description="range of the stand-off, mm; each style's own if not given"
    )
    tilt_deg: OrderedRange = Field((-3.0, 3.0), description="range of the turn about the viewing axis")
    size: OrderedRange = Field((0.96, 1.05), description="range of the factor on the style's outline")
    colors: tuple[str, ...] = Field((), description="draw only these of a style's colours, where it has any of them")
    patterns: tuple[str, ...] = Field((), description=f"likewise of its patterns: {', '.join(PATTERNS)}")

    @field_validator("styles", "worn", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        """Take a list, or `a,b` on the command line, as equal weights."""
        return equal_weights(value)

    @model_validator(mode="after")
    def _styles_are_known(self) -> Mask:
        known = [*mask_styles(), *(path.stem for path in self.style_files)]
        if not self.styles or not self.worn:
            raise ValueError("styles and worn need one name or more")
        for name in self.styles:
            if name not in known:
                raise ValueError(f"styles: {name!r} is none of {', '.join(known)}: add its file to style_files")
        twice = {path.stem for path in self.style_files} & mask_styles().keys()
        if twice:
            raise ValueError(f"style_files: {sorted(twice)[0]!r} is a style of the package: rename the file")
        for path in self.style_files:
            try:
                read_mask_style(path)
            except UserError as error:
                raise ValueError(f"style_files: {error}") from None
        return self

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the textures of the user's own styles too."""
        yield from super().content_files()
        for i, path in enumerate(self.style_files):
            texture = read_mask_style(path).texture_path
            if texture is not None:
                yield f"style_files[{i}].texture", texture

    def variant(self, sample: Sample, face: Face, number: int, rng: np.random.Generator) -> Sample:
        """Return the sample with a mask of a drawn style."""
        chosen = {name: self._wardrobe[name] for name in self.styles}
        draw = draw_mask(
            {name: style for name, (style, _) in chosen.items()},
            self.styles,
            self.worn,
            rng,
            standoff_mm=self.standoff_mm,
            tilt_deg=self.tilt_deg,
            size=self.size,
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
