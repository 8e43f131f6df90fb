"""Recordings of RealSense cameras as Open3D's recorder and its bag reader write them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.formats.image_header import check_same_size, read_image_header
from face3d_data.formats.open3d_camera import Open3dCamera, check_units_per_metre, read_open3d_camera
from face3d_data.reader import Source
from face3d_data.readers.folder import NAME_REASONS
from face3d_data.readers.frames import FrameFolders, Recording, frame_name, missing_twin
from face3d_data.readers.pattern import Match
from face3d_data.readers.units import SURVEYED
from face3d_data.registry import register

CAMERA_FILES: tuple[str, ...] = ("intrinsic.json", "camera_intrinsic.json")
"""Of the bag reader and of the recorder; the first says more."""
USUAL_UNITS_PER_METRE = 1000.0
NEAREST_MM = (100.0, 1200.0)
"""A tenth of a face's depth image lies nearer than the far end; L500 cameras read as 1000 units a metre do not."""


@register
class RealSense(FrameFolders):
    """Read RealSense recordings of Open3D's tools: `<person>/[<recording>/]{color,depth}/000000.*`.

    A recording is a folder that holds `color/` and `depth/`, its depth aligned to its colour. The camera is the
    nearest `intrinsic.json` (bag reader) or `camera_intrinsic.json` (recorder), in the recording's folder or above.
    The recorder writes the camera's own units and leaves out what they are: 1000 units per metre are taken, which is
    what D400 cameras deliver unless told otherwise. L500 (4000) and SR300 (8000) need `depth_scale`. The tag
    `units_per_metre` says what was taken, and a collection in which nobody is near by that is refused.
    """

    name = "realsense"
    version = 1
    outputs = ("color", "depth", "intrinsics")
    tag_names = ("recording", "frame", "sensor", "units_per_metre")
    default_pattern = "{identity}[/{recording}]"
    frames_in = "wanted color/ and depth/"
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_color": "the depth image has no colour image of the same number",
        "no_depth": "the colour image has no depth image of the same number",
        "no_intrinsics": "no camera_intrinsic.json or intrinsic.json in the recording's folder or above it",
        "bad_intrinsics": "the camera file of the recording cannot be used",
        "size_mismatch": "colour, depth and the camera file differ in width or height",
        "depth_8bit": "the depth image has 8 bits a pixel, which loses the depth",
    }

    depth_scale: float | None = Field(
        None, description="depth units per metre (metres = pixel / depth_scale), if not as the camera file says"
    )

    @field_validator("depth_scale")
    @classmethod
    def _plausible(cls, value: float | None) -> float | None:
        if value is not None:
            check_units_per_metre(value)
        return value

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of colour and depth frames."""
        return {"color": (".jpg", ".jpeg", ".png"), "depth": (".png",)}

    def recording_of(self, folder: str) -> tuple[str, str] | None:
        """Return the folder that holds `color` or `depth`, and which of them it is."""
        parent, _, role = folder.rpartition("/")
        return (parent, role.lower()) if role.lower() in ("color", "depth") else None

    def begin(self) -> None:
        """Forget the cameras that the last scan read."""
        _camera_in.cache_clear()

    def frame_source(self, recording: Recording, match: Match, frame: int) -> Source:
        """Return one frame's source: its two files and its camera."""
        name, files = frame_name(recording, match, frame), recording.files(frame)
        tags = {**match.tags, "frame": frame}
        problem = missing_twin(files, ("color", "depth"))
        camera = self._camera(recording)
        if problem is None and camera is None:
            problem = ("no_intrinsics", f"no {' or '.join(CAMERA_FILES)} in {recording.name} or a folder above it")
        if problem is None and isinstance(camera, str):
            problem = ("bad_intrinsics", camera.removeprefix(f"{self.root}{os.sep}"))
        if problem or not isinstance(camera, Open3dCamera):
            return Source(match.person, name, files, tags=tags, problem=problem)
        record = asdict(camera) | {"unit_told": (self.depth_scale or camera.units_per_metre) is not None}
        record["units_per_metre"] = self.depth_scale or camera.units_per_metre or USUAL_UNITS_PER_METRE
        tags |= {"units_per_metre": record["units_per_metre"]} | ({"sensor": camera.device} if camera.device else {})
        return Source(match.person, name, files, record, 0, tags, self.outputs)

    def _camera(self, recording: Recording) -> Open3dCamera | str | None:
        """Return the camera nearest to a recording, what is wrong with it, or None."""
        folder, with_scale = self.root / recording.name, self.depth_scale is None
        for _ in range(recording.name.count("/") + 1 if recording.name else 0):
            camera = _camera_in(folder, with_scale)
            if camera is not None:
                return camera
            folder = folder.parent
        return _camera_in(self.root, with_scale)

    def inspect(self, source: Source) -> None:
        """Compare the headers of the two images with each other and with the camera."""
        color, depth = (read_image_header(source.files[role]) for role in ("color", "depth"))
        if depth.bits < 16:
            raise Unreadable("depth_8bit", f"{source.files['depth'].name} has {depth.bits} bits, wanted 16")
        if depth.channels != 1:
            raise Unreadable("unreadable", f"{source.files['depth'].name} has {depth.channels} channels, wanted 1")
        record = source.record
        sizes = {"colour": (color.width, color.height), "depth": (depth.width, depth.height)}
        check_same_size(sizes | {"camera file": (record["width"], record["height"])})

    def survey(self, sources: Sequence[Source]) -> None:
        """Refuse the collection where the depth's unit is not told and most of a few frames show nobody near.

        Raises:
            UserError: saying how far they are, and to set depth_scale.
        """
        told = []
        for source in sources[:SURVEYED]:
            if source.record["unit_told"]:
                continue
            try:
                depth = self.load(source, "depth")
            except (Unreadable, OSError):
                continue
            if (depth > 0).any():
                told.append(float(np.percentile(depth[depth > 0], 10)))
        strange = [mm for mm in told if not NEAREST_MM[0] <= mm <= NEAREST_MM[1]]
        if 2 * len(strange) > len(told):
            raise UserError(
                f"{self.name}: the camera files do not tell the depth's unit, and at 1000 units per metre what is "
                f"nearest lies {strange[0]:.0f} mm away: set depth_scale to the camera's units per metre "
                "(L500 4000, SR300 8000; 1000 if that is right)"
            )

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        record: Mapping[str, Any] = source.record
        if name == "color":
            return read_color(source.files["color"])
        if name == "intrinsics":
            return np.array([record[key] for key in ("fx", "fy", "cx", "cy")], np.float64)
        return read_depth_png(source.files["depth"]) * np.float32(1000.0 / record["units_per_metre"])


@lru_cache(maxsize=1024)
def _camera_in(folder: Path, with_scale: bool) -> Open3dCamera | str | None:
    """Return the camera that lies in a folder; two files that contradict each other are wrong."""
    try:
        found = [read_open3d_camera(folder / name, with_scale) for name in CAMERA_FILES if (folder / name).exists()]
    except ValueError as error:
        return str(error)
    if len({(one.fx, one.fy, one.cx, one.cy, one.width, one.height) for one in found}) > 1:
        return f"{folder / CAMERA_FILES[0]}: differs from {CAMERA_FILES[1]} beside it: take one away"
    return found[0] if found else None
