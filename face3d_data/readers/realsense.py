"""Recordings of RealSense cameras as Open3D's recorder and its bag reader write them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.intrinsics import Intrinsics
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS
from face3d_data.readers.shared.frames import FrameFolders, Recording, frame_name, missing_twin
from face3d_data.readers.shared.pattern import Match
from face3d_data.readers.shared.rgbd_camera import (
    CAMERA_ARRAYS,
    CAMERA_FILES,
    CAMERA_REASONS,
    DEPTH_SCALE_TEXT,
    DepthScale,
    camera_above,
    camera_array,
    camera_in,
    camera_names,
    check_sizes,
    depth_mm,
    with_scale,
)
from face3d_data.readers.shared.units import SURVEYED_CAPTURES, try_load
from face3d_data.registry import register

USUAL_SCALE = 0.001
OTHER_UNITS_PER_METRE = (100, 4000, 8000, 10_000)
NEAREST_MM = (100.0, 1200.0)
"""A tenth of a face's depth image is nearer than the far end; L500 cameras read as 1000 units a metre do not."""


@register
class RealSense(FrameFolders):
    """Read RealSense recordings of Open3D's tools: `<person>/[<recording>/]{color,depth}/000000.*`.

    A recording is a folder that contains `color/` and `depth/`, with depth aligned to colour, or with a camera file of
    both cameras and `depth_to_color`. The camera is the nearest `intrinsic.json` (bag reader), `camera_intrinsic.json`
    (recorder) or other camera file, in the recording's folder or above. The recorder writes the camera's own units
    without naming them: millimetres are assumed, the default of D400 cameras. L500 (0.00025) and SR300 (0.000125) need
    `depth_scale`. The tag `units_per_metre` records the unit used, and a collection in which no face is near by that
    unit is refused.
    """

    name = "realsense"
    version = 3
    outputs = ("color", "depth", *CAMERA_ARRAYS)
    tag_names = ("recording", "frame", "sensor", "units_per_metre")
    default_pattern = "{identity}[/{recording}]"
    frames_in = "expected color/ and depth/"
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_color": "the depth image has no colour image of the same number",
        "no_depth": "the colour image has no depth image of the same number",
        "no_intrinsics": "no camera_intrinsic.json or intrinsic.json in the recording's folder or above it",
        "bad_intrinsics": "the camera file of the recording cannot be used",
        **CAMERA_REASONS,
        "depth_8bit": "the depth image has 8 bits per pixel, which is not enough for depth",
    }

    depth_scale: DepthScale | None = Field(None, description=f"{DEPTH_SCALE_TEXT}, if different from the camera file")

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of colour and depth frames."""
        return {"color": (".jpg", ".jpeg", ".png"), "depth": (".png",)}

    def recording_of(self, folder: str) -> tuple[str, str] | None:
        """Return the folder that holds `color` or `depth`, and which of them it is."""
        parent, _, role = folder.rpartition("/")
        return (parent, role.lower()) if role.lower() in ("color", "depth") else None

    def begin(self) -> None:
        """Clear the cameras that the last scan read."""
        camera_in.cache_clear()

    def frame_source(self, recording: Recording, match: Match, frame: int) -> Source:
        """Return one frame's source: its two files and its camera."""
        name, files = frame_name(recording, match, frame), recording.files(frame)
        tags = {**match.tags, "frame": frame}
        problem = missing_twin(files, ("color", "depth"))
        camera = self._camera(recording)
        if problem is None and camera is None:
            wanted = f"{' or '.join(CAMERA_FILES[1:3])}"
            problem = ("no_intrinsics", f"no {wanted} in {recording.name} or a folder above it")
        if problem is None and isinstance(camera, str):
            problem = ("bad_intrinsics", camera.removeprefix(f"{self.root}{os.sep}"))
        if problem or not isinstance(camera, Intrinsics):
            return Source(match.person, name, files, tags=tags, problem=problem)
        told = self.depth_scale or camera.depth_scale
        camera = with_scale(camera, told or USUAL_SCALE)
        record = {**camera.record, "unit_told": told is not None}
        tags |= {"units_per_metre": 1 / (told or USUAL_SCALE)} | ({"sensor": camera.device} if camera.device else {})
        return Source(match.person, name, files, record, 0, tags, ("color", "depth", *camera_names(camera)))

    def _camera(self, recording: Recording) -> Intrinsics | str | None:
        """Return the camera nearest to a recording, what is wrong with it, or None."""
        depth = recording.name.count("/") + 1 if recording.name else 0
        return camera_above(self.root / recording.name, depth, self.root, need_scale=False)

    def inspect(self, source: Source) -> None:
        """Compare the headers of the two images with each other and with the camera."""
        color, depth = (read_image_header(source.files[role]) for role in ("color", "depth"))
        if depth.bits < 16:
            raise Unreadable("depth_8bit", f"{source.files['depth'].name} has {depth.bits} bits, expected 16")
        if depth.channels != 1:
            raise Unreadable("unreadable", f"{source.files['depth'].name} has {depth.channels} channels, expected 1")
        check_sizes((color.width, color.height), (depth.width, depth.height), source.record)

    def survey(self, sources: Sequence[Source]) -> None:
        """Refuse the collection if the depth unit is not given and most of a few frames show nobody near.

        Raises:
            UserError: with the distance found, and to set depth_scale.
        """
        told = []
        for source in sources[:SURVEYED_CAPTURES]:
            if source.record["unit_told"]:
                continue
            depth = try_load(self, source, "depth")
            if not isinstance(depth, Exception) and (depth > 0).any():
                told.append(float(np.percentile(depth[depth > 0], 10)))
        near = [mm for mm in told if NEAREST_MM[0] <= mm <= NEAREST_MM[1]]
        strange = [mm for mm in told if mm not in near and _near_in_another_unit(mm)]
        if len(strange) > len(near):
            raise UserError(
                f"{self.name}: the camera files do not give the depth unit, and if it is mm, the nearest reading is "
                f"{strange[0]:.0f} mm away: set depth_scale to the camera's metres per unit "
                "(L500 0.00025, SR300 0.000125; 0.001 if that is right)"
            )

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        if name == "color":
            return read_color(source.files["color"])
        if name in CAMERA_ARRAYS:
            return camera_array(source.record, name)
        return depth_mm(read_depth_png(source.files["depth"]), source.record, source.files["depth"].name)


def _near_in_another_unit(mm: float) -> bool:
    """Return whether what lies so far away, if values are mm, would be near by in the unit of another camera."""
    return any(NEAREST_MM[0] <= mm * 1000 / units <= NEAREST_MM[1] for units in OTHER_UNITS_PER_METRE)
