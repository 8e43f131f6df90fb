"""Lock3DFace's depth as a text bundle: faces cropped to 180×180 px, one frame per line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.lock3d_bundle import BundleFrame, find_lines, line_digest, parse_names, read_frame
from face3d_data.reader import Source
from face3d_data.readers.lock3dface import CATEGORIES, KINECT_V2, Lock3dfaceCategory
from face3d_data.readers.shared.folder import NAME_REASONS
from face3d_data.readers.shared.frames import FrameSelection
from face3d_data.readers.shared.strays import Folder, printable, strays
from face3d_data.readers.shared.walk import walk
from face3d_data.registry import register
from face3d_data.sample import Tag

_VIDEO = re.compile(r"([0-9]+)_Kinect_(NU|FE|PS|OC|TM)_([0-9]{1,6})(?:DEPTH)?")
ENDINGS: tuple[str, ...] = (".dat", ".name")
NamedFrames = list[tuple[str, int]]


@register
class Lock3DFaceBundle(FrameSelection):
    """Read Lock3DFace's text bundle [unconfirmed]: `<x>.dat` (180×180 depth in mm per line) and `<x>.name`.

    The content of the two files is known from public preprocessing code only. Listing reads the whole `.dat` once per
    run; the tags `bundle`, `line` and `byte` locate a frame. There are no images and no landmarks: the stage
    `locate_3d` finds landmarks in the points.

    The position of the crop on the sensor is not stored. The camera is assumed to be a Kinect v2's with its centre in
    the middle of the crop, as if the face had been in front of the middle of the camera: it is rotated by up to a few
    degrees and hardly sheared. Set `intrinsics` if more is known.
    """

    name = "lock3dface_bundle"
    version = 1
    outputs = ("depth", "intrinsics")
    tag_names = (
        "category", "code", "number", "expression", "pose", "occlusion", "session", "frame", "sensor", "bundle", "line",
        "byte",
    )  # fmt: skip
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_names": "the .dat file has no .name file next to it",
        "no_depth": "the .name file has no .dat file next to it",
        "bad_names": "the .name file cannot be used",
        "no_frame": "the .dat file ends before this frame",
        "frames_left": "the .dat file has more frames than the .name file lists",
    }

    root: Path = Field(exclude=True, description="folder of the collection")
    intrinsics: tuple[float, float, float, float] = Field(
        (KINECT_V2[0], KINECT_V2[1], 89.5, 89.5), description="camera fx, fy, cx, cy in px of 180x180"
    )
    categories: tuple[Lock3dfaceCategory, ...] = Field(
        (), exclude=True, description="use only these: NU, FE, PS, OC, TM"
    )

    def scan(self) -> Iterator[Source]:
        """Yield the chosen frames, bundle by bundle in the order of the `.name` files."""
        if not self.root.is_dir():
            raise UserError(f"{self.name}: root {self.root} is not a folder: set root to the collection's folder")
        empty, seen = True, set[str]()
        for folder in walk(self.root):
            for stem in sorted({name[: -len(end)] for name in folder.files for end in ENDINGS if name.endswith(end)}):
                empty = False
                yield from self._bundle(folder, stem, seen)
            foreign = [name for name in (*folder.files, *folder.odd) if not name.endswith(tuple(ENDINGS))]
            yield from strays(folder, foreign, wanted="<x>.dat and <x>.name")
        if empty:
            raise UserError(f"{self.name}: no bundle in {self.root}: expected <x>.dat and <x>.name")

    def _bundle(self, folder: Folder, stem: str, seen: set[str]) -> Iterator[Source]:
        for reason, missing, there in (("no_names", ".name", ".dat"), ("no_depth", ".dat", ".name")):
            if stem + missing not in folder.files:
                yield _whole(folder, stem, reason, f"{printable(stem + there)} has no {missing} twin")
                return
        if printable(folder.name + stem) != folder.name + stem:
            yield _whole(
                folder, stem, "bad_name", f"{printable(folder.name)}/{printable(stem)}: is no UTF-8: rename it"
            )
            return
        try:
            names = parse_names((folder.path / f"{stem}.name").read_bytes())
        except (ValueError, OSError) as error:
            yield _whole(folder, stem, "bad_names", f"{printable(stem)}.name: {error}")
            return
        lines = find_lines(folder.path / f"{stem}.dat")
        try:
            yield from self._videos(folder, stem, names, lines, seen)
        except (Unreadable, OSError) as error:
            detail = error.detail if isinstance(error, Unreadable) else str(error.strerror)
            yield _whole(folder, stem, "unreadable", detail)

    def _videos(
        self, folder: Folder, stem: str, names: NamedFrames, lines: Iterator[tuple[int, int, bytes]], seen: set[str]
    ) -> Iterator[Source]:
        file = f"{folder.name}/{stem}.dat" if folder.name else f"{stem}.dat"
        for row, (video, count) in enumerate(names, 1):
            match = _VIDEO.fullmatch(video)
            wrong = None
            if match is None:
                wrong = ("name_not_matched", f"{stem}.name: line {row}: {video} is no <subject>_Kinect_<NU..TM>_<n>")
            elif video in seen:
                wrong = ("same_name", f"{stem}.name: line {row}: {video} appears twice")
            seen.add(video)
            taken = set(self.chosen(range(1, count + 1))) if match and not wrong and self._wanted(match) else set()
            if wrong:
                yield Source(printable(file), f"line_{row}", problem=(wrong[0], printable(wrong[1])))
            for frame in range(1, count + 1):
                found = next(lines, None)
                if match and frame in taken:
                    yield self._frame(match, frame, file, found)
        if next(lines, None) is not None:
            total = sum(count for _, count in names)
            yield _whole(folder, stem, "frames_left", f"{printable(stem)}.dat has more than {total} lines")

    def _wanted(self, match: re.Match[str]) -> bool:
        return not self.categories or match[2] in self.categories

    def _frame(self, match: re.Match[str], frame: int, file: str, found: tuple[int, int, bytes] | None) -> Source:
        person, category, number = match.groups()
        code = f"{category}_{int(number)}"
        tags: dict[str, Tag] = {**CATEGORIES[category], "category": category, "code": code, "number": int(number)}
        tags |= {"frame": frame, "sensor": "Kinect v2"}
        name = f"{code}_{frame:02d}"
        if found is None:
            problem = ("no_frame", f"{file}: ends before frame {frame} of {match[0]}")
            return Source(person, name, tags=tags, problem=problem)
        # Where a line lies is no part of the capture's key: it changes as soon as a video comes in before it.
        tags |= {"bundle": file, "line": found[0], "byte": found[1]}
        record = {"digest": line_digest(found[2]), "length": len(found[2])}
        return Source(person, name, {}, record, 0, tags, self.outputs)

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth in mm."""
        if name == "intrinsics":
            return np.array(self.intrinsics, np.float64)
        tags, record = source.tags, source.record
        line = BundleFrame(int(tags["line"]), int(tags["byte"]), record["length"], record["digest"])
        return read_frame(self.root / str(tags["bundle"]), line)


def _whole(folder: Folder, stem: str, reason: str, detail: str) -> Source:
    """Return one source that stands for a bundle, or for what is left of it."""
    return Source(printable(folder.name) or ".", printable(stem), problem=(reason, detail))
