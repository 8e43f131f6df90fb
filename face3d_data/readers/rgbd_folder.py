"""RGB-D capture folders: a colour PNG, a 16-bit depth PNG and a camera file."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.intrinsics import Intrinsics
from face3d_data.formats.json_file import finite_number
from face3d_data.formats.landmarks import landmark_points, read_landmarks
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.rgbd_camera import (
    CAMERA_ARRAYS,
    CAMERA_FILES,
    CAMERA_REASONS,
    DEPTH_SCALE_TEXT,
    DepthScale,
    camera_above,
    camera_array,
    camera_at,
    camera_in,
    camera_names,
    check_sizes,
    depth_mm,
    with_scale,
)
from face3d_data.registry import register
from face3d_data.sample import Tag

RECORDED_TAGS: tuple[str, ...] = ("expression", "yaw_deg", "pitch_deg", "roll_deg", "distance_mm")


@register
class RgbdFolder(FolderReader):
    """Read folders of colour + depth PNG pairs with their camera: `<person>/<capture>_color.png`, `_depth.png`.

    The camera is the first found of `<capture>_intrinsics.json` next to the capture, then `intrinsics.json` in its
    folder, the folder above, and so on up to the root. Other camera files are supported: `camera_intrinsic.json`
    (Open3D, RealSense), `camera_info.yaml` (ROS), `camera.xml` (OpenCV). A camera file without a depth unit needs
    `depth_scale`; with one of two cameras (`color`, `depth`, `depth_to_color`) depth is registered to the colour
    camera. A `landmarks.json` in the capture's folder adds landmarks and tags (`masked: true` becomes `mask: worn`).
    """

    name = "rgbd_folder"
    version = 3
    outputs = ("color", "depth", *CAMERA_ARRAYS, "landmarks")
    tag_names = RECORDED_TAGS
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_color": "the depth image has no colour image next to it",
        "no_depth": "the colour image has no depth image next to it",
        "no_intrinsics": "no intrinsics.json (or other camera file) next to the capture or in a folder above it",
        "bad_intrinsics": "the camera file of the capture or its person cannot be used",
        "bad_landmarks": "the landmarks.json of the person, or this capture's entry in it, cannot be used",
        **CAMERA_REASONS,
        "depth_8bit": "the depth image has 8 bits per pixel, which is not enough for depth",
    }

    color_suffix: str = Field("_color.png", exclude=True, min_length=1, description="ending of colour files")
    depth_suffix: str = Field("_depth.png", exclude=True, min_length=1, description="ending of depth files")
    depth_scale: DepthScale | None = Field(
        None, exclude=True, description=f"{DEPTH_SCALE_TEXT}, if different from the camera file"
    )

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of colour and depth files."""
        return {"color": (self.color_suffix,), "depth": (self.depth_suffix,)}

    def _suffix(self, role: str) -> str:
        return self.color_suffix if role == "color" else self.depth_suffix

    def begin(self) -> None:
        """Clear what the last scan read, and check the camera of the whole collection.

        Raises:
            UserError: the root's camera file is wrong, or colour and depth files have the same ending.
        """
        if self.color_suffix.lower() == self.depth_suffix.lower():
            raise UserError(f"{self.name}: color_suffix and depth_suffix are both {self.color_suffix!r}")
        camera_in.cache_clear()
        _entries_in.cache_clear()
        camera = camera_in(self.root, self.depth_scale is None)
        if isinstance(camera, str):
            raise UserError(camera)

    def source(self, found: CaptureFiles) -> Source:
        """Return the capture's source: its two files, its camera and its entry of landmarks.json."""
        match = found.match
        try:
            record, tags, names = self._describe(found)
        except Unreadable as error:
            detail = error.detail.removeprefix(f"{self.root}{os.sep}")
            return Source(match.person, match.capture, found.files, tags=match.tags, problem=(error.reason, detail))
        return Source(match.person, match.capture, found.files, record, 0, tags, names)

    def _describe(self, found: CaptureFiles) -> tuple[Any, Mapping[str, Tag], tuple[str, ...]]:
        for role in ("color", "depth"):
            if role not in found.files:
                there = next(iter(found.files.values()))
                raise Unreadable(f"no_{role}", f"{there.name} has no {self._suffix(role)} twin")
        camera = self._camera(found)
        if camera is None:
            wanted = f"{CAMERA_FILES[0]} (or {', '.join(CAMERA_FILES[1:5])} ...)"
            raise Unreadable("no_intrinsics", f"no {wanted} beside {found.stem} or in a folder above it")
        if isinstance(camera, str):
            raise Unreadable("bad_intrinsics", camera)
        try:
            points, tags = _landmarks(found)
        except ValueError as error:
            raise Unreadable("bad_landmarks", str(error)) from None
        record = {"intrinsics": camera.record, "landmarks": points}
        names = ("color", "depth", *camera_names(camera), *(("landmarks",) if points else ()))
        return record, {**tags, **found.match.tags}, names

    def _camera(self, found: CaptureFiles) -> Intrinsics | str | None:
        own, folder, need_scale = f"{found.stem}_intrinsics.json", found.folder, self.depth_scale is None
        camera: Intrinsics | str | None
        if own in folder.files:
            camera = camera_at(folder.path / own, need_scale)
        else:
            camera = camera_above(folder.path, folder.name.count("/") + 1, self.root, need_scale)
        if self.depth_scale is None or not isinstance(camera, Intrinsics):
            return camera
        return with_scale(camera, self.depth_scale)

    def inspect(self, source: Source) -> None:
        """Compare the headers of the two images with each other and with the camera."""
        color = read_image_header(source.files["color"])
        depth = read_image_header(source.files["depth"])
        if depth.bits < 16:
            raise Unreadable("depth_8bit", f"{source.files['depth'].name} has {depth.bits} bits, expected 16")
        if depth.channels != 1:
            raise Unreadable("unreadable", f"{source.files['depth'].name} has {depth.channels} channels, expected 1")
        check_sizes((color.width, color.height), (depth.width, depth.height), source.record["intrinsics"])

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm, landmarks as landmarks.json has them."""
        if name == "color":
            return read_color(source.files["color"])
        if name == "landmarks":
            return np.array(source.record["landmarks"], np.float32)
        camera = source.record["intrinsics"]
        if name in CAMERA_ARRAYS:
            return camera_array(camera, name)
        path = source.files["depth"]
        return depth_mm(read_depth_png(path), camera, path.name)


@lru_cache(maxsize=64)
def _entries_in(folder: Path) -> dict[str, Any] | str:
    try:
        return read_landmarks(folder / "landmarks.json")
    except ValueError as error:
        return str(error)


def _landmarks(found: CaptureFiles) -> tuple[list[list[float]] | None, dict[str, Tag]]:
    """Return the five points and the tags of this capture's entry, nothing where it has none.

    Raises:
        ValueError: the file or the entry cannot be used.
    """
    if "landmarks.json" not in found.folder.files:
        return None, {}
    entries = _entries_in(found.folder.path)
    if isinstance(entries, str):
        raise ValueError(entries)
    entry = entries.get(found.stem)
    if entry is None:
        return None, {}
    if not isinstance(entry, Mapping):
        raise ValueError(f"landmarks.json: the entry of {found.stem} is not an object")
    tags = {name: _tag(name, entry[name]) for name in RECORDED_TAGS if entry.get(name) is not None}
    if entry.get("masked") is True:
        tags["mask"] = "worn"
    return landmark_points(entry), tags


def _tag(name: str, value: Any) -> Tag:
    """Return a value of `landmarks.json` as a tag: true, false, a finite number or a text.

    Raises:
        ValueError: it is anything else.
    """
    if isinstance(value, bool) or finite_number(value):
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} = {reprlib.repr(value)} is no UTF-8") from None
        return value
    raise ValueError(f"{name} = {reprlib.repr(value)} must be a text, a finite number, true or false")
