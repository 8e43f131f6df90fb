"""HDF5 files of point clouds, one row per capture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_pixels, check_points
from face3d_data.formats.h5_points import StoredArray, read_arrays, read_point_rows
from face3d_data.formats.h5_texts import read_texts
from face3d_data.names import check_id_part, encode_part
from face3d_data.reader import Reader, Source
from face3d_data.readers.shared.folder import NAME_REASONS
from face3d_data.readers.shared.hdf5_files import H5File, find_files, strays_of
from face3d_data.readers.shared.hdf5_people import WHO, people_of
from face3d_data.readers.shared.strays import STRAY_REASONS
from face3d_data.readers.shared.units import UNIT_REASONS, UNITS_TEXT, Units, check_face_size, mm_per_unit, survey_units
from face3d_data.registry import register
from face3d_data.remarks import remark
from face3d_data.sample import ARRAYS, POSITIONS

STORED = {"points": "data", "normals": "normal"}
"""Names that ModelNet's files and ours give to arrays; others have their own."""
TEXTS = ("sample_id", "variant", "root")
MIRRORED = "%7E"
"""In the name of a person, where our shards and our exports' shape_names.txt have `~mirror`: read as a capture, such a
face would be a different person, and a split could separate the two."""
FRAMES = ("centroid", "scale")
"""What our normalised shards have, and our exports of them: mm = data * scale + centroid."""
_KINDS = {"SV": "texts", "iuSV": "whole numbers or texts", "f": "float numbers", "u": "uint8 numbers"}
"""What is said of the types that an array may have (NumPy's letters)."""
TURNED = ("points", "normals", *POSITIONS, "grid")
ROW_BYTES = 4
"""Least bytes of the file per row."""


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is known of one file's rows before any point of it is read."""

    n: int
    fields: tuple[str, ...]
    people: Sequence[str]
    captures: Sequence[str]
    variants: Sequence[str]
    problems: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    roots: Sequence[str] = ()


