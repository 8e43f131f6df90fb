"""Shards of a dataset as its dataset.json describes them, or one shard by its own header; nothing of them is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.errors import UserError, is_refused, refusal
from face3d_data.json_text import parse_json
from face3d_data.numpy_files import load_npy
from face3d_data.shards.mapped import ArrayPlaces, MappedShard, ShardHeader, read_layout
from face3d_data.shards.schema import (
    DESCRIPTION,
    SCHEMA_VERSION,
    STORED_NAMES,
    TEXT_DATASETS,
    labels_name,
    split_order,
    stored_name,
)

AGAIN = "run the pipeline again"
ENDING = "_files.txt"
"""Ending of the list of a split's shards."""


def read_description(path: str | Path) -> dict[str, Any]:
    """Return what dataset.json in a dataset's folder says.

    Raises:
        UserError: the file is missing, cannot be read, or has another schema version.
    """
    path = Path(path)
    try:
        info = parse_json((path / DESCRIPTION).read_text("utf-8"))
    except (OSError, ValueError) as error:
        if is_refused(error):
            raise UserError(f"{path}: {DESCRIPTION} {refusal(error)}") from None
        raise UserError(f"{path}: is not a dataset (no readable {DESCRIPTION} in it): use the folder of one") from None
    version = info.get("schema_version") if isinstance(info, dict) else None
    if version != SCHEMA_VERSION:
        raise UserError(f"{path}: schema version {version}, this version reads {SCHEMA_VERSION}: build it again")
    return info


def splits_in(path: str | Path) -> list[str]:
    """Return the names of a dataset's splits, empty ones included."""
    return split_order([found.name.removesuffix(ENDING) for found in Path(path).glob(f"*{ENDING}")])


@dataclass(frozen=True)
class FoundShards:
    """Shards in the order of their rows.

    Attributes:
        paths: where they are.
        headers: how many rows each has, and where its arrays are in the file.
        bytes: size of each file; None where nobody recorded it.
        arrays: array, by its name in shards, to dtype and shape of one row, the same in all of them.
        labels_of: for each split, the file of its labels and how many of them to leave out at its start.
    """

    paths: Sequence[Path]
    headers: Sequence[ShardHeader]
    bytes: Sequence[int | None]
    arrays: Mapping[str, tuple[np.dtype, tuple[int, ...]]]
    labels_of: Sequence[tuple[Path, int]]

    @property
    def rows(self) -> list[int]:
        """How many samples each has."""
        return [header.rows for header in self.headers]

    def chosen(self, fields: Sequence[str] | None) -> tuple[str, ...]:
        """Return the fields that are asked for, by their names in samples: all arrays of a sample by default.

        Raises:
            UserError: the shards have no such array, or one of them lacks an array of the first.
        """
        if not self.paths:
            return ()
        field_of = {stored: name for name, stored in STORED_NAMES.items()}
        there = {field_of.get(name, name) for name in (*self.arrays, *self.headers[0].offsets)}
        own = sorted(there - set(TEXT_DATASETS))
        asked = own if fields is None else [field_of.get(name, name) for name in fields]
        lacking = next((name for name in asked if name not in there), None)
        if lacking is not None:
            others = ", ".join(own) or f"nothing: {AGAIN}"
            raise UserError(f"{self.paths[0]}: contains no {lacking!r} (there: {others})")
        stored = [stored_name(name) for name in asked]
        for path, header in zip(self.paths, self.headers, strict=True):
            gone = next((name for name in stored if name not in header.offsets), None)
            if gone is not None or not asked:
                what = f"the array {gone!r}" if gone is not None else "arrays of samples"
                raise UserError(f"{path}: is damaged: it lacks {what}: {AGAIN}")
        return tuple(asked)

    def map(self, number: int) -> MappedShard:
        """Map one shard into memory.

        Raises:
            UserError: it is missing or cannot be read, or has another size than dataset.json says.
        """
        path, size = self.paths[number], self.bytes[number]
        try:
            have = path.stat().st_size
            if size is not None and have != size:
                raise ValueError(f"it has {have} bytes where {DESCRIPTION} says {size}")
            return MappedShard(path, self._places(number))
        except (OSError, ValueError, KeyError) as error:
            raise UserError(_unreadable(path, error)) from None

    def _places(self, number: int) -> ArrayPlaces:
        return self.headers[number].places(self.arrays)

    def labels(self, size: int) -> np.ndarray:
        """Return the labels of all rows, int64 (size,).

        Raises:
            UserError: their file is missing, or holds others.
        """
        if not self.labels_of:
            raise UserError(
                f"{self.paths[0]}: a shard by itself has no labels: keep it in its dataset's folder, "
                f"{labels_name('<split>')} and {DESCRIPTION} with it"
            )
        parts = []
        for path, skipped in self.labels_of:
            try:
                parts.append(load_npy(path, mapped=True)[skipped:])
            except (OSError, ValueError) as error:
                raise UserError(_unreadable(path, error, "labels")) from None
        labels = np.concatenate(parts)[:size]
        if labels.shape != (size,) or labels.dtype != np.int64:
            files = ", ".join(path.name for path, _ in self.labels_of)
            raise UserError(f"{files}: {labels.dtype} {labels.shape}, expected int64 ({size},): {AGAIN}")
        return labels


