"""RGB-D pairs by stem: a colour PNG and a depth image in a `.npy` file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.image import read_color
from face3d_data.formats.image_header import check_same_size, read_image_header
from face3d_data.formats.intrinsics import Intrinsics, parse_intrinsics, read_intrinsics
from face3d_data.formats.npy import inspect_depth_npy, read_depth_npy
from face3d_data.reader import Source
from face3d_data.readers.folder import NAME_REASONS, FolderReader, Found
from face3d_data.registry import register


@register
class RgbdNpy(FolderReader):
    """Read colour PNG + depth NPY pairs: `<person>/<stem>.png` and `<person>/<stem>.npy`.

    NaN and negative depth are holes. Without `depth_unit_mm` no depth is given, without `intrinsics` no camera, and
    `to_cloud` needs both.
    """

    name = "rgbd_npy"
    version = 1
    outputs = ("color", "depth", "intrinsics")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_color": "the depth file has no colour image beside it",
        "no_depth": "the colour image has no depth file beside it",
        "size_mismatch": "colour, depth and the intrinsics file differ in width or height",
        "depth_8bit": "the depth file has 8 bits a value, which loses the depth",
    }

    intrinsics: tuple[float, float, float, float] | Path | None = Field(
        None, description="camera of all captures: fx,fy,cx,cy in px, or a JSON file with these keys"
    )
    depth_unit_mm: float | None = Field(
        None, gt=0, le=1000, description="millimetres per unit of the depth files: 1 for mm, 1000 for metres"
    )

    @field_validator("intrinsics", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        """Take the four numbers as a list or in one text, and leave everything else to be a file's path."""
        parts = [value] if isinstance(value, str | Path) else value
        if not isinstance(parts, list | tuple):
            return value
        if len(parts) == 1:
            # A path, unless its last part is numbers: relative ones have been put behind a folder by then.
            parts = Path(str(parts[0])).name.split(",")
            if len(parts) == 1:
                return Path(str(value if isinstance(value, str | Path) else value[0]))
        try:
            numbers = [float(number) for number in parts]
        except (TypeError, ValueError, OverflowError):
            raise ValueError("wanted four numbers fx,fy,cx,cy or a JSON file") from None
        if len(numbers) != 4:
            raise ValueError(f"wanted four numbers fx,fy,cx,cy or a JSON file, got {len(numbers)} numbers")
        parse_intrinsics(dict(zip(("fx", "fy", "cx", "cy"), numbers, strict=True)), need_scale=False)
        return tuple(numbers)

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of colour and depth files."""
        return {"color": (".png",), "depth": (".npy",)}

    def provides(self) -> tuple[str, ...]:
        """Return the arrays that the options allow: depth needs its unit, intrinsics the camera."""
        given = {"color": True, "depth": self.depth_unit_mm is not None, "intrinsics": self.intrinsics is not None}
        return tuple(name for name in self.outputs if given[name])

    @cached_property
    def _camera(self) -> Intrinsics | None:
        if self.intrinsics is None:
            return None
        if not isinstance(self.intrinsics, Path):
            return Intrinsics(*self.intrinsics)
        try:
            return read_intrinsics(self.intrinsics, need_scale=False)
        except ValueError as error:
            raise UserError(f"{self.name}: intrinsics: {error}") from None

    def begin(self) -> None:
        """Read the camera.

        Raises:
            UserError: its file is wrong.
        """
        self._camera  # noqa: B018

    def source(self, found: Found) -> Source:
        """Return the pair's source."""
        match = found.match
        for role, ending in (("color", ".png"), ("depth", ".npy")):
            if role not in found.files:
                there = next(iter(found.files.values()))
                problem = (f"no_{role}", f"{there.name} has no {ending} twin")
                return Source(match.person, match.capture, found.files, tags=match.tags, problem=problem)
        return Source(match.person, match.capture, found.files, tags=match.tags, arrays=self.provides())

    def inspect(self, source: Source) -> None:
        """Compare the headers of the two files with each other and with the camera's file."""
        color = read_image_header(source.files["color"])
        height, width = inspect_depth_npy(source.files["depth"])
        sizes = {"colour": (color.width, color.height), "depth": (width, height)}
        camera = self._camera
        if camera is not None and camera.width and camera.height:
            sizes["intrinsics"] = (camera.width, camera.height)
        check_same_size(sizes)

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        if name == "color":
            return read_color(source.files["color"])
        if name == "depth":
            return read_depth_npy(source.files["depth"]) * np.float32(self.depth_unit_mm)
        camera = self._camera
        if camera is None:
            raise Unreadable("unreadable", "no intrinsics are given")
        return np.array([camera.fx, camera.fy, camera.cx, camera.cy], np.float64)