@register
class Hdf5(Reader):
    """Read clouds from HDF5, one row per capture: ModelNet-style files, face HDF5 (`data, pid, class`), our own shards.

    The arrays read are `data` (n, points, 3) and `normal`. The person of a row is in `identity`, `pid`, `class` or
    `label`, the first that the file has, as numbers or strings; a `shape_names.txt` next to the file, or in a folder
    above it, names the labels. Files listed in a `*_files.txt` get the tag `list` (`train`). Our shards record their
    unit, and rows that they normalised are scaled back to mm; for other files set `units`, and points on a unit sphere
    are refused until it is set to their radius. Our shards and exports also record the recording of each row (`root`),
    so that a split recognises it. Rows that are variants of others (masked, augmented, mirrored) are listed as dirty
    unless `variants` is set: read as captures they would make pairs of a recording with itself.
    """

    name = "hdf5"
    version = 1
    outputs = tuple(name for name in ARRAYS if name != "pose")
    tag_names = ("list", "shard_variant")
    reasons: ClassVar[dict[str, str]] = {
        "unreadable": "the file, or this row of it, is damaged, truncated, or not supported by the reader",
        "missing_file": "a *_files.txt names a file that does not exist",
        "no_points": "the row has no finite points",
        "no_name": "the row's label is below 0, or shape_names.txt has no line for it",
        "variant": "the row is a variant of another one: set variants: true to read it",
        **{reason: NAME_REASONS[reason] for reason in ("bad_name", "same_name")},
        **STRAY_REASONS,
        **UNIT_REASONS,
    }

    root: Path = Field(exclude=True, description="folder of the files, or one file")
    files: str | None = Field(
        None, exclude=True, description="name of a list of files to read (train_files.txt) [all files]"
    )
    person: Literal["identity", "pid", "class", "label"] | None = Field(
        None,
        exclude=True,
        description="array with the person of each row [the first of these that exists]",
    )
    fields: tuple[str, ...] = Field(
        ("points", "normals"), exclude=True, description="arrays to read, if a file has them"
    )
    variants: bool = Field(
        False, exclude=True, description="also read variants of other rows, tagged with `shard_variant`"
    )
    units: Units = Field("mm", description=UNITS_TEXT + " (on a unit sphere: its radius in mm)")
    up: Literal["y", "-y"] = Field("y", description="axis that points up: y as after align_3d, -y is the camera frame")

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in fields if name not in cls.outputs]
        if unknown or "points" not in fields:
            what = f"{unknown[0]!r} is not read" if unknown else "'points' are needed"
            raise ValueError(f"{what}: choose points and any of {', '.join(cls.outputs)}")
        return fields

    def provides(self) -> tuple[str, ...]:
        """Return the arrays asked for."""
        return self.fields

    def scan(self) -> Iterator[Source]:
        """Yield a source for every row of every file, and one for every file that cannot be read.

        Raises:
            UserError: there is no file, or a list cannot be read.
        """
        found = find_files(self.root, self.files, self.name)
        seen: set[tuple[str, str]] = set()
        for one in found:
            if one.problem is not None:
                yield self._bad(one, one.problem, seen)
                continue
            try:
                rows = self._rows(one)
            except Unreadable as error:
                yield self._bad(one, (error.reason, error.detail), seen)
                continue
            except OSError as error:
                yield self._bad(one, ("unreadable", f"{one.label}: {error.strerror or error}"), seen)
                continue
            for row in range(rows.n):
                yield self._source(one, rows, row, seen)
        yield from strays_of(self.root)

    def _bad(self, one: H5File, problem: tuple[str, str], seen: set[tuple[str, str]]) -> Source:
        files = {"h5": one.path} if one.path.is_file() and one.label == one.name and one.problem is None else {}
        seen.add((".", one.label))
        return Source(".", one.label, files, problem=problem)

    def _source(self, one: H5File, rows: _Rows, row: int, seen: set[tuple[str, str]]) -> Source:
        person, capture, variant = rows.people[row], rows.captures[row], rows.variants[row]
        tags = {"list": one.list_name} if one.list_name else {}
        problem = rows.problems.get(row)
        wrong = check_id_part(person, "person") or check_id_part(capture, "capture")
        if problem is None and wrong:
            problem = ("bad_name", f"{one.label}: row {row}: {wrong}")
        if problem is None and (person, capture) in seen:
            problem = ("same_name", f"{one.label}: row {row}: another row is {person}/{capture}: set files")
        if variant not in ("", "plain"):
            tags["shard_variant"] = variant
            if problem is None and not self.variants:
                problem = ("variant", f"{one.label}: row {row} is {variant!r} of another row")
        if problem is not None and problem[0] in ("bad_name", "same_name", "no_name"):
            person, capture = ".", f"{one.label} row {row}"
        seen.add((person, capture))
        root = rows.roots[row] if rows.roots else ""
        return Source(person, capture, {"h5": one.path}, None, row, tags, rows.fields, problem, root=root)

    def _rows(self, one: H5File) -> _Rows:
        """Return what a file's rows are called, having held its arrays against each other."""
        arrays = self._arrays(one.path)
        data = arrays.get("data")
        if data is None:
            raise Unreadable("unreadable", f"{one.label}: contains no 'data': expected data (n, points, 3)")
        n = data.shape[0]
        for name, array in arrays.items():
            self._check(one.label, name, array, n)
        fields = tuple(name for name in self.fields if self._is_given(one, name, arrays))
        if n > one.path.stat().st_size // ROW_BYTES:
            raise Unreadable("unreadable", f"{one.label}: 'data' has {n} rows in {one.path.stat().st_size} bytes")
        texts = {name: read_texts(one.path, arrays[name]) for name in (*WHO, *TEXTS) if _is_text(arrays.get(name))}
        people, problems = people_of(one, arrays, texts, self.person)
        ids = texts.get("sample_id")
        identities = texts.get("identity")
        if ids is not None and identities is not None:
            captures = [_capture(text, who) for text, who in zip(ids, identities, strict=True)]
        else:
            stem = one.label.rsplit(".", 1)[0].replace("/", "_")
            captures = [f"{stem}_{row:06d}" for row in range(n)]
        variants = texts.get("variant") or ["mirror" if MIRRORED in who else "" for who in people]
        return _Rows(n, fields, people, captures, variants, problems, texts.get("root", ()))

    def _is_given(self, one: H5File, name: str, arrays: Mapping[str, StoredArray]) -> bool:
        """Return whether a file has an array; normals that are all zero, as many writers leave them, do not count."""
        stored = arrays.get(STORED.get(name, name))
        if stored is None or name != "normals" or not stored.shape[0]:
            return stored is not None
        last = stored.shape[0] - 1
        try:
            return any(read_point_rows(one.path, stored, row, row + 1).any() for row in sorted({0, last // 2, last}))
        except Unreadable:
            return True  # each row says when it is read whether the damage is in it

    def _arrays(self, path: Path) -> dict[str, StoredArray]:
        names = (*(STORED.get(name, name) for name in self.fields), *WHO, *TEXTS, *FRAMES)
        return read_arrays(path, dict.fromkeys(names))

    def _check(self, label: str, name: str, array: StoredArray, n: int) -> None:
        """Refuse an array that has other rows than `data`, or another form than it should."""
        wanted: tuple[int | str, ...]
        if name in ("identity", *TEXTS):
            kinds, wanted = "SV", ()
        elif name in WHO:
            kinds, wanted = "iuSV", (1,) if len(array.shape) == 2 else ()
        elif name in FRAMES:
            kinds, wanted = "f", (3,) if name == "centroid" else ()
        else:
            spec = ARRAYS[next(field for field in self.fields if STORED.get(field, field) == name)]
            kinds, wanted = ("u" if spec.dtype == "u1" else "f"), spec.shape
        sizes = array.shape[1:]
        fits = len(sizes) == len(wanted) and all(
            isinstance(want, str) or want == have for want, have in zip(wanted, sizes, strict=True)
        )
        if kinds == "u" and array.dtype != np.uint8:
            fits = False
        if not fits or array.dtype.kind not in kinds or array.shape[0] != n:
            form = ", ".join(map(str, (n, *wanted)))
            held = "texts" if array.dtype.kind in "SV" else str(array.dtype)
            said = f"{name!r} is {held} {array.shape}, expected {_KINDS[kinds]} ({form})"
            raise Unreadable("unreadable", f"{label}: {said}")
        if name == "data":
            check_points(array.shape[1], label)
        elif wanted[:2] == ("H", "W"):
            check_pixels(array.shape[2], array.shape[1], label)
        if name == "data" and not array.shape[1]:
            raise Unreadable("no_points", f"{label}: 'data' has rows without points")

    def survey(self, sources: Sequence[Source]) -> None:
        """Refuse a collection in another unit as a whole."""
        survey_units(self, sources)

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array of a row; points in mm."""
        path, row = source.files["h5"], source.index
        arrays = self._arrays(path)
        stored = arrays.get(STORED.get(name, name))
        if stored is None or row >= stored.shape[0]:
            raise Unreadable("unreadable", f"{path.name}: row {row}: has no {name!r} any more")
        with np.errstate(all="ignore"):
            values = read_point_rows(path, stored, row, row + 1)[0].astype(ARRAYS[name].dtype)
        if name == "points":
            if "normals" not in source.arrays and "normals" in self.fields and STORED["normals"] in arrays:
                remark(f"{path.name}: its normals have no direction: they are ignored")
            values = self._in_mm(path, arrays, row, values)
        if self.up == "y" and name in TURNED:
            values = values * np.array([1, -1, -1], np.float32)
        return values

    def _in_mm(self, path: Path, arrays: Mapping[str, StoredArray], row: int, points: np.ndarray) -> np.ndarray:
        """Return a row's points in mm, as its file or the option `units` says."""
        where = f"{path.name}: row {row}"
        if not np.isfinite(points).all(axis=1).any():
            raise Unreadable("no_points", f"{where}: no points are finite")
        if all(name in arrays for name in FRAMES):
            centroid, scale = (read_point_rows(path, arrays[name], row, row + 1)[0] for name in FRAMES)
            with np.errstate(all="ignore"):
                return (points * np.float32(scale) + centroid.astype(np.float32)).astype(np.float32)
        if "sample_id" in arrays and "identity" in arrays:
            return points
        with np.errstate(all="ignore"):
            points = points * np.float32(mm_per_unit(self.units))
        check_face_size(points, where, self.units)
        return points


def _is_text(array: StoredArray | None) -> bool:
    return array is not None and array.dtype.kind in "SV"


def _capture(sample_id: str, identity: str) -> str:
    """Return what an id says after the person, as a capture's name: `d/p0/c0` of `d/p0` is `c0`."""
    person = identity.partition("~")[0]
    return encode_part(sample_id.removeprefix(f"{person}/"))