def _unreadable(path: Path, error: Exception, what: str = "a shard") -> str:
    if is_refused(error):
        return f"{path}: {refusal(error)}"
    return f"{path}: cannot be read as {what} ({error}): {AGAIN}"


def find_shards(path: str | Path, split: str | Sequence[str] | None) -> FoundShards:
    """Return the shards of some splits of a dataset, or the one shard that `path` is.

    Args:
        path: a dataset's folder, or a shard.
        split: a split or several, one after the other; None for a shard.

    Raises:
        UserError: no dataset, no such split, or a split for a shard.
    """
    path = Path(path)
    if path.is_file():
        if split is not None:
            raise UserError(f"{path}: is a single shard: omit 'split', or use the dataset's folder")
        return _one_shard(path)
    info, splits = read_description(path), splits_in(path)
    if split is None:
        raise UserError(f"{path}: choose a split ({', '.join(splits)})")
    asked = [split] if isinstance(split, str) else list(split)
    names = []
    for one in asked:
        if one not in splits:
            raise UserError(f"{path}: has no split {one!r} (there: {', '.join(splits)})")
        names += [name for name in (path / f"{one}{ENDING}").read_text("utf-8").split("\n") if name]
    headers = [_header(path, name, info) for name in names]
    sizes = [info.get("bytes", {}).get(name) for name in names]
    labels = [(path / labels_name(one), 0) for one in asked]
    return FoundShards([path / name for name in names], headers, sizes, _arrays_of(path, info), labels)


def _header(path: Path, name: str, info: Mapping[str, Any]) -> ShardHeader:
    try:
        return ShardHeader.of(info["shards"][name])
    except (KeyError, TypeError):
        raise UserError(f"{path / DESCRIPTION}: does not describe the shard {name}: {AGAIN}") from None


def _arrays_of(path: Path, info: Mapping[str, Any]) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    try:
        return {
            stored: (np.dtype(form["dtype"]), tuple(info["shapes"][form["field"]]))
            for stored, form in info["arrays"].items()
        }
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path / DESCRIPTION}: does not describe its arrays: {AGAIN}") from None


def _one_shard(path: Path) -> FoundShards:
    try:
        layout = read_layout(path)
        if "sample_id" not in layout.arrays:
            raise ValueError("it contains no 'sample_id'")
        header = MappedShard(path, layout.arrays).header
    except (OSError, ValueError) as error:
        raise UserError(_unreadable(path, error)) from None
    arrays = {
        name: (dtype, shape[1:]) for name, (dtype, shape, _) in layout.arrays.items() if name not in header.widths
    }
    return FoundShards([path], [header], [None], arrays, _labels_beside(path))


def _labels_beside(path: Path) -> list[tuple[Path, int]]:
    """Return where the labels of a shard are, if it is in the folder of its dataset."""
    folder, name = path.parent.parent, f"{path.parent.name}/{path.name}"
    for one in splits_in(folder):
        names = (folder / f"{one}{ENDING}").read_text("utf-8").split("\n")
        if name in names:
            info = read_description(folder)
            before = sum(_header(folder, other, info).rows for other in names[: names.index(name)])
            return [(folder / labels_name(one), before)]
    return []
