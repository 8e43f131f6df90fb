"""KinectFaceDB of EURECOM: 52 people, two sessions, nine states each, recorded with the first Kinect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from face3d_data.errors import Unreadable
from face3d_data.formats.image import read_bytes, read_color
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.intrinsics import parse_intrinsics
from face3d_data.formats.obj import parse_obj
from face3d_data.formats.pixel_depth_text import read_marks, read_pixel_depth
from face3d_data.reader import Source
from face3d_data.readers.shared.named_tree import Gathered, NamedTree, Paths
from face3d_data.registry import register
from face3d_data.sample import Tag

State = Literal[
    "Neutral", "Smile", "OpenMouth", "LightOn", "OcclusionEyes", "OcclusionMouth", "OcclusionPaper", "LeftProfile",
    "RightProfile",
]  # fmt: skip
PLAIN: dict[str, Tag] = {"expression": "neutral", "pose": "frontal", "occlusion": "none", "lighting": "normal"}
STATES: dict[str, dict[str, Tag]] = {
    "Neutral": {},
    "Smile": {"expression": "smile"},
    "OpenMouth": {"expression": "open_mouth"},
    "LightOn": {"lighting": "strong"},
    "OcclusionEyes": {"occlusion": "eye"},
    "OcclusionMouth": {"occlusion": "mouth"},
    "OcclusionPaper": {"occlusion": "paper"},
    "LeftProfile": {"pose": "left"},
    "RightProfile": {"pose": "right"},
}
_BY_LOWER = {state.lower(): state for state in STATES}
SENSOR_PX = (640, 480)
N_MARKS = (5, 6)
"""Eye centres, nose tip and mouth corners, and then the chin, which is not one of the five."""
_FARTHEST = 1e6
_CAPTURE = r"(?:.*/)?(?P<person>\d{4})/s(?P<session>\d)/"
_NAME = r"(?P<person2>\d{4})_s(?P<session2>\d)_(?P<state>[A-Za-z]+)"


@register
class EurecomKinect(NamedTree):
    """Read KinectFaceDB (EURECOM): `0001/s1/RGB/rgb_0001_s1_Neutral.bmp`, `Depth/DepthKinect/*.txt`, `3DObj/*.obj`.

    The colour images are crops (256 x 256 px) of the sensor's 640 x 480, and the depth files contain all columns and
    rows of the sensor, so depth is cropped to the window of the colour image, whose first pixel is `crop`. Colour and
    depth are registered, as the database's paper says ("well-aligned") and as public code uses them. `use: mesh`
    returns the vertices of `3DObj` instead, in mm, from a frame with y up and z towards the viewer, rotated by 180
    degrees about x. The 8-bit images `Depth/DepthBMP` are not read.

    Landmarks come from `Mark/MarkRGB` (`use: depth`) or `Mark/Mark3DObj`, if these exist and have five or six points:
    eyes, nose tip, mouth corners [the chin last: unconfirmed]. Of a pair, the left one is left in the image.
    """

    name = "eurecom_kinect"
    version = 1
    outputs = ("color", "depth", "intrinsics", "landmarks", "points", "landmarks_3d")
    tag_names = ("category", "session", "sensor", *PLAIN)
    reasons: ClassVar[dict[str, str]] = {
        **NamedTree.reasons,
        "same_name": "two files have the same person, session and state",
        "no_color": "the depth file has no colour image",
        "no_depth": "the colour image has no depth file in Depth/DepthKinect",
        "no_mesh": "the capture has no mesh in 3DObj",
        "bad_landmarks": "the file of landmarks cannot be used",
        "size_mismatch": "the colour image, placed at crop, exceeds the sensor's image",
    }
    paths: ClassVar[Paths] = {
        "color": rf"{_CAPTURE}RGB/rgb_{_NAME}\.bmp",
        "depth": rf"{_CAPTURE}Depth/DepthKinect/depth_{_NAME}\.txt",
        "mesh": rf"{_CAPTURE}3DObj/depth_{_NAME}\.obj",
        "marks": rf"{_CAPTURE}Mark/MarkRGB/rgb_{_NAME}_Points\.txt",
        "marks_3d": rf"{_CAPTURE}Mark/Mark3DObj/depth_{_NAME}_Points_OBJ\.txt",
    }
    left_alone: ClassVar[str] = r".*/Depth/DepthBMP/[^/]*\.bmp"
    data_files: ClassVar[str] = r".*\.(?:bmp|obj)|.*/(?:Depth(?:Kinect)?|Mark(?:/[^/]*)?)/[^/]*\.txt"
    example: ClassVar[str] = "0001/s1/RGB/rgb_0001_s1_Neutral.bmp"

    use: Literal["depth", "mesh"] = Field(
        "depth", exclude=True, description="what to read: colour and depth, or meshes"
    )
    states: frozenset[State] | None = Field(None, exclude=True, description="states to use [all]")
    sessions: frozenset[Literal[1, 2]] | None = Field(None, exclude=True, description="sessions to use [all]")
    intrinsics: tuple[float, float, float, float] = Field(
        (525.0, 525.0, 319.5, 239.5), description="camera of the whole 640 x 480 image: fx,fy,cx,cy in px (nominal)"
    )
    crop: tuple[int, int] = Field((192, 74), description="x,y of the colour images' first pixel in the sensor's image")

    @field_validator("intrinsics")
    @classmethod
    def _usable(cls, value: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        parse_intrinsics(dict(zip(("fx", "fy", "cx", "cy"), value, strict=True)), need_scale=False)
        return value

    def provides(self) -> tuple[str, ...]:
        """Return the arrays of what is used."""
        return self.outputs[:4] if self.use == "depth" else self.outputs[4:]

    def name_of(self, role: str, groups: Mapping[str, str]) -> tuple[str, str] | str:
        """Return (person, `s1_Neutral`), or what does not fit."""
        if (groups["person"], groups["session"]) != (groups["person2"], groups["session2"]):
            return f"named person {groups['person2']}, session {groups['session2']}, but lies in another's folder"
        if groups["state"].lower() not in _BY_LOWER:
            return f"no state is named {groups['state']!r} (known: {', '.join(STATES)})"
        return groups["person"], f"s{groups['session']}_{_BY_LOWER[groups['state'].lower()]}"

    def is_wanted(self, groups: Mapping[str, str]) -> bool:
        """Return whether the filters take a capture."""
        state_taken = self.states is None or _BY_LOWER[groups["state"].lower()] in self.states
        return state_taken and (self.sessions is None or int(groups["session"]) in self.sessions)

    def source(self, found: Gathered) -> Source:
        """Return the capture's source; of its files only the landmarks are opened here, a few lines of text."""
        groups = found.groups()
        state = _BY_LOWER[groups["state"].lower()]
        tags: dict[str, Tag] = {"category": state, "session": int(groups["session"]), "sensor": "Kinect v1"}
        tags |= PLAIN | STATES[state]
        roles = ("color", "depth") if self.use == "depth" else ("mesh",)
        files = found.first(*roles)
        try:
            for role in (*roles, *(("marks",) if self.use == "depth" else ("marks_3d",))):
                _one(found, role, is_needed=role in roles)
            record = self._marks(found)
        except Unreadable as error:
            return Source(found.person, found.capture, files, tags=tags, problem=(error.reason, error.detail))
        arrays = tuple(n for n in self.provides() if not n.startswith("landmarks") or n in record)
        return Source(found.person, found.capture, files, record or None, 0, tags, arrays)

    def _marks(self, found: Gathered) -> dict[str, Any]:
        """Return the record of the landmarks: `landmarks` px or `landmarks_3d` mm in the camera frame."""
        role, size = ("marks", 2) if self.use == "depth" else ("marks_3d", 3)
        path = found.first(role).get(role)
        if path is None:
            return {}
        try:
            points = read_marks(path, size)
        except (Unreadable, OSError) as error:
            said = error.detail if isinstance(error, Unreadable) else f"{path.name}: {error.strerror}"
            raise Unreadable("bad_landmarks", said) from None
        if len(points) not in N_MARKS or not (np.abs(points) < _FARTHEST).all():
            return {}
        points = points[:5] * ([1, 1] if size == 2 else [1, -1, -1])
        if points[:2, 1].mean() >= points[3:, 1].mean():
            raise Unreadable(
                "bad_landmarks", f"{path.name}: the eyes are below the mouth: not the order eyes, nose tip, mouth"
            )
        points[:2], points[3:] = (pair[np.argsort(pair[:, 0])] for pair in (points[:2], points[3:]))
        return {"landmarks" if size == 2 else "landmarks_3d": points.tolist()}

    def inspect(self, source: Source) -> None:
        """Check that the colour image is within what the sensor sees."""
        if "color" in source.files:
            header = read_image_header(source.files["color"])
            self._window(header.width, header.height, source.files["color"])

    def _window(self, width: int, height: int, path: Path) -> tuple[int, int, int, int]:
        """Return x, y, width and height of the colour image in the sensor's image; one of full size is all of it."""
        x, y = (0, 0) if (width, height) == SENSOR_PX else self.crop
        if x < 0 or y < 0 or x + width > SENSOR_PX[0] or y + height > SENSOR_PX[1]:
            said = f"{path.name}: {width}x{height} px from {x},{y} on is outside the sensor's 640x480: set crop"
            raise Unreadable("size_mismatch", said)
        return x, y, width, height

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth and points in mm."""
        if name in ("landmarks", "landmarks_3d"):
            return np.array(source.record[name], np.float32)
        if name == "points":
            return _vertices(source.files["mesh"])
        color = source.files["color"]
        if name == "color":
            return read_color(color)
        header = read_image_header(color)
        x, y, width, height = self._window(header.width, header.height, color)
        if name == "depth":
            return read_pixel_depth(source.files["depth"], (x, y, width, height), "crop")
        fx, fy, cx, cy = self.intrinsics
        return np.array([fx, fy, cx - x, cy - y])


def _one(found: Gathered, role: str, is_needed: bool) -> None:
    """Check that a capture has one file of a role, or at most one where it is not needed."""
    files = found.files.get(role, [])
    if len(files) > 1:
        raise Unreadable("same_name", f"{files[1][0]} is the same capture as {files[0][0]}: remove one")
    if is_needed and not files:
        there = next(iter(found.files.values()))[0][0]
        raise Unreadable(f"no_{role}", f"{there.name} has no {role} file next to it")


def _vertices(path: Path) -> np.ndarray:
    """Return the vertices of a mesh f4 (N, 3) in the camera frame."""
    vertices = parse_obj(read_bytes(path), path.name).vertices
    with np.errstate(over="ignore"):
        points = vertices.astype(np.float32) * np.array([1, -1, -1], np.float32)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise Unreadable("unreadable", f"{path.name}: contains no finite vertices")
    return points
