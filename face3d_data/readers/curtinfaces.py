"""CurtinFaces: 52 people recorded with the first Kinect, one matrix of points and colours per capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.errors import Unreadable
from face3d_data.formats.mat5_matrix import inspect_mat_matrix, read_mat_matrix
from face3d_data.reader import Source
from face3d_data.readers.shared.axes import AXES_REASONS, CLEAR, growing
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.units import (
    MM_PER_UNIT,
    UNIT_REASONS,
    UNITS_TEXT,
    WORDS,
    Units,
    mm_per_unit,
    survey_units,
)
from face3d_data.registry import register
from face3d_data.sample import Tag

VARIABLE = "d"
COLUMNS_PX, ROWS_PX = 640, 480
SEEN_MM = (300.0, 5000.0)
"""Distances that the sensor measures, with some room: the median of a capture is there."""
_LOOKED_AT = 5


@register
class Curtinfaces(FolderReader):
    """Read CurtinFaces: `01/01.mat` (or `.dat`), variable `d` of 307200 x 6: X Y Z R G B of every pixel.

    Pixels are stored column by column, from the rightmost column to the left, each from top to bottom. A Z of 0 or NaN
    is a hole. The grid includes the background. Units (mm) are those of public code; the directions of x and y are
    unconfirmed and are checked against the pixels: a capture whose x does not grow to the right, or whose y does not
    grow downwards after rotation, is refused with the option to set.

    The numbers of captures encode pose, expression, light and disguise; the code is not known here, so the number
    becomes the tag `number` only.
    """

    name = "curtinfaces"
    version = 1
    outputs = ("grid", "grid_color")
    tag_names = ("number", "sensor")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        **UNIT_REASONS,
        **AXES_REASONS,
        "no_matrix": "the file has no variable d of 307200 x 6 numbers",
        "bad_color": "the colours are not numbers from 0 to 255",
    }

    units: Units = Field("mm", description=UNITS_TEXT)
    x: Literal["right", "left"] = Field(
        "right", description="direction of the files' x axis in the image (unconfirmed)"
    )
    y: Literal["up", "down"] = Field("up", description="direction of the files' y axis in the image (unconfirmed)")

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of captures: both hold the same."""
        return {"matrix": (".mat", ".dat")}

    def source(self, found: CaptureFiles) -> Source:
        """Return the capture's source; a number for a name becomes a tag."""
        match = found.match
        tags: dict[str, Tag] = {"sensor": "Kinect v1"}
        if match.capture.isascii() and match.capture.isdigit() and len(match.capture) < 10:
            tags["number"] = int(match.capture)
        return Source(match.person, match.capture, found.files, None, 0, {**tags, **match.tags}, self.outputs)

    def survey(self, sources: Sequence[Source]) -> None:
        """Refuse the whole collection where most captures have other units or axes than the options say.

        Raises:
            UserError: saying what to set.
        """
        survey_units(self, sources[:_LOOKED_AT], ("grid",), ("wrong_axes", "wrong_units"))

    def inspect(self, source: Source) -> None:
        """Check that the file has the matrix, as far as its tags say."""
        inspect_mat_matrix(source.files["matrix"], VARIABLE, (COLUMNS_PX * ROWS_PX, 6))

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return the grid f4 (480, 640, 3), mm, camera frame, NaN = nothing, or its colours."""
        path = source.files["matrix"]
        values = read_mat_matrix(path, VARIABLE, (COLUMNS_PX * ROWS_PX, 6))
        return _colors(_image(values[:, 3:]), path) if name == "grid_color" else self._grid(_image(values[:, :3]), path)

    def _grid(self, xyz: np.ndarray, path: Path) -> np.ndarray:
        seen = np.isfinite(xyz).all(axis=2) & (xyz[..., 2] != 0)
        if not seen.any():
            raise Unreadable("unreadable", f"{path.name}: contains no points")
        signs = [1 if self.x == "right" else -1, 1 if self.y == "down" else -1, 1]
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is nothing
            grid = (xyz * (mm_per_unit(self.units) * np.array(signs))).astype(np.float32)
        seen &= np.isfinite(grid).all(axis=2)
        grid[~seen] = np.nan
        self._check_distance(grid[..., 2][seen], path)
        for axis, option, others, along in ((0, "x", ("right", "left"), 1), (1, "y", ("up", "down"), 0)):
            share = growing(grid[..., axis], along)
            given = getattr(self, option)
            other = others[1] if given == others[0] else others[0]
            if share < 1 - CLEAR:
                raise Unreadable("wrong_axes", f"{path.name}: {option} points {other}: set {option}: {other}")
            if share < CLEAR:
                raise Unreadable("wrong_axes", f"{path.name}: {option} does not follow the pixels ({share:.0%} do)")
        return grid

    def _check_distance(self, z_mm: np.ndarray, path: Path) -> None:
        median = float(np.median(z_mm)) if len(z_mm) else 0.0
        if SEEN_MM[0] <= median <= SEEN_MM[1]:
            return
        raw = median / mm_per_unit(self.units)
        fitting = [unit for unit, size in MM_PER_UNIT.items() if SEEN_MM[0] <= raw * size <= SEEN_MM[1]]
        remedy = f"these look like {WORDS[fitting[0]]}: set units: {fitting[0]}" if fitting else "set units"
        said = f"the median distance is {raw:.3g}, and the sensor sees {SEEN_MM[0]:.0f} to {SEEN_MM[1]:.0f} mm"
        raise Unreadable("wrong_units", f"{path.name}: {said}: {remedy}")


def _image(values: np.ndarray) -> np.ndarray:
    """Return values (307200, k) of pixels as an image (480, 640, k): they begin at the top of the rightmost column."""
    columns = values.reshape(COLUMNS_PX, ROWS_PX, -1)
    return columns[::-1].transpose(1, 0, 2)


def _colors(rgb: np.ndarray, path: Path) -> np.ndarray:
    if not ((rgb >= 0) & (rgb <= 255)).all():
        raise Unreadable("bad_color", f"{path.name}: a colour is outside 0 to 255")
    return np.ascontiguousarray(np.rint(rgb), np.uint8)
