"""Texas 3D Face Recognition Database: 8-bit range images from stereo, of 118 people."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, PrivateAttr

from face3d_data.errors import Unreadable
from face3d_data.formats.image import read_color
from face3d_data.formats.image_header import check_same_size, read_image_header
from face3d_data.formats.points_2d import read_points_2d
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.strays import Folder, unmatched
from face3d_data.readers.shared.walk import walk
from face3d_data.registry import register

N_FIDUCIALS = 25
FIDUCIALS: tuple[tuple[int, ...], ...] = ((3, 4), (7, 8), (18,), (14,), (15,))
"""Lines, from 0, whose mean is each of the five landmarks: outer and inner corners of the eyes, nose tip, mouth."""
LEAST_LANDMARKS = 3
NEAR_PX = 3
_FIDUCIAL_KEY = re.compile(r"[0-9]{4}_[0-9]{3}_[0-9]{14}")
_GREYS = 255


@register
class Texas3dfrd(FolderReader):
    """Read the Texas 3DFRD: `PreprocessedImages/Clean_0001_001_<14 digits>_Range.png` and `_Portrait.png`.

    The range image has 8 bits: brighter is nearer and 0 is a hole; a pixel and a grey level are 0.32 mm each, as public
    code quotes the database's paper. The portrait matches it pixel by pixel: `grid_color` and `color`.

    If `ManualFiducialPoints` has a text file of 25 points for the capture, `landmarks` and `landmarks_3d` come from it:
    lines 4 and 5 are the left eye's corners, 8 and 9 the right eye's, 15 and 16 those of the mouth, 19 the nose tip;
    left is left in the image (public code searches the left ones at smaller x). [unconfirmed]: that these files have
    the capture's number, person and 14 digits in their names, and whether px count from 0 or 1.
    """

    name = "texas3dfrd"
    version = 1
    in_any_folder = True
    outputs = ("grid", "grid_color", "color", "landmarks", "landmarks_3d")
    tag_names = ("lossy_depth", "number", "time")
    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        "no_range": "a portrait without its range image",
        "no_points": "the range image is all black",
        "not_8_bit_grey": "the range image is not an 8-bit grey image",
        "size_mismatch": "range image and portrait differ in width or height",
        "no_depth_at_landmark": "fewer than three of the five landmarks are on the face in the range image",
    }

    pattern: str | None = Field(
        "[PreprocessedImages/]Clean_{number:int}_{identity}_{time}",
        exclude=True,
        description="pattern of paths below root, without the file ending; must contain {identity}",
    )
    mm_per_px: float = Field(0.32, gt=0, le=100, description="width and height of a pixel of the range image, mm")
    mm_per_grey: float = Field(0.32, gt=0, le=100, description="depth of one grey level, mm")

    _fiducials: dict[str, Path] = PrivateAttr(default_factory=dict)

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of range images and portraits."""
        return {"range": ("_range.png",), "color": ("_portrait.png",)}

    def begin(self) -> None:
        """Find the texts of fiducial points, by the capture's number, person and digits in their names."""
        self._fiducials.clear()
        for folder in walk(self.root):
            for name in folder.files:
                key = _FIDUCIAL_KEY.search(name)
                if _is_fiducial(folder, name) and key is not None:
                    self._fiducials.setdefault(key[0], folder.path / name)

    def scan(self) -> Iterator[Source]:
        """Yield every capture, every picture that fits no name, and every text of fiducials that no capture has.

        The texts of fiducials are read, which are small, as a capture with too few of them has no landmarks.

        Raises:
            UserError: as `FolderReader.scan`.
        """
        used: set[Path] = set()
        for source in super().scan():
            used.update(path for role, path in source.files.items() if role == "fiducials")
            yield source
        for folder in walk(self.root):
            for name in folder.files:
                if _is_fiducial(folder, name) and folder.path / name not in used:
                    yield unmatched(
                        folder, name, "name_not_matched", "belongs to no capture, or to one that has another"
                    )

    def source(self, found: CaptureFiles) -> Source:
        """Return the source of one capture: its two pictures, and its fiducial points where there are any."""
        match, files = found.match, dict(found.files)
        key = _FIDUCIAL_KEY.search(found.stem)
        if key is not None and key[0] in self._fiducials:
            files["fiducials"] = self._fiducials[key[0]]
        problem = None if "range" in files else ("no_range", f"{found.stem} has no _Range.png")
        arrays: list[str] = ["grid"]
        if "color" in files:
            arrays += ["grid_color", "color"]
        try:
            known = np.isfinite(_landmarks(files["fiducials"])).all(axis=1).sum() if "fiducials" in files else 0
        except Unreadable as error:
            problem, known = problem or (error.reason, error.detail), 0
        except OSError:
            known = 0  # its content enters the key too, and there the capture is listed as one to be tried again
        arrays += ["landmarks"] if known == len(FIDUCIALS) else []
        arrays += ["landmarks_3d"] if known >= LEAST_LANDMARKS else []
        tags = {"lossy_depth": True, **match.tags}
        return Source(match.person, match.capture, files, tags=tags, arrays=tuple(arrays), problem=problem)

    def inspect(self, source: Source) -> None:
        """Check the range image's depth in bits, and that the portrait has its size."""
        path = source.files["range"]
        header = read_image_header(path)
        if header.bits != 8 or header.channels != 1:
            raise Unreadable("not_8_bit_grey", f"{path.name}: {header.channels} channels of {header.bits} bits")
        if "color" in source.files:
            portrait = read_image_header(source.files["color"])
            sizes = {"range": (header.width, header.height), "portrait": (portrait.width, portrait.height)}
            check_same_size(sizes)

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array, mm in the camera frame (z = 0 at the brightest grey), px of the pictures."""
        if name in ("color", "grid_color"):
            return read_color(source.files["color"])
        if name == "landmarks":
            return _landmarks(source.files["fiducials"]).astype(np.float32)
        grid = self._grid(source.files["range"])
        if name == "grid":
            return grid
        landmarks = _five(self._places(grid, read_points_2d(source.files["fiducials"], N_FIDUCIALS)))
        if np.isfinite(landmarks).all(axis=1).sum() < LEAST_LANDMARKS:
            raise Unreadable("no_depth_at_landmark", f"{source.files['range'].name}: no grey near the landmarks")
        return landmarks.astype(np.float32)

    def _places(self, grid: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return px (N, 2) as places in the grid's frame, f8 (N, 3), mm, NaN where the grid has nothing near."""
        rows, columns = grid.shape[:2]
        x_y = (points - [(columns - 1) / 2, (rows - 1) / 2]) * self.mm_per_px
        z = np.array([_z_near(grid, point) for point in points])
        return np.where(np.isfinite(z)[:, None], np.column_stack([x_y, z]), np.nan)

    def _grid(self, path: Path) -> np.ndarray:
        grey = read_color(path)[..., 0]
        if not grey.any():
            raise Unreadable("no_points", f"{path.name}: all {grey.size} px are black")
        rows, columns = grey.shape
        grid = np.empty((rows, columns, 3), np.float32)
        grid[..., 0] = (np.arange(columns) - (columns - 1) / 2) * self.mm_per_px
        grid[..., 1] = ((np.arange(rows) - (rows - 1) / 2) * self.mm_per_px)[:, None]
        grid[..., 2] = (_GREYS - grey.astype(np.float64)) * self.mm_per_grey
        grid[grey == 0] = np.nan
        return grid


