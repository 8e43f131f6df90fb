"""Bosphorus, a database of 3D faces: structured light, 105 people, up to 54 scans each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.bnt import read_bnt, read_bnt_header, read_bnt_texture
from face3d_data.formats.image import read_color
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.lm2_lm3 import read_lm2, read_lm3
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.registry import register
from face3d_data.sample import Tag

BosphorusCategory = Literal["N", "E", "LFAU", "UFAU", "CAU", "YR", "PR", "CR", "O", "IGN"]
ACTION_UNITS = ("LFAU", "UFAU", "CAU")
EMOTIONS = ("neutral", "anger", "disgust", "fear", "happy", "sadness", "surprise")
TURNS = {"YR": "yaw", "PR": "pitch", "CR": "cross"}
_NAME = re.compile(r"(bs[0-9]{3})_(N|E|LFAU|UFAU|CAU|YR|PR|CR|O|IGN)((?:_[A-Za-z0-9]+)*)_([0-9]{1,3})")
_ACTION_UNIT = re.compile(r"(?:lfau|ufau|cau)(?:_[a-z0-9_]+)?")

CORNERS: tuple[tuple[str, ...], ...] = (
    ("Outer left eye corner", "Inner left eye corner"),
    ("Outer right eye corner", "Inner right eye corner"),
    ("Nose tip",),
    ("Left mouth corner",),
    ("Right mouth corner",),
)
"""Labels whose mean is each of the five landmarks."""
LEAST_LANDMARKS = 3
TURN = np.array([1.0, -1.0, -1.0])
"""The database's y points up and its z to the viewer: 180 degrees about x lead to the camera frame."""


def _known_expression(value: str) -> str:
    if value in EMOTIONS or _ACTION_UNIT.fullmatch(value):
        return value
    raise ValueError(f"{value!r} is none of {', '.join(EMOTIONS)}, lfau, ufau, cau, or one of these with its code")


BosphorusExpression = Annotated[str, AfterValidator(_known_expression)]
Pose = Literal[
    "frontal", "yaw_r10", "yaw_r20", "yaw_r30", "yaw_r45", "yaw_l45", "yaw_r90", "yaw_l90",
    "pitch_u", "pitch_su", "pitch_d", "pitch_sd", "cross_rd", "cross_ru",
]  # fmt: skip
Occlusion = Literal["none", "eye", "mouth", "glasses", "hair"]


