"""Base of readers of folders of scans: units, axes, landmarks next to the scans, and each file read once."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from face3d_data.errors import ContractError, Unreadable, did_you_mean
from face3d_data.formats.json_file import finite_number, read_json
from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.reader import Source
from face3d_data.readers.shared.folder import NAME_REASONS, CaptureFiles, FolderReader
from face3d_data.readers.shared.mesh_points import last_read
from face3d_data.readers.shared.strays import PICTURES, Folder
from face3d_data.readers.shared.units import UNIT_REASONS, UNITS_TEXT, Units, check_face_size, mm_per_unit, survey_units

Axis = Literal["x", "-x", "y", "-y", "z", "-z"]
FRONT_BY_UP: dict[str, Axis] = {"y": "z", "-y": "-z", "z": "-y", "-z": "y", "x": "z", "-x": "-z"}
"""Where a face looks if only its up is given: y up is a scanner's or a viewer's frame, -y a camera's, z Blender's."""
LANDMARKS_KEY = "landmarks_3d"
_KNOWN_KEYS = (LANDMARKS_KEY, "landmarks_px")
LANDMARKS_SUFFIX = ".landmarks.json"
MOST_LANDMARK_BYTES = 1 << 16
LEAST_KNOWN = 3
_PAIRS = ((0, 1), (3, 4))
_FARTHEST_MM = 1e7
"""Coordinates beyond it are damage: 10 km."""


class ScanFolder(FolderReader):
    """Base of the readers of scans in files: `<root>/<person>/<capture><suffix>`, or as `pattern` says.

    Landmarks may be next to the scans, in the scan's own unit and axes: `<capture>.landmarks.json` with
    `{"landmarks_3d": {"nose": [x, y, z], ...}}`, or `landmarks.json` in the folder, with one such object for each
    capture. Names are left_eye, right_eye, nose, mouth_left, mouth_right; one that is missing or null is unknown, and
    with fewer than three there is no array. Of a pair, the one on the left in the image comes first, however named.
    """

    reasons: ClassVar[dict[str, str]] = {
        **NAME_REASONS,
        **UNIT_REASONS,
        "no_scan": "landmarks without a scan next to them",
        "bad_landmarks": "the landmarks next to the scan cannot be used",
    }
    scan_suffixes: ClassVar[tuple[str, ...]] = ()
    companions = (*PICTURES, ".mtl")

    units: Units = Field("mm", description=UNITS_TEXT)
    up: Axis = Field(
        "y", description="axis of the files that points up: y; z as in Blender; -y for a camera's frame (y down)"
    )
    front: Axis | None = Field(
        None, description="axis along which the face looks, if not z for up y, -z for -y, -y for z, y for -z"
    )

    @model_validator(mode="after")
    def _axes_differ(self) -> ScanFolder:
        if self.front is not None and self.front[-1] == self.up[-1]:
            raise ValueError(f"up {self.up} and front {self.front} must be two axes")
        return self

    def read(self, path: Path) -> dict[str, np.ndarray]:
        """Return the arrays of one file in its own unit and axes, `points` among them, f8 (N, 3), and `normals`."""
        raise ContractError(f"reader {self.name!r} defines no read")

    def arrays_in(self, path: Path) -> tuple[str, ...]:
        """Return which arrays `read` will give, looking at no more than the beginning of the file."""
        raise ContractError(f"reader {self.name!r} defines no arrays_in")

    def suffixes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the endings of scans and of their landmarks."""
        return {"scan": self.scan_suffixes, "landmarks": (LANDMARKS_SUFFIX,)}

    def begin(self) -> None:
        """Clear what the last scan read."""
        _entries_in.cache_clear()

    def _group(self, folder: Folder) -> tuple[dict[str, dict[str, str]], list[tuple[str, tuple[str, str]]]]:
        """Group a folder's files; textures and photographs beside scans are no captures and no fault."""
        groups, others = super()._group(folder)
        return groups, [
            (name, problem)
            for name, problem in others
            if problem[0] != "name_not_matched" or not name.lower().endswith(PICTURES)
        ]

    def source(self, found: CaptureFiles) -> Source:
        """Return the source of one scan and its landmarks."""
        match, files = found.match, found.files
        if "scan" not in files:
            problem = ("no_scan", f"{files['landmarks'].name} has no {' or '.join(self.scan_suffixes)} next to it")
            return Source(match.person, match.capture, files, tags=match.tags, problem=problem)
        try:
            landmarks = _landmarks(found)
        except ValueError as error:
            detail = str(error).removeprefix(f"{found.folder.path}/")
            return Source(match.person, match.capture, files, tags=match.tags, problem=("bad_landmarks", detail))
        known = sum(point is not None for point in landmarks or ())
        names = self.arrays_in(files["scan"]) + (("landmarks_3d",) if known >= LEAST_KNOWN else ())
        return Source(match.person, match.capture, files, {"landmarks": landmarks}, 0, match.tags, names)

    def inspect(self, source: Source) -> None:
        """Refuse an empty file before any stage runs."""
        if source.files["scan"].stat().st_size == 0:
            raise Unreadable("unreadable", f"{source.files['scan'].name}: byte 0: the file is empty")

    def survey(self, sources: Sequence[Source]) -> None:
        """Refuse the whole collection where most of a few captures are not as large as faces are."""
        survey_units(self, sources)

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array, mm in the camera frame."""
        if name == "landmarks_3d":
            rows = [[np.nan] * 3 if point is None else point for point in source.record["landmarks"]]
            return left_first(self.to_camera(np.array(rows, np.float64) * mm_per_unit(self.units)))
        arrays = last_read(self, source.files["scan"], self.converted)
        if name not in arrays:
            raise Unreadable("unreadable", f"{source.files['scan'].name}: contains no {name}")
        return arrays[name]

    def to_camera(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors (N, 3) along the file's axes as f4 in the camera frame: x right, y down, z forward; exactly.

        The image's right is up x front, so that nothing is mirrored.
        """
        up, front = _unit(self.up), _unit(self.front or FRONT_BY_UP[self.up])
        turn = np.stack([np.cross(up, front), -up, -front])
        axes = np.abs(turn).argmax(axis=1)
        return np.ascontiguousarray(vectors[:, axes] * turn[range(3), axes], np.float32)

    def converted(self, path: Path) -> dict[str, np.ndarray]:
        """Return the arrays of one file in the camera frame, in mm, having checked that they are as large as a face."""
        arrays = self.read(path)
        points_mm = arrays["points"] * mm_per_unit(self.units)
        farthest = float(np.abs(points_mm).max())
        if not farthest < _FARTHEST_MM:
            raise Unreadable(
                "unreadable", f"{path.name}: a coordinate is {farthest:g} mm: the file is damaged, or has another unit"
            )
        arrays["points"] = self.to_camera(points_mm)
        check_face_size(arrays["points"], path.name, self.units)
        if "normals" in arrays:
            arrays["normals"] = self.to_camera(arrays["normals"])
        return arrays


