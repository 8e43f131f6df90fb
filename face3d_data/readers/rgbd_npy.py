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
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.intrinsics import Intrinsics, parse_intrinsics, read_intrinsics
from face3d_data.formats.npy import inspect_depth_npy, read_depth_npy
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.rgbd_camera import (
    CAMERA_ARRAYS,
    CAMERA_REASONS,
    CAMERA_TEXT,
    DEPTH_SCALE_TEXT,
    DepthScale,
    camera_array,
    camera_names,
    check_sizes,
    depth_mm,
)
from face3d_data.registry import register

_JPEG_SUFFIXES = (".jpg", ".jpeg")


@register
class RgbdNpy(FolderReader):
    """Read colour PNG + depth NPY pairs: `<person>/<stem>.png` and `<person>/<stem>.npy`.

    Colour may be a JPEG (`.jpg`, `.jpeg`) if there is no PNG of that name. NaN and negative depth are holes. Without
    `depth_scale`, in the options or the camera file, there is no depth, and without `intrinsics` no camera; `to_cloud`
    needs both.
    """

    name = "rgbd_npy"
    last_suffixes = _JPEG_SUFFIXES
    version = 3
    outputs = ("color", "depth", *CAMERA_ARRAYS)
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_color": "the depth file has no colour image next to it",
        "no_depth": "the colour image has no depth file next to it",
        **CAMERA_REASONS,
        "depth_8bit": "the depth file has 8 bits per value, which is not enough for depth",
    }

    intrinsics: tuple[float, float, float, float] | Path | None = Field(
        None, description=f"camera of all captures: fx,fy,cx,cy in px, or a camera file. {CAMERA_TEXT}"
    )
    depth_scale: DepthScale | None = Field(None, description=f"{DEPTH_SCALE_TEXT}, if different from the camera file")

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
            raise ValueError("expected four numbers fx,fy,cx,cy or a JSON file") from None
        if len(numbers) != 4:
            raise ValueError(f"expected four numbers fx,fy,cx,cy or a JSON file, got {len(numbers)} numbers")
        parse_intrinsics(dict(zip(("fx", "fy", "cx", "cy"), numbers, strict=True)), need_scale=False)
        return tuple(numbers)

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of colour and depth files."""
        return {"color": (".png", *_JPEG_SUFFIXES), "depth": (".npy",)}

    def provides(self) -> tuple[str, ...]:
        """Return the arrays that the options allow: depth needs its unit, intrinsics the camera."""
        try:
            names, scale = camera_names(self._camera), self._scale
        except UserError:  # said in `begin`, when the file is read for its captures
            names, scale = (), self.depth_scale
        return ("color", *(("depth",) if scale is not None else ()), *names)

    @property
    def _scale(self) -> float | None:
        return self.depth_scale or (self._camera.depth_scale if self._camera else None)

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

    def source(self, found: CaptureFiles) -> Source:
        """Return the pair's source."""
        match = found.match
        for role, ending in (("color", ".png or .jpg"), ("depth", ".npy")):
            if role not in found.files:
                there = next(iter(found.files.values()))
                problem = (f"no_{role}", f"{there.name} has no {ending} twin")
                return Source(match.person, match.capture, found.files, tags=match.tags, problem=problem)
        return Source(match.person, match.capture, found.files, tags=match.tags, arrays=self.provides())

    def inspect(self, source: Source) -> None:
        """Compare the headers of the two files with each other and with the camera's file."""
        color = read_image_header(source.files["color"])
        height, width = inspect_depth_npy(source.files["depth"])
        check_sizes((color.width, color.height), (width, height), self._record)

    @property
    def _record(self) -> dict[str, Any]:
        return {} if self._camera is None else self._camera.record

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        if name == "color":
            return read_color(source.files["color"])
        if name == "depth":
            path = source.files["depth"]
            return depth_mm(read_depth_npy(path), {**self._record, "depth_scale": self._scale}, path.name)
        if self._camera is None:
            raise Unreadable("unreadable", "intrinsics are missing")
        return camera_array(self._record, name)
