"""IIIT-D Kinect RGB-D face database: 106 people, cross-validation folds of one set of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from face3d_data.errors import Unreadable
from face3d_data.formats.image import read_color
from face3d_data.formats.image_header import check_same_size, read_image_header
from face3d_data.formats.intrinsics import parse_intrinsics
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import bad_name
from face3d_data.readers.shared.named_tree import Gathered, NamedTree, Paths
from face3d_data.registry import register
from face3d_data.sample import Tag

FOLDS: tuple[int, ...] = tuple(range(1, 10))
MOST_COLOR = 8
"""How far the channels of a grey JPEG may lie apart; a depth image in false colours differs by far more."""
_PATH = r"(?:.*/)?fold(?P<fold>\d+)/(?P<part>training|testing)/(?P<person>[^/]+)"


@register
class IiitdKinect(NamedTree):
    """Read IIIT-D Kinect RGB-D: `fold1/training/001/RGB/1.jpg` and `Depth/1.jpg`; a picture of several folds is one.

    The folds contain the same pictures repeatedly: files with the same person and name are one capture, whose tags
    `fold1`, `fold2`, … are `training` or `testing`. Files of different sizes are different pictures under the same
    name: they are listed as dirty, unless `pictures: per_fold` makes each file a separate capture.

    Depth is an 8-bit JPEG (tag `lossy_depth`), and the meaning of its values is unconfirmed: it is read only if
    `depth_range_mm` sets the depths of the values 0 and 255; 0 is then a hole. It is also unconfirmed that colour and
    depth are registered: `use` selects one of them, or both if you know that they are.
    """

    name = "iiitd_kinect"
    version = 1
    outputs = ("color", "depth", "intrinsics")
    tag_names = ("number", "sensor", "lossy_depth", *(f"fold{fold}" for fold in FOLDS))
    reasons: ClassVar[dict[str, str]] = {
        **NamedTree.reasons,
        "no_color": "the depth image has no colour image of the same number",
        "no_depth": "the colour image has no depth image of the same number",
        "copies_differ": "files with the same name in several folds are not copies of one picture",
        "in_both_parts": "one fold has the picture in both training and testing",
        "size_mismatch": "colour and depth differ in width or height",
        "depth_not_grey": "the depth image is coloured: it visualises depth and does not contain it",
    }
    paths: ClassVar[Paths] = {
        "color": rf"{_PATH}/RGB/(?P<number>\d+)\.jpe?g",
        "depth": rf"{_PATH}/Depth/(?P<number>\d+)\.jpe?g",
    }
    example: ClassVar[str] = "fold1/training/1/RGB/1.jpg"

    use: Literal["color", "depth", "both"] = Field(
        "color", exclude=True, description="what to read; both only if they are registered, which is unconfirmed"
    )
    depth_range_mm: tuple[float, float] | None = Field(
        None, description="depth of the values 0 and 255 of a depth image, mm; required for depth"
    )
    intrinsics: tuple[float, float, float, float] | None = Field(
        None, description="camera of the depth images: fx,fy,cx,cy in px"
    )
    folds: frozenset[Annotated[int, Field(ge=1, le=FOLDS[-1])]] | None = Field(
        None, exclude=True, description="folds to read [all]"
    )
    pictures: Literal["per_person", "per_fold"] = Field(
        "per_person", exclude=True, description="whether files with the same name in several folds are the same picture"
    )

    @field_validator("intrinsics")
    @classmethod
    def _usable(cls, value: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if value is not None:
            parse_intrinsics(dict(zip(("fx", "fy", "cx", "cy"), value, strict=True)), need_scale=False)
        return value

    @field_validator("depth_range_mm")
    @classmethod
    def _is_range(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and (min(value) < 0 or value[0] == value[1]):
            raise ValueError("expected two different depths of 0 mm or more, of the values 0 and 255")
        return value

    @model_validator(mode="after")
    def _has_range(self) -> IiitdKinect:
        if self.use != "color" and self.depth_range_mm is None:
            raise ValueError(f"use: {self.use} needs depth_range_mm: the depth of the values 0 and 255 is unconfirmed")
        return self

    def provides(self) -> tuple[str, ...]:
        """Return the arrays that the options allow."""
        wanted = {"color": self.use != "depth", "depth": self.use != "color"}
        wanted["intrinsics"] = wanted["depth"] and self.intrinsics is not None
        return tuple(name for name in self.outputs if wanted[name])

    def name_of(self, role: str, groups: Mapping[str, str]) -> tuple[str, str] | str:
        """Return (person, number), with fold and part in it where each file is a capture of its own."""
        if int(groups["fold"][:9]) not in FOLDS:
            return f"fold{groups['fold']} is none of fold{FOLDS[0]} to fold{FOLDS[-1]}"
        wrong = bad_name(groups["person"], "person")
        if wrong:
            return wrong
        number = groups["number"]
        if self.pictures == "per_fold":
            number = f"fold{int(groups['fold'])}_{groups['part'].lower()}_{number}"
        return groups["person"], number

    def is_wanted(self, groups: Mapping[str, str]) -> bool:
        """Return whether the filter takes a file."""
        return self.folds is None or int(groups["fold"]) in self.folds

    def source(self, found: Gathered) -> Source:
        """Return the picture's source: its files in the first fold, and every fold as a tag."""
        roles = tuple(role for role in ("color", "depth") if self.use in (role, "both"))
        files = found.first(*roles)
        tags: dict[str, Tag] = {"sensor": "Kinect v1", "number": int(found.groups()["number"][:9])}
        if "depth" in roles:
            tags["lossy_depth"] = True
        problem = self._tag_folds(found, tags) or _missing(found, roles) or _differing(found, roles)
        arrays = () if problem else self.provides()
        return Source(found.person, found.capture, files, None, 0, tags, arrays, problem)

    def _tag_folds(self, found: Gathered, tags: dict[str, Tag]) -> tuple[str, str] | None:
        """Add the folds to the tags; return a problem where one fold has the picture in both parts."""
        for path, groups in (item for files in found.files.values() for item in files):
            fold, part = f"fold{int(groups['fold'])}", groups["part"].lower()
            if tags.setdefault(fold, part) != part:
                return "in_both_parts", f"{fold}: {path.name} of {found.person} is in training and in testing"
        return None

    def inspect(self, source: Source) -> None:
        """Check the headers of the images, and that colour and depth have one size."""
        headers = {role: read_image_header(path) for role, path in source.files.items()}
        check_same_size({role: (header.width, header.height) for role, header in headers.items()})

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm, as the range says."""
        if name == "intrinsics":
            return np.array(self.intrinsics, np.float64)
        if name == "color":
            return read_color(source.files["color"])
        path = source.files["depth"]
        pixels = read_color(path)
        if int(np.ptp(pixels, axis=2).max()) > MOST_COLOR:
            raise Unreadable("depth_not_grey", f"{path.name}: its channels differ")
        low, high = self.depth_range_mm or (0.0, 255.0)
        grey = pixels[..., 1].astype(np.float32)
        return np.where(grey > 0, np.float32(low) + grey * np.float32((high - low) / 255), np.float32(0))


def _missing(found: Gathered, roles: tuple[str, ...]) -> tuple[str, str] | None:
    role = next((role for role in roles if role not in found.files), None)
    if role is None:
        return None
    there = next(iter(found.files.values()))[0][0]
    return f"no_{role}", f"{there.name} of {found.person} has no {role} image"


def _differing(found: Gathered, roles: tuple[str, ...]) -> tuple[str, str] | None:
    """Return a problem where files of one name cannot be copies: their sizes in bytes differ."""
    for role in roles:
        paths = [path for path, _ in found.files[role]]
        first = paths[0].stat().st_size
        other = next((path for path in paths[1:] if path.stat().st_size != first), None)
        if other is not None:
            said = f"{other} and {paths[0]} differ in size: no copies of one picture: set pictures: per_fold"
            return "copies_differ", said
    return None
