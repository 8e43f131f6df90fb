"""Rows of a CSV of captures: from one line to files, camera, landmarks and tags."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from face3d_data.errors import Unreadable
from face3d_data.formats.intrinsics import Intrinsics, metres_per_unit, parse_intrinsics, read_intrinsics
from face3d_data.formats.json_file import read_json
from face3d_data.formats.landmarks import landmark_points
from face3d_data.readers.shared.csv_columns import (
    CAMERA_ROLES,
    FILE_ROLES,
    LANDMARK_ROLES,
    MASK_NAMES,
    Columns,
    tag_value,
)
from face3d_data.sample import Tag

_FARTHEST = 3e38  # the arrays are float32
_FEWEST_3D = 3
_CAMERA_CELLS = (*CAMERA_ROLES, "intrinsics", "depth_scale")


class ListRow:
    """A line's cells by role, with the list's folder and what was read of files that lines share."""

    def __init__(self, cells: tuple[str, ...], columns: Columns, folder: Path, shared: dict[Any, Any]) -> None:
        self.cells = cells
        self.columns = columns
        self.folder = folder
        self.shared = shared

    def cell(self, role: str) -> str:
        """Return the text for a role, `""` where there is none."""
        return self.columns.cell(self.cells, role)

    def files(self) -> dict[str, Path]:
        """Return role to file, in the order of the roles.

        Raises:
            Unreadable: `no_file`: the line names none; `missing_file`: one that it names does not exist.
        """
        files = {role: self._path(role) for role in FILE_ROLES if self.cell(role)}
        if not files:
            raise Unreadable("no_file", f"has no file ({', '.join(r for r in FILE_ROLES if r in self.columns.roles)})")
        return files

    def _path(self, role: str) -> Path:
        text = self.cell(role)
        path = os.path.join(self.folder, text)
        if not os.path.isfile(path):
            hint = ": write / between folders" if "\\" in text else ""
            raise Unreadable("missing_file", f"{role}: {text[:200]!r} is not a file{hint}")
        return Path(path)

    def capture(self, person: str) -> str:
        """Return the capture's name: the cell, or else the first file's path without its ending, joined by `_`.

        An absolute path below the list's folder counts from there, so that names are the same on another machine.

        Folders that lead up, and the person's own folder in front, are left out: `ann/day1/03.png` is `day1_03` of
        `ann`.
        """
        given = self.cell("capture")
        if given:
            return given
        path = PurePosixPath(next(self.cell(role) for role in FILE_ROLES if self.cell(role)))
        folder = os.path.abspath(self.folder)
        if path.is_absolute() and path.is_relative_to(folder):
            path = path.relative_to(folder)
        parts = [part for part in path.with_suffix("").parts if part.strip("/.")]
        return "_".join(parts[1:] if len(parts) > 1 and parts[0] == person else parts)

    def tags(self, types: Mapping[str, str]) -> dict[str, Tag]:
        """Return the tags; an empty cell gives none.

        Raises:
            Unreadable: `bad_value`: a cell is not of its column's type.
        """
        tags: dict[str, Tag] = {}
        try:
            for column in self.columns.tags:
                name, text = column.name, self.cells[column.at]
                if text:
                    tags[name] = tag_value(text, types[name])
            name, text = "mask", self.cell("mask")
            if text and text.lower() not in MASK_NAMES:
                raise ValueError(f"{text[:40]!r} is none of {', '.join(MASK_NAMES)}")
        except ValueError as error:
            raise Unreadable("bad_value", f"{name}: {error}") from None
        return tags | ({"mask": MASK_NAMES[text.lower()]} if text else {})

    def camera(self, default: Intrinsics | None) -> dict[str, Any]:
        """Return what is known of the depth's camera: `depth_scale`, and `intrinsics` where something says them.

        Lines with the same cells share one mapping.

        Args:
            default: the camera of lines that give none.

        Raises:
            Unreadable: `bad_intrinsics`; `no_depth_scale`.
        """
        cells = ("camera", *map(self.cell, _CAMERA_CELLS))
        if cells not in self.shared:
            self.shared[cells] = self._describe_camera(default)
        return self.shared[cells]

    def _describe_camera(self, default: Intrinsics | None) -> dict[str, Any]:
        try:
            camera = self._camera() or default
            text = self.cell("depth_scale")
            scale = float(tag_value(text, "float")) if text else camera.depth_scale if camera else None
            scale = None if scale is None else metres_per_unit(scale)
        except ValueError as error:
            raise Unreadable("bad_intrinsics", str(error)) from None
        if scale is None:
            said = "depth without depth_scale: add the column, 0.001 where values are mm"
            raise Unreadable("no_depth_scale", said)
        if camera is None:
            return {"depth_scale": scale}
        intrinsics = {key: value for key, value in camera.record.items() if key != "depth_scale"}
        return {"depth_scale": scale, "intrinsics": intrinsics}

    def _camera(self) -> Intrinsics | None:
        texts = {role: self.cell(role) for role in CAMERA_ROLES if self.cell(role)}
        path = self.cell("intrinsics")
        if path and texts:
            raise ValueError(f"both intrinsics and {next(iter(texts))} are given: give one")
        if path:
            return self._read(path, _read_camera)
        if not texts:
            return None
        values: dict[str, Any] = {}
        for role, text in texts.items():
            try:
                values[role] = tag_value(text, "float")
            except ValueError as error:
                raise ValueError(f"{role}: {error}") from None
        return parse_intrinsics(values, need_scale=False)

    def _read(self, text: str, read: Callable[[Path], Any]) -> Any:
        """Return what a shared file holds, read once a scan.

        Raises:
            ValueError: it cannot be used.
        """
        path = Path(os.path.join(self.folder, text))
        key = (read, path)
        if key not in self.shared:
            try:
                self.shared[key] = read(path)
            except ValueError as error:
                self.shared[key] = error
        found = self.shared[key]
        if isinstance(found, ValueError):
            raise ValueError(str(found).removeprefix(f"{self.folder}{os.sep}"))
        return found

    def landmarks(self, capture: str) -> dict[str, list[list[float | None]]]:
        """Return `landmarks` px (all five known) or `landmarks_3d` (three or more known, None where one is not).

        Raises:
            Unreadable: `bad_landmarks`.
        """
        try:
            path = self.cell("landmarks")
            points = self._entry(path, capture) if path else self._points()
        except ValueError as error:
            raise Unreadable("bad_landmarks", str(error)) from None
        known = [point for point in points if None not in point]
        if known and len(known[0]) == 3:
            return {"landmarks_3d": points} if len(known) >= _FEWEST_3D else {}
        return {"landmarks": points} if known and len(known) == len(points) else {}

    def _entry(self, path: str, capture: str) -> list[list[float | None]]:
        entries = self._read(path, read_json)
        if not isinstance(entries, Mapping):
            raise ValueError(f"{path}: expected an object with landmarks_px, or one with an entry a capture")
        entry = entries if "landmarks_px" in entries else self._named(entries, capture, path)
        try:
            return landmark_points(entry) or []  # type: ignore[return-value]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def _named(self, entries: Mapping[str, Any], capture: str, path: str) -> Mapping[str, Any]:
        stems = [PurePosixPath(self.cell(role)).stem for role in FILE_ROLES if self.cell(role)]
        name = next((name for name in (capture, *stems) if name in entries), None)
        if name is None:
            raise ValueError(f"{path}: no entry for {capture!r} or {stems[0]!r}")
        if not isinstance(entries[name], Mapping):
            raise ValueError(f"{path}: the entry of {name!r} is not an object")
        return entries[name]

    def _points(self) -> list[list[float | None]]:
        """Return the five points of the columns `left_eye_x` and so on, [] where there are none."""
        named = self.columns.landmark_axes
        axes = [axis for axis in named if any(map(self.cell, LANDMARK_ROLES[axis]))]
        if not axes:
            return []
        axes = ["x", "y", "z"] if "z" in axes else ["x", "y"]
        return [self._point([LANDMARK_ROLES[axis][i] for axis in axes]) for i in range(len(LANDMARK_ROLES["x"]))]

    def _point(self, roles: list[str]) -> list[float | None]:
        texts = [self.cell(role) for role in roles]
        if not any(texts):
            return [None] * len(roles)
        point: list[float | None] = []
        for role, text in zip(roles, texts, strict=True):
            try:
                value = float(tag_value(text, "float"))
            except ValueError as error:
                raise ValueError(f"{role}: {error}") from None
            if abs(value) > _FARTHEST:
                raise ValueError(f"{role}: {text[:40]!r} is too large")
            point.append(value)
        return point


def _read_camera(path: Path) -> Intrinsics:
    return read_intrinsics(path, need_scale=False)