def _is_fiducial(folder: Folder, name: str) -> bool:
    """Return whether a file is one of fiducial points by its own name or its folder's."""
    low = name.lower()
    is_text = os.path.splitext(low)[1] in (".txt", "") and not low.startswith("readme")
    return is_text and "fiducial" in f"{folder.path.name.lower()}/{low}"


def _landmarks(path: Path) -> np.ndarray:
    return _five(read_points_2d(path, N_FIDUCIALS))


def _five(points: np.ndarray) -> np.ndarray:
    """Return the five landmarks of 25 points, (5, 2) or (5, 3), NaN where one is missing; of a pair the left first."""
    five = np.array([points[list(lines)].mean(axis=0) for lines in FIDUCIALS])
    for left, right in ((0, 1), (3, 4)):
        if five[left, 0] > five[right, 0]:
            five[[left, right]] = five[[right, left]]
    return five


def _z_near(grid: np.ndarray, point: np.ndarray) -> float:
    """Return the z of the grid's point nearest to a px, within a few px; NaN where there is none."""
    if not np.isfinite(point).all():
        return np.nan
    column, row = (round(float(value)) for value in point)
    top, left = max(0, row - NEAR_PX), max(0, column - NEAR_PX)
    window = grid[top : max(0, row + NEAR_PX + 1), left : max(0, column + NEAR_PX + 1), 2]
    down, across = np.nonzero(np.isfinite(window))
    if not len(down):
        return np.nan
    nearest = np.argmin((down + top - point[1]) ** 2 + (across + left - point[0]) ** 2)
    return float(window[down[nearest], across[nearest]])
