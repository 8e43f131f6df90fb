"""Collections of any layout, from a CSV with one line per capture: its files, its person and its tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.delimited import ListHeader, ListRecord, read_header, read_lines
from face3d_data.formats.image import read_color, read_depth_png
from face3d_data.formats.intrinsics import Intrinsics, read_intrinsics
from face3d_data.formats.landmarks import left_in_image_first
from face3d_data.formats.npy import read_depth_npy
from face3d_data.formats.npy_grid import read_grid_npy
from face3d_data.reader import Reader, Source
from face3d_data.readers.shared.axes import AXES_REASONS, check_grid_axes, check_landmark_axes
from face3d_data.readers.shared.csv_columns import (
    CAMERA_ROLES,
    FILE_ROLES,
    LANDMARK_ROLES,
    Columns,
    infer_type,
    plan_columns,
    with_points,
)
from face3d_data.readers.shared.csv_files import check_files
from face3d_data.readers.shared.csv_points import POINT_REASONS, read_points
from face3d_data.readers.shared.csv_row import ListRow
from face3d_data.readers.shared.folder import NAME_REASONS, bad_name
from face3d_data.readers.shared.rgbd_camera import CAMERA_ARRAYS, CAMERA_TEXT, camera_array, depth_mm
from face3d_data.readers.shared.units import UNIT_REASONS, UNITS_TEXT, Units, check_face_size, mm_per_unit, survey_units
from face3d_data.registry import register


@register
class CsvReader(Reader):
    """Read any layout from a CSV that lists files, person and tags: `identity,color,depth,points,expression,…`.

    Reserved columns: `identity`; `capture` (derived from the first file's path if missing or empty); files `color`,
    `depth` (16-bit PNG or NPY), `grid` (NPY, H x W x 3), `grid_color`, `points` (a cloud, or a mesh's vertices); a
    camera `fx,fy,cx,cy` or `intrinsics` (a camera file: ours, RealSense's, Open3D's, ROS', OpenCV's), and `depth_scale`
    (metres per unit of depth, 1 for metres; or units per metre from 10 on); `landmarks` (a JSON file as `rgbd_folder`
    reads it) or `left_eye_x,left_eye_y,…` in px, with `…_z` in the frame and unit of the points (of a pair, the one on
    the left in the image comes first, whatever its name); `mask` (none, worn). Every other column is a tag: int, float,
    flag (true, false) or text, whichever all its cells allow. An empty cell means unknown.

    Paths are relative to `root`, with `/` between folders. They may be absolute or lead up (`../shared/x.png`): the
    user's own list decides where files are. The CSV is UTF-8 with commas, semicolons or tabs, without line breaks in
    cells. Colour is rotated to its EXIF orientation unless there is depth, with which it must stay aligned.
    """

    name = "csv"
    version = 4
    outputs = ("color", "depth", *CAMERA_ARRAYS, "grid", "grid_color", "points", "landmarks", "landmarks_3d")
    reasons: ClassVar[dict[str, str]] = {
        **{name: NAME_REASONS[name] for name in ("bad_name", "same_name", "unreadable")},
        **UNIT_REASONS,
        **AXES_REASONS,
        **POINT_REASONS,
        "bad_line": "the line has a different number of fields than the header or an open quote, or is not UTF-8",
        "no_identity": "the line has no person",
        "no_file": "the line has no file",
        "missing_file": "a file of the line does not exist",
        "bad_value": "a tag or the mask does not have its column's type",
        "bad_intrinsics": "the line's camera cannot be used",
        "no_depth_scale": "there is depth, but the unit of its values is unknown",
        "bad_landmarks": "the line's landmarks cannot be used",
        "size_mismatch": "colour, depth and camera, or grid and its colour, differ in size, or depth is not aligned",
        "depth_8bit": "the depth image has 8 bits per pixel, which is not enough for depth",
    }

    file: Path = Field(exclude=True, description="the CSV; a changed line affects only its own capture")
    root: Path | None = Field(
        None, exclude=True, description="folder that paths in it are relative to [the CSV's folder]"
    )
    columns: dict[str, str] = Field(
        {}, exclude=True, description="role or tag to the name of its column: {color: path, identity: subject}"
    )
    tag_columns: tuple[str, ...] | None = Field(
        None,
        exclude=True,
        description="columns to use as tags, name or name:type (str int float flag) [all]",
    )
    intrinsics: Path | None = Field(
        None,
        exclude=True,
        description=f"camera of lines without one. {CAMERA_TEXT}",
    )
    units: Units = Field("mm", description=UNITS_TEXT + " (grid, points and 3D landmarks)")
    up: Literal["y", "-y"] = Field(
        "y", description="axis that points up in grid, points and 3D landmarks: -y is the camera frame"
    )

    @model_validator(mode="before")
    @classmethod
    def _beside(cls, values: Any) -> Any:
        """Let the root be the folder of the CSV where none is given."""
        if isinstance(values, dict) and values.get("root") is None and isinstance(values.get("file"), str | Path):
            return {**values, "root": Path(values["file"]).parent}
        return values

    @property
    def _needed(self) -> list[str]:
        return [self.columns.get("identity", "identity")]

    def _columns(self, header: ListHeader) -> Columns:
        return plan_columns(header.names, self.columns, self.tag_columns, f"{self.name}: {self.file.name}")

    def _plan(self) -> Columns:
        try:
            return self._columns(read_header(self.file, self._needed))
        except ValueError as error:
            raise self._wrong_list(error) from None

    def _wrong_list(self, error: ValueError) -> UserError:
        remedy = ", or map columns: {identity: NAME}" if "no column" in str(error) else ""
        return UserError(f"{self.name}: {error}: correct it{remedy}")

    def declared_tags(self) -> tuple[str, ...]:
        """Return the tags that the CSV's header names.

        Raises:
            UserError: it cannot be read.
        """
        return tuple(column.name for column in self._plan().tags)

    def provides(self) -> tuple[str, ...]:
        """Return the arrays that the CSV's columns can give.

        Raises:
            UserError: it cannot be read.
        """
        roles = self._plan().roles
        marks = [all(role in roles for role in LANDMARK_ROLES[axis]) for axis in "xyz"]
        camera = self.intrinsics is not None or "intrinsics" in roles or all(role in roles for role in CAMERA_ROLES)
        given = {role: role in roles for role in FILE_ROLES} | {
            **dict.fromkeys(CAMERA_ARRAYS, camera and "depth" in roles),
            "landmarks": "landmarks" in roles or (marks[0] and marks[1]),
            "landmarks_3d": all(marks),
        }
        return tuple(name for name in self.outputs if given[name])

    def scan(self) -> Iterator[Source]:
        """Yield a source for every line of the CSV, bad ones included.

        Raises:
            UserError: the CSV or the `intrinsics` file cannot be used.
        """
        try:
            header, records = read_lines(self.file, self._needed)
            lines = list(records)
        except ValueError as error:
            raise self._wrong_list(error) from None
        try:
            camera = read_intrinsics(self.intrinsics, need_scale=False) if self.intrinsics is not None else None
        except ValueError as error:
            raise UserError(f"{self.name}: intrinsics: {error}: correct it, or name another file") from None
        columns = self._columns(header)
        if not lines:
            raise UserError(f"{self.name}: {self.file}: there are no lines after the header")
        if header.delimiter == ";":
            lines = with_points(lines, columns)
        good = [line.cells for line in lines if line.fault is None]
        types = {tag.name: tag.type or infer_type(cells[tag.at] for cells in good) for tag in columns.tags}
        shared: dict[Path, Any] = {}
        seen: dict[tuple[str, str], int] = {}
        for line in lines:
            row = ListRow(line.cells, columns, self._folder, shared)
            yield self._source(line, row, types, camera, seen)

    @property
    def _folder(self) -> Path:
        return self.root if self.root is not None else self.file.parent

    def _source(
        self,
        line: ListRecord,
        row: ListRow,
        types: dict[str, str],
        camera: Intrinsics | None,
        seen: dict[tuple[str, str], int],
    ) -> Source:
        person, files = "", {}
        try:
            if line.fault is not None:
                raise Unreadable("bad_line", line.fault)
            person = row.cell("identity")
            if not person:
                raise Unreadable("no_identity", "the identity is empty")
            files = row.files()
            capture = row.capture(person)
            wrong = bad_name(person, "person") or bad_name(capture, "capture")
            if wrong:
                raise Unreadable("bad_name", wrong)
            if (person, capture) in seen:
                raise Unreadable(
                    "same_name", f"line {seen[person, capture]} is {person}/{capture} already: name captures"
                )
            source = self._capture(person, capture, files, row, types, camera)
        except Unreadable as error:
            detail = f"{self.file.name} line {line.number}: {error.detail}"
            return Source(person or ".", f"line {line.number}", files, problem=(error.reason, detail))
        seen[person, capture] = line.number
        return source

    def _capture(
        self, person: str, capture: str, files: dict[str, Path], row: ListRow, types: dict[str, str],
        default: Intrinsics | None,
    ) -> Source:  # fmt: skip
        tags = row.tags(types)
        record: dict[str, Any] = dict(row.landmarks(capture))
        arrays = {*files, *record}
        if "depth" in files:
            record |= row.camera(default)
            arrays |= record.keys() & {"intrinsics"} | record.get("intrinsics", {}).keys() & {"distortion"}
        if "grid_color" in files and "grid" not in files:
            raise Unreadable("no_file", "grid_color without grid")
        return Source(person, capture, files, record or None, 0, tags, tuple(n for n in self.outputs if n in arrays))

    def survey(self, sources: Sequence[Source]) -> None:
        """Refuse the whole collection where most faces have another size than faces have, or are upside down.

        Raises:
            UserError: naming the unit or the axis to set.
        """
        survey_units(self, sources, reasons=(*UNIT_REASONS, "wrong_axes"))

    def inspect(self, source: Source) -> None:
        """Compare the headers of a capture's files with each other and with its camera."""
        camera = source.record.get("intrinsics") if "depth" in source.files else None
        check_files(source.files, camera)

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array; depth, grid, points and 3D landmarks in mm and in the camera frame."""
        if name in ("color", "grid_color"):
            return read_color(source.files[name], turn_by_exif=name == "color" and "depth" not in source.files)
        if name == "depth":
            path = source.files[name]
            depth = read_depth_png(path) if path.suffix.lower() != ".npy" else read_depth_npy(path)
            record = source.record
            return depth_mm(depth, {**record.get("intrinsics", {}), "depth_scale": record["depth_scale"]}, path.name)
        if name in CAMERA_ARRAYS:
            return camera_array(source.record["intrinsics"], name)
        if name == "landmarks":
            return left_in_image_first(np.array(source.record[name], np.float32))
        if name == "landmarks_3d":
            return self._landmarks_3d(source)
        path = source.files[name]
        points = self._in_camera_frame(read_grid_npy(path) if name == "grid" else read_points(path))
        if name == "points" and not np.isfinite(points).all():
            raise Unreadable("unreadable", f"{path.name}: a coordinate is too large for 32 bits")
        check_face_size(points.reshape(-1, 3), path.name, self.units)
        if name == "grid":
            check_grid_axes(points, path.name, self._other_up)
        if "landmarks_3d" in (source.record or {}):
            self._landmarks_3d(source)
        return points

    @property
    def _other_up(self) -> str:
        return f"set up: {'-y' if self.up == 'y' else 'y'}"

    def _landmarks_3d(self, source: Source) -> np.ndarray:
        points = self._in_camera_frame(np.array(source.record["landmarks_3d"], np.float32))  # None becomes NaN
        check_landmark_axes(points, f"landmarks of {next(iter(source.files.values())).name}", self._other_up)
        return left_in_image_first(points)

    def _in_camera_frame(self, points: np.ndarray) -> np.ndarray:
        """Return points f4 (…, 3) in mm with y down and z forward: with y up, rotated by 180 degrees about x."""
        scale = mm_per_unit(self.units)
        with np.errstate(over="ignore"):  # what overflows is no face, and is found by its size
            points = (points if scale == 1 else points * np.float64(scale)).astype(np.float32)
        return points if self.up == "-y" else points * np.array([1, -1, -1], np.float32)