@register
class Bosphorus(FolderReader):
    """Read the Bosphorus database: `bs000/bs000_N_N_0.bnt` with `.lm3`, `.lm2` and `.png` next to it.

    `grid` comes from the `.bnt`, `landmarks_3d` from the `.lm3` if it has at least three of the five points, `color`
    from the `.png`, `landmarks` (px of `color`) from the `.lm2` if it has all five, and `grid_color` from the `.png`
    through the texture coordinates. An eye is the mean of its two corners. Arrays whose file is missing are left out; a
    capture without a `.bnt` is listed as dirty. The folders of people may be anywhere below the root. [unconfirmed]:
    that the `.lm2` counts px from 0.

    `left` is the viewer's left: in landmark values quoted in public code, the corners of the left eye have the smaller
    x in a frame whose x points right; of a pair the one with the smaller x always comes first.

    The tag `expression` is the emotion, or the code of the action units (`lfau_12`); `pose` is `yaw_r10`, `pitch_su`,
    `cross_rd` or `frontal`. Scans that the database set aside (`IGN`) have neither.
    """

    name = "bosphorus"
    version = 1
    in_any_folder = True
    outputs = ("grid", "landmarks_3d", "grid_color", "color", "landmarks")
    tag_names = ("category", "code", "number", "expression", "pose", "occlusion")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_range": "landmarks or a picture without a range image (.bnt) next to them",
        "no_points": "the range image is all background",
    }

    subset: Literal["all", "frontal_neutral"] = Field(
        "all",
        exclude=True,
        description="frontal_neutral: only the neutral scans, N_N_0 to N_N_3",
    )
    categories: tuple[BosphorusCategory, ...] | None = Field(
        None, exclude=True, description="only these groups of codes: N, E, LFAU, UFAU, CAU, YR, PR, CR, O, IGN"
    )
    expressions: tuple[BosphorusExpression, ...] | None = Field(
        None, exclude=True, description="only these: neutral, happy ...; lfau, ufau, cau for all of a group, or lfau_12"
    )
    poses: tuple[Pose, ...] | None = Field(None, exclude=True, description="only these: frontal, yaw_r10, pitch_u ...")
    occlusions: tuple[Occlusion, ...] | None = Field(
        None, exclude=True, description="only these: none, eye, mouth, glasses, hair"
    )

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of a scan's four files."""
        return {"range": (".bnt",), "landmarks_3d": (".lm3",), "landmarks": (".lm2",), "color": (".png",)}

    def scan(self) -> Iterator[Source]:
        """Yield every capture that the options select, and every file that fits no name.

        Of the selected ones the landmark files are read, which are small, as a capture whose landmarks are too few has
        no `landmarks_3d` or `landmarks`.

        Raises:
            UserError: as `FolderReader.scan`, or the options select nothing.
        """
        selected = left_out = 0
        for source in super().scan():
            if source.problem is None and not self._selects(source.tags):
                left_out += 1
                continue
            selected += 1
            yield source if source.problem else _with_arrays(source)
        if not selected:
            options = "subset, categories, expressions, poses, occlusions"
            raise UserError(f"{self.name}: none of {left_out} captures in {self.root} is selected: see {options}")

    def source(self, found: CaptureFiles) -> Source:
        """Return the source of one scan's files; its arrays are added once it is selected."""
        match = found.match
        parts = _NAME.fullmatch(found.stem)
        problem = None
        if parts is None:
            problem = ("name_not_matched", f"{found.stem} is not named bsNNN_CLASS_CODE_N, as bs000_YR_R10_0 is")
        elif self.pattern is None and parts[1] != match.person:
            problem = ("name_not_matched", f"{found.stem} lies in the folder of {match.person}")
        elif "range" not in found.files:
            problem = ("no_range", f"{found.stem} has no .bnt")
        tags = {**(_tags(parts) if parts else {}), **match.tags}
        return Source(match.person, match.capture, found.files, tags=tags, problem=problem)

    def _selects(self, tags: Mapping[str, Tag]) -> bool:
        if self.subset == "frontal_neutral" and tags["category"] != "N":
            return False
        expression = str(tags.get("expression", ""))
        wanted = self.expressions
        if wanted is not None and expression not in wanted and expression.partition("_")[0] not in wanted:
            return False
        chosen = {"category": self.categories, "pose": self.poses, "occlusion": self.occlusions}
        return all(values is None or tags.get(name) in values for name, values in chosen.items())

    def inspect(self, source: Source) -> None:
        """Check the range image's header against its size, and the picture's header."""
        read_bnt_header(source.files["range"])
        if "color" in source.files:
            read_image_header(source.files["color"])

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array, mm in the camera frame, px of the picture."""
        files = source.files
        if name == "grid":
            return read_bnt(files["range"])
        if name == "color":
            return read_color(files["color"])
        if name == "grid_color":
            return texture_colors(read_bnt_texture(files["range"]), read_color(files["color"]))
        if name == "landmarks":
            return five_points(read_lm2(files["landmarks"]), 2).astype(np.float32)
        return (five_points(read_lm3(files["landmarks_3d"]), 3) * TURN).astype(np.float32)


def five_points(marks: Mapping[str, tuple[float, ...]], size: int) -> np.ndarray:
    """Return the five landmarks, f8 (5, size), NaN where one is missing; of a pair the one with the smaller x first.

    Args:
        marks: label to `size` coordinates; an eye needs both its corners.
        size: 2 or 3.
    """
    points = []
    for labels in CORNERS:
        found = [marks[label] for label in labels if label in marks]
        whole = len(found) == len(labels)
        points.append([sum(values) / len(found) for values in zip(*found, strict=True)] if whole else [np.nan] * size)
    for left, right in ((0, 1), (3, 4)):
        if points[left][0] > points[right][0]:
            points[left], points[right] = points[right], points[left]
    return np.array(points)


def texture_colors(texture: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Return the colour of each point, u1 (H, W, 3), black where there is none.

    Args:
        texture: (H, W, 2), u and v in 0..1 of the picture, v downwards from its first row, NaN = no point.
        color: u1 (h, w, 3).
    """
    height, width = color.shape[:2]
    seen = np.isfinite(texture[..., 0])
    pixels = np.clip((texture[seen] * (width, height)).astype(int), 0, (width - 1, height - 1))
    colors = np.zeros((*texture.shape[:2], 3), np.uint8)
    colors[seen] = color[pixels[:, 1], pixels[:, 0]]
    return colors


def _with_arrays(source: Source) -> Source:
    """Return the source with the arrays that its files can give, or with what is wrong with its landmarks."""
    files = source.files
    arrays = ["grid"]
    try:
        if "landmarks_3d" in files and _n_known(read_lm3(files["landmarks_3d"]), 3) >= LEAST_LANDMARKS:
            arrays.append("landmarks_3d")
        if "color" in files:
            arrays += ["grid_color", "color"]
        if {"color", "landmarks"} <= files.keys() and _n_known(read_lm2(files["landmarks"]), 2) == len(CORNERS):
            arrays.append("landmarks")
    except Unreadable as error:
        return replace(source, problem=(error.reason, error.detail))
    except OSError:
        pass  # its content enters the key too, and there the capture is listed as one to be tried again
    return replace(source, arrays=tuple(arrays))


def _n_known(marks: Mapping[str, tuple[float, ...]], size: int) -> int:
    return int(np.isfinite(five_points(marks, size)).all(1).sum())


def _tags(parts: re.Match[str]) -> dict[str, Tag]:
    """Return what a scan's name says of it."""
    category, code = parts[2], parts[3].lower().removeprefix("_")
    tags: dict[str, Tag] = {"category": category, "code": f"{category}{parts[3]}", "number": int(parts[4])}
    if category == "IGN":
        return tags
    expression = f"{category.lower()}_{code}" if category in ACTION_UNITS else code if category == "E" else "neutral"
    pose = f"{TURNS[category]}_{code}" if category in TURNS else "frontal"
    return tags | {"expression": expression, "pose": pose, "occlusion": code if category == "O" else "none"}
