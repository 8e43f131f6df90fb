"""Face Recognition Grand Challenge (FRGC), version 2: range images of Minolta Vivid scanners, 466 people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.errors import Unreadable
from face3d_data.formats.abs_range import read_abs, read_abs_shape
from face3d_data.formats.image_header import check_same_size
from face3d_data.formats.ppm import read_ppm, read_ppm_size
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.strays import Folder
from face3d_data.registry import register

_RECORDING = re.compile(r"(.*?)([0-9]+)")

PHOTOGRAPHS: tuple[str, ...] = (".jpg", ".jpeg")
"""The distribution has tens of thousands of them beside the range images' folders."""


@register
class Frgc(FolderReader):
    """Read the range images of FRGC v2: `Fall2003range/02463d452.abs.gz` with the texture `02463d453.ppm`.

    The folders of the seasons (in `nd1` in the distribution) may be anywhere below the root, or be the root;
    photographs (`.jpg`), which are other recordings, are ignored. The texture is the `.ppm` with the same number, or
    else the next; it matches the range image pixel by pixel, and becomes both `grid_color` and `color`. The database
    has no landmarks: `detect` finds them in `color`. The person is the part of the name in front of the `d`; `session`
    is the season's folder, `recording` the number.
    """

    name = "frgc"
    version = 1
    in_any_folder = True
    outputs = ("grid", "grid_color", "color")
    tag_names = ("session", "recording")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_range": "a texture (.ppm) without a range image",
        "no_points": "no flag of the range image is set",
        "size_mismatch": "range image and texture differ in width or height",
    }

    pattern: str | None = Field(
        "[{session}/]{identity}d{recording:int}",
        exclude=True,
        description="pattern of paths below root, without the file ending; must contain {identity}",
    )

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of range images and textures."""
        return {"range": (".abs.gz", ".abs"), "color": (".ppm",)}

    def _group(self, folder: Folder) -> tuple[dict[str, dict[str, str]], list[tuple[str, tuple[str, str]]]]:
        """Put a texture with the next number to its range image, and leave photographs out."""
        groups, others = super()._group(folder)
        others = [(name, problem) for name, problem in others if not name.lower().endswith(PHOTOGRAPHS)]
        for stem in sorted(groups):
            roles = groups.get(stem, {})
            after = _next_stem(stem)
            if "range" in roles and "color" not in roles and groups.get(after, {}).keys() == {"color"}:
                roles.update(groups.pop(after))
        return groups, others

    def source(self, found: CaptureFiles) -> Source:
        """Return the source of one recording; nothing is opened here."""
        match = found.match
        problem = None if "range" in found.files else ("no_range", f"{found.stem}.ppm belongs to no .abs or .abs.gz")
        arrays = () if problem else self.outputs if "color" in found.files else ("grid",)
        return Source(match.person, match.capture, found.files, tags=match.tags, arrays=arrays, problem=problem)

    def inspect(self, source: Source) -> None:
        """Compare the sizes that the two headers say."""
        rows, columns = read_abs_shape(source.files["range"])
        if "color" in source.files:
            texture = source.files["color"]
            check_same_size({"range image": (columns, rows), texture.name: read_ppm_size(texture)})

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array, mm in the camera frame."""
        if name == "grid":
            return read_abs(source.files["range"])
        color = read_ppm(source.files["color"])
        rows, columns = read_abs_shape(source.files["range"])
        if color.shape[:2] != (rows, columns):
            raise Unreadable("size_mismatch", f"{source.files['color'].name}: not {columns}x{rows} px")
        return color


def _next_stem(stem: str) -> str:
    """Return the name with its last number raised by one, `02463d453` for `02463d452`; empty where it has none."""
    match = _RECORDING.fullmatch(stem)
    return f"{match[1]}{int(match[2]) + 1:0{len(match[2])}}" if match else ""