def left_first(landmarks: np.ndarray) -> np.ndarray:
    """Return landmarks f4 (5, 3), camera frame, with the eye and mouth corner first that are left in the image."""
    landmarks = np.array(landmarks, np.float32)
    for left, right in _PAIRS:
        if landmarks[left, 0] > landmarks[right, 0]:
            landmarks[[left, right]] = landmarks[[right, left]]
    return landmarks


def _unit(axis: str) -> np.ndarray:
    vector = np.zeros(3, np.int64)
    vector["xyz".index(axis[-1])] = -1 if axis[0] == "-" else 1
    return vector


@lru_cache(maxsize=64)
def _entries_in(folder: Path) -> Mapping[str, Any] | str:
    try:
        entries = read_json(folder / "landmarks.json")
    except ValueError as error:
        return str(error)
    return entries if isinstance(entries, Mapping) else "landmarks.json: expected an object with one entry a capture"


def _landmarks(found: CaptureFiles) -> list[list[float] | None] | None:
    """Return the five points of a capture, None for those that are unknown, or None where nothing is given.

    Raises:
        ValueError: the file or the entry cannot be used.
    """
    own = found.files.get("landmarks")
    if own is not None:
        if own.stat().st_size > MOST_LANDMARK_BYTES:
            raise ValueError(f"{own.name}: larger than {MOST_LANDMARK_BYTES} bytes")
        return _five(read_json(own), own.name)
    if "landmarks.json" not in found.folder.files:
        return None
    entries = _entries_in(found.folder.path)
    if isinstance(entries, str):
        raise ValueError(entries)
    entry = entries.get(found.stem)
    return None if entry is None else _five(entry, f"landmarks.json: {found.stem}")


def _five(entry: Any, where: str) -> list[list[float] | None] | None:
    points = entry
    if isinstance(entry, Mapping) and not any(name in entry for name in LANDMARK_NAMES):
        other = next((key for key in entry if key.startswith("landmark") and key not in _KNOWN_KEYS), None)
        if other is not None:
            raise ValueError(f"{where}: key {reprlib.repr(other)} is not known: name it {LANDMARKS_KEY}")
        points = entry.get(LANDMARKS_KEY)
        if points is None:
            return None
    if not isinstance(points, Mapping):
        raise ValueError(f"{where}: {LANDMARKS_KEY} must be an object with {', '.join(LANDMARK_NAMES)}")
    for name in points:
        if name not in LANDMARK_NAMES:
            known = did_you_mean(str(name), LANDMARK_NAMES) or f" (known: {', '.join(LANDMARK_NAMES)})"
            raise ValueError(f"{where}: {LANDMARKS_KEY}: no landmark is named {reprlib.repr(name)}{known}")
    return [_point(points.get(name), f"{where}: {LANDMARKS_KEY}.{name}") for name in LANDMARK_NAMES]


def _point(value: Any, where: str) -> list[float] | None:
    if value is None:
        return None
    if type(value) is list and len(value) == 3 and all(finite_number(each) and abs(each) < 1e12 for each in value):
        return [float(each) for each in value]
    raise ValueError(f"{where} = {reprlib.repr(value)} must be three finite numbers, or null")
