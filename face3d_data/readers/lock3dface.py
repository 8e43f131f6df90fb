"""Lock3DFace: videos of 509 people recorded with a Kinect v2, in folders of frames."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from face3d_data.errors import Unreadable
from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.formats.image_header import check_same_size, read_image_header
from face3d_data.formats.infrared import read_infrared
from face3d_data.formats.landmark_lines import read_landmark_lines
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS
from face3d_data.readers.shared.frames import FrameFolders, Recording, frame_name, missing_twin
from face3d_data.readers.shared.pattern import Match
from face3d_data.readers.shared.strays import Folder, unmatched
from face3d_data.registry import register
from face3d_data.sample import Tag

CATEGORIES: dict[str, dict[str, Tag]] = {
    "NU": {"expression": "neutral", "pose": "frontal", "occlusion": "none", "session": 1},
    "FE": {"pose": "frontal", "occlusion": "none", "session": 1},
    "PS": {"occlusion": "none", "session": 1},
    "OC": {"session": 1},
    "TM": {"session": 2},
}
"""Tags that all frames of a group of videos have: neutral, facial expression, pose, occlusion, time lapse. No name says
which expression or occlusion a frame shows."""
KINECT_V2 = (365.456, 365.456, 254.878, 205.395)
SIZE = (512, 424)
Lock3dfaceCategory = Literal["NU", "FE", "PS", "OC", "TM"]
_FOLDER = re.compile(r"(.+?)(COLOR|DEPTH|INFRARED)", re.DOTALL)
_VIDEO = re.compile(r"[0-9]+_Kinect_(?:NU|FE|PS|OC|TM)_[0-9]{1,6}")
_RAW = re.compile(rf"{_VIDEO.pattern}(?:COLOR|DEPTH|INFRARED)\.raw", re.IGNORECASE)
_LANDMARKS = re.compile(r"(.+?)INFRARED\.(?i:txt)", re.DOTALL)


@register
class Lock3DFace(FrameFolders):
    """Read Lock3DFace: `001_Kinect_NU_1DEPTH/01.png`, with `INFRARED` and `COLOR`.

    The folders may be anywhere below the root. Depth (16 bits, mm) and infrared are images of the same camera, so
    `image: infrared` returns the infrared frame as `color`, together with depth; 16 bits are scaled to 8 between the
    1st and the 99th percentile. The colour camera is a different one and not registered: `image: color` returns its
    frame only.

    Landmarks are those of the infrared image, and so of depth: one file per video, `<video>INFRARED.txt`, used with the
    video's first frame in the public code of the database's authors (Led3D). The first frame of a video has them, or
    with `landmarks_of: all` every frame (if the head keeps still); a frame with points that were not found (0) has
    none. Eyes and mouth corners are ordered by x.

    The camera is not part of the database: it is a Kinect v2's as the firmware of one device reports it (printed by
    libfreenect2 and used in many programs); other devices differ by a few px in the centre.
    """

    name = "lock3dface"
    version = 1
    outputs = ("color", "depth", "intrinsics", "landmarks")
    tag_names = ("category", "code", "number", "expression", "pose", "occlusion", "session", "frame", "sensor")
    default_pattern = "{identity}_Kinect_{category}_{number:int}"
    frames_in = "expected 001_Kinect_NU_1DEPTH and so on"
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_depth": "the frame has no depth image",
        "no_infrared": "the frame has no infrared image",
        "no_color": "the frame has no colour image",
        "bad_landmarks": "the video's landmark file cannot be used",
        "size_mismatch": "depth, infrared and the camera differ in width or height",
        "depth_8bit": "the depth image has 8 bits per pixel, which is not enough for depth",
    }

    image: Literal["infrared", "color", "none"] = Field(
        "infrared",
        description="infrared: depth and the infrared image as color; color: only the colour frame; none: only depth",
    )
    intrinsics: tuple[float, float, float, float] = Field(
        KINECT_V2, description="depth camera fx, fy, cx, cy in px of 512x424"
    )
    landmarks_of: Literal["first", "all"] = Field(
        "first", exclude=True, description="frames that get the landmarks of their video: the first, or all"
    )
    categories: tuple[Lock3dfaceCategory, ...] = Field(
        (), exclude=True, description="use only these: NU, FE, PS, OC, TM"
    )
    _landmark_files: dict[str, Path] = PrivateAttr(default_factory=dict)

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of frames."""
        images = (".png", ".jpg", ".jpeg", ".bmp")
        return {"color": images, "depth": (".png",), "infrared": images}

    def provides(self) -> tuple[str, ...]:
        """Return the arrays that `image` allows."""
        given = {"color": ("color",), "infrared": self.outputs, "none": self.outputs[1:]}
        return given[self.image]

    @property
    def _roles(self) -> tuple[str, ...]:
        return {"color": ("color",), "infrared": ("depth", "infrared"), "none": ("depth",)}[self.image]

    def begin(self) -> None:
        """Clear the landmark files that the last scan found."""
        self._landmark_files.clear()

    def recording_of(self, folder: str) -> tuple[str, str] | None:
        """Return the video and the role of a folder of frames, wherever it lies."""
        found = _FOLDER.fullmatch(folder.rpartition("/")[2])
        if found is None or (self.pattern is None and not _VIDEO.fullmatch(found[1])):
            return None
        return found[1], found[2].lower()

    def _sort_in(self, folder: Folder, recordings: dict[str, Recording]) -> Iterator[Source]:
        """Add a folder's frames to its recording; yield files that are not frames, including videos not unpacked."""
        yield from super()._sort_in(folder, recordings)
        for name in folder.files:
            if _RAW.fullmatch(name):
                said = "videos (.RAW) are not read: unpack them to folders of frames as 001_Kinect_NU_1DEPTH/01.png"
                yield unmatched(folder, name, "name_not_matched", said)

    def _strays(self, folder: Folder) -> Iterator[Source]:
        """Yield what is neither a frame nor a companion; videos have rows of their own."""
        files = tuple(name for name in folder.files if not _RAW.fullmatch(name))
        yield from super()._strays(replace(folder, files=files))

    def other_folder(self, folder: Folder) -> None:
        """Remember the landmark files that are in it."""
        for name in folder.files:
            found = _LANDMARKS.fullmatch(name)
            if found:
                self._landmark_files.setdefault(found[1], folder.path / name)

    def _sources_of(self, recording: Recording, seen: dict[tuple[str, str], str]) -> Iterator[Source]:
        match = self._compiled.match(recording.name)
        if self.categories and match is not None and match.tags.get("category") not in self.categories:
            return
        # The colour camera is another one: frames that it alone has are no frames of the others, nor the other way.
        wanted = {n: files for n, files in recording.frames.items() if files.keys() & set(self._roles)}
        recording.frames = wanted or recording.frames
        yield from super()._sources_of(recording, seen)

    def frame_source(self, recording: Recording, match: Match, frame: int) -> Source:
        """Return one frame's source: the files that `image` needs, and its video's landmarks."""
        every = recording.files(frame)
        files = {role: path for role, path in every.items() if role in self._roles}
        name, tags = frame_name(recording, match, frame), self._tags(match, frame)
        problem = missing_twin(every, self._roles)
        if problem is not None:
            remedy = "none" if "depth" in every else "color" if "color" in every else ""
            there = f": set image: {remedy} to do without" if remedy and remedy != self.image else ""
            problem = (problem[0], problem[1] + there)
        record: dict[str, Any] = {}
        if problem is None and self.image != "color":
            try:
                record = self._landmarks(recording, frame)
            except ValueError as error:
                problem = ("bad_landmarks", str(error))
        if problem:
            return Source(match.person, name, files, tags=tags, problem=problem)
        arrays = tuple(one for one in self.provides() if one != "landmarks" or record)
        return Source(match.person, name, files, record or None, 0, tags, arrays)

    def _tags(self, match: Match, frame: int) -> dict[str, Tag]:
        category, number = match.tags.get("category"), match.tags.get("number")
        tags: dict[str, Tag] = {"frame": frame, "sensor": "Kinect v2", **CATEGORIES.get(str(category), {})}
        if category is not None and number is not None:
            tags["code"] = f"{category}_{number}"
        return tags | match.tags

    def _landmarks(self, recording: Recording, frame: int) -> dict[str, Any]:
        """Return the record of a frame's landmarks, empty where it has none.

        Raises:
            ValueError: the video's file cannot be used.
        """
        path = self._landmark_files.get(recording.name)
        if path is None or (self.landmarks_of == "first" and frame != min(recording.frames)):
            return {}
        points = read_landmark_lines(path)
        if not np.isfinite(points).all():
            return {}
        if (points >= SIZE).any():
            raise ValueError(f"{path.name}: a point is outside the image of {SIZE[0]}x{SIZE[1]}")
        for left, right in ((0, 1), (3, 4)):
            if points[left, 0] > points[right, 0]:
                points[[left, right]] = points[[right, left]]
        return {"landmarks": points.tolist()}

    def inspect(self, source: Source) -> None:
        """Compare the headers of depth and infrared with each other and with the camera's size."""
        headers = {role: read_image_header(path) for role, path in source.files.items()}
        if "depth" not in headers:
            return
        name, depth = source.files["depth"].name, headers["depth"]
        if depth.bits < 16:
            raise Unreadable("depth_8bit", f"{name} has {depth.bits} bits, expected 16")
        if depth.channels != 1:
            raise Unreadable("unreadable", f"{name} has {depth.channels} channels, expected 1")
        sizes = {role: (header.width, header.height) for role, header in headers.items()}
        check_same_size(sizes | {"camera": SIZE})

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        if name == "color":
            return (
                read_color(source.files["color"]) if self.image == "color" else read_infrared(source.files["infrared"])
            )
        if name == "landmarks":
            return np.array(source.record["landmarks"], np.float32)
        if name == "intrinsics":
            return np.array(self.intrinsics, np.float64)
        return read_depth_png(source.files["depth"]).astype(np.float32)
