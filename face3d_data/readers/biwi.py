"""Biwi Kinect Head Pose database: 24 recordings of 20 people who rotate their heads in front of a Kinect."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.errors import Unreadable
from face3d_data.formats.biwi_text import MOST_CHARACTERS, parse_cal, parse_pose
from face3d_data.formats.image import read_color
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.rle_depth import read_rle_depth, read_rle_size
from face3d_data.formats.text_bytes import read_text
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.frames import FrameSelection
from face3d_data.readers.shared.pattern import NamePattern, compile_pattern
from face3d_data.readers.shared.strays import Folder
from face3d_data.registry import register
from face3d_data.sample import Tag

PEOPLE: dict[str, str] = {
    **{"01": "F01", "02": "F02", "03": "F03", "04": "F04", "05": "F05", "06": "F06"},
    **{"07": "M01", "08": "M02", "09": "M03", "10": "M04", "11": "M05", "12": "M06"},
    **{"13": "M07", "14": "M08", "15": "F03", "16": "M09", "17": "M10", "18": "F05"},
    **{"19": "M11", "20": "M12", "21": "F02", "22": "M01", "23": "M13", "24": "M14"},
}
"""Sequence to person, as in the database's readme (and in `datasets/biwi_kinect_head_pose` of Hugging Face, by which it
is known here): 02 and 21, 03 and 15, 05 and 18, 07 and 22 show the same person."""
SIZE = (640, 480)
ANNOTATIONS = "db_annotations"
"""Folder of the poses alone, once more, in the same folders as `hpdb` next to it has."""
MASK_SUFFIX = "_depth_mask.png"
"""How the files of `head_pose_masks` end, which has the same folders as `hpdb` next to it."""


@register
class Biwi(FrameSelection, FolderReader):
    """Read the Biwi Kinect Head Pose database: `NN/frame_NNNNN_depth.bin`, with pose and camera.

    Sequences of the same person are one identity (`F03` for 03 and 15), with different values of the tag `session`.
    Colour and depth come from different cameras and are not registered: `image: color` returns the photograph alone,
    without depth. The database has no landmarks, and its head centres do not say where eyes, nose and mouth are, so
    none are returned: the stage `locate_3d` finds them in the points. Depth shows the upper body; `head_radius_mm`
    keeps only what is near the head's centre. The folders of the sequences may be anywhere below the root; the masks
    (`_depth_mask.png`) and `db_annotations` are ignored.

    `yaw_deg`, `pitch_deg`, `roll_deg` are defined as in `synthetic`: yaw > 0 looks to the image's right, pitch > 0
    down, roll > 0 leans to the image's left. They come from the pose's R, a rotation in the camera frame (x right, y
    down, z forward) whose identity looks at the camera; the usual evaluation code derives angles from R the same way
    [unconfirmed by the database's own text].
    """

    name = "biwi"
    companions = (".cal", ".obj")
    version = 1
    in_any_folder = True
    outputs = ("color", "depth", "intrinsics")
    tag_names = ("sequence", "session", "frame", "yaw_deg", "pitch_deg", "roll_deg", "distance_mm", "sensor")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_depth": "the pose or colour image has no depth image next to it",
        "no_color": "the depth image or pose has no colour image next to it",
        "no_pose": "the frame has no _pose.txt next to it",
        "bad_pose": "the frame's _pose.txt cannot be used",
        "no_intrinsics": "the recording's folder does not contain depth.cal",
        "bad_intrinsics": "the recording's depth.cal cannot be used",
        "size_mismatch": "the depth image does not have the size given in depth.cal",
        "no_head": "no reading is within head_radius_mm of the head's centre",
    }

    pattern: str | None = Field(
        None, exclude=True, description="pattern of paths below root, if not [.../]{identity}/frame_{frame:int}"
    )
    image: Literal["none", "color"] = Field("none", description="color: the photograph only; none: depth and camera")
    head_radius_mm: float | None = Field(
        None, gt=0, description="keep only depth within this distance of the recorded head centre, mm"
    )

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of a frame's files."""
        return {"depth": ("_depth.bin",), "color": ("_rgb.png",), "pose": ("_pose.txt",)}

    @property
    def _role(self) -> str:
        return "color" if self.image == "color" else "depth"

    def provides(self) -> tuple[str, ...]:
        """Return depth and camera, or colour alone."""
        return ("color",) if self.image == "color" else ("depth", "intrinsics")

    @cached_property
    def _compiled(self) -> NamePattern:
        if self.pattern is None:
            return compile_pattern("{identity}/frame_{frame:int}")
        return super()._compiled

    def begin(self) -> None:
        """Clear the cameras that the last scan read."""
        _depth_camera.cache_clear()

    def _group(self, folder: Folder) -> tuple[dict[str, dict[str, str]], list[tuple[str, tuple[str, str]]]]:
        """Leave only the chosen frames of a folder; the masks and annotations beside `hpdb` are no captures."""
        if ANNOTATIONS in folder.name.split("/"):
            return {}, []
        groups, others = super()._group(folder)
        others = [(name, problem) for name, problem in others if not name.lower().endswith(MASK_SUFFIX)]
        return {stem: groups[stem] for stem in self.chosen(sorted(groups))}, others

    def source(self, found: CaptureFiles) -> Source:
        """Return one frame's source: its depth or colour file, its pose and its camera."""
        sequence = found.match.person
        number = sequence.zfill(2)
        person = PEOPLE.get(number, sequence)
        name = f"{sequence}_{found.match.capture}"
        tags = {**found.match.tags, "sequence": sequence, "sensor": "Kinect"}
        if number in PEOPLE:
            tags["session"] = 1 + [one for one, who in PEOPLE.items() if who == person].index(number)
        files = {role: path for role, path in found.files.items() if role == self._role}
        try:
            record, told = self._describe(found)
        except Unreadable as error:
            return Source(person, name, files, tags=tags, problem=(error.reason, error.detail))
        return Source(person, name, files, record, 0, {**tags, **told}, self.provides())

    def _describe(self, found: CaptureFiles) -> tuple[dict[str, Any], dict[str, Tag]]:
        """Return what a frame takes from its pose and its recording's camera, as a record and as tags."""
        if self.pattern is None and found.match.person.zfill(2) not in PEOPLE:
            raise Unreadable("name_not_matched", f"{found.stem}: sequences are named 01 to 24")
        there = next(iter(found.files.values()))
        for role in (self._role, "pose"):
            if role not in found.files:
                raise Unreadable(f"no_{role}", f"{there.name} has no {self.suffixes()[role][0]} twin")
        try:
            rotation, centre = parse_pose(_text(found.files["pose"]))
        except ValueError as error:
            raise Unreadable("bad_pose", f"{found.files['pose'].name}: {error}") from None
        record: dict[str, Any] = {"rotation": rotation.tolist(), "centre_mm": centre.tolist()}
        if self._role == "depth":
            record["intrinsics"] = list(self._camera(found.folder))
        yaw, pitch, roll = head_angles_deg(rotation)
        tags = {"yaw_deg": yaw, "pitch_deg": pitch, "roll_deg": roll, "distance_mm": centre[2]}
        return record, {key: round(float(value), 2) + 0.0 for key, value in tags.items()}

    def _camera(self, folder: Folder) -> tuple[float, float, float, float]:
        if "depth.cal" not in folder.files:
            raise Unreadable("no_intrinsics", f"{folder.name} does not contain depth.cal")
        camera = _depth_camera(folder.path / "depth.cal")
        if isinstance(camera, str):
            raise Unreadable("bad_intrinsics", f"{folder.name}/depth.cal: {camera}")
        return camera

    def inspect(self, source: Source) -> None:
        """Check the size of the depth image, or the photograph's header."""
        if "color" in source.files:
            read_image_header(source.files["color"])
            return
        size = read_rle_size(source.files["depth"])
        if size != SIZE:
            raise Unreadable("size_mismatch", f"depth {size[0]}x{size[1]}, depth.cal {SIZE[0]}x{SIZE[1]}")

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        if name == "color":
            return read_color(source.files["color"])
        if name == "intrinsics":
            return np.array(source.record["intrinsics"], np.float64)
        depth = read_rle_depth(source.files["depth"])
        return depth if self.head_radius_mm is None else self._near_head(depth, source.record)

    def _near_head(self, depth: np.ndarray, record: Mapping[str, Any]) -> np.ndarray:
        fx, fy, cx, cy = record["intrinsics"]
        x, y, z = record["centre_mm"]
        v, u = np.nonzero(depth)
        there = depth[v, u].astype(np.float64)
        squared = ((u - cx) / fx * there - x) ** 2 + ((v - cy) / fy * there - y) ** 2 + (there - z) ** 2
        near = squared <= (self.head_radius_mm or 0.0) ** 2
        if not near.any():
            raise Unreadable("no_head", f"no reading within {self.head_radius_mm:g} mm of {x:.0f}, {y:.0f}, {z:.0f}")
        kept = np.zeros_like(depth)
        kept[v[near], u[near]] = depth[v[near], u[near]]
        return kept


def head_angles_deg(rotation: np.ndarray) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees of a rotation (3, 3) in the camera frame, whose identity is frontal.

    In the frame rotated by 180° about x (y up, z to the camera) the rotation is Rz(roll) Rx(pitch) Ry(yaw).
    """
    turn = np.diag([1.0, -1.0, -1.0])
    r = turn @ rotation @ turn
    pitch = np.arcsin(np.clip(r[2, 1], -1.0, 1.0))
    yaw, roll = np.arctan2(-r[2, 0], r[2, 2]), np.arctan2(-r[0, 1], r[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


@lru_cache(maxsize=64)
def _depth_camera(path: Path) -> tuple[float, float, float, float] | str:
    """Return the camera in a .cal file, or what is wrong with it."""
    try:
        return parse_cal(_text(path))
    except ValueError as error:
        return str(error)


def _text(path: Path) -> str:
    """Return a small text; what is no text, or cannot be read, is wrong.

    Raises:
        ValueError: saying so.
    """
    try:
        return read_text(path, MOST_CHARACTERS)
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from None
    except Unreadable as error:
        raise ValueError(error.detail.removeprefix(f"{path.name}: ")) from None
