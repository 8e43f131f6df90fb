"""Shard writer: contiguous, preallocated, streamed row by row, the same bytes whenever a shard is rebuilt."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from face3d_data.atomic import atomic_path, write_atomic
from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.h5_file import open_h5
from face3d_data.sample import Tag
from face3d_data.shards.contents import CONTENT_FIELDS, content_form, content_of, hash_rows
from face3d_data.shards.mapped import MappedShard, ShardHeader
from face3d_data.shards.schema import SCHEMA_VERSION, TEXT_DATASETS, DatasetSpec, stored_name

Read = Callable[[Any, str], np.ndarray]
WRITTEN = ".written"
"""Folder of a dataset that is being made: a digest for each shard that is finished."""


class ShardRow(NamedTuple):
    """One sample of a shard; `place` is where its arrays are read from."""

    sample_id: str
    identity: str
    variant: str
    root: str
    place: Any


OF_A_ROW = ("sample_id", "identity", "variant", "root")
"""Columns that a shard keeps of a row; its `content` rests on its arrays."""


@dataclass(frozen=True)
class ShardTask:
    """One shard to be written by a worker.

    Attributes:
        folder: the dataset's folder while it is made.
        name: path in that folder.
        made_of: digest of all that decides the shard's bytes.
        shapes: field to the shape that it has in every row.
        array_attributes: field to attributes of its array, beside the unit.
    """

    folder: Path
    split: str
    name: str
    made_of: str
    rows: Sequence[ShardRow]
    spec: DatasetSpec
    shapes: Mapping[str, tuple[int, ...]]
    array_attributes: Mapping[str, Mapping[str, Tag]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Path of the shard while the dataset is made."""
        return self.folder / self.name


@dataclass(frozen=True)
class ShardInfo:
    """What is known of a written shard.

    Attributes:
        name: path in the dataset's folder.
        made_of: digest of all that decides its bytes.
        header: where its arrays are in the file.
        contents: `content` of each row, S (n,).
        reused: it was there already, from a run that was stopped or from another version of the dataset.
    """

    name: str
    made_of: str
    sha256: str
    header: ShardHeader
    contents: np.ndarray
    reused: bool = False

    @property
    def n_rows(self) -> int:
        """How many samples it holds."""
        return self.header.rows


def write_shard(task: ShardTask, read: Read) -> ShardInfo:
    """Write one shard completely or not at all; one that is there already and complete is kept.

    Memory: one sample at a time.

    Args:
        task: what to write and where.
        read: gives one array of the row at a place.

    Raises:
        UserError: a row's array has another shape than planned, or does not fit into float16.
    """
    task = replace(task, rows=list(task.rows))  # its rows are made where they are asked for
    digest = _digest_of_written(task) if is_complete(task) else ""
    reused = bool(digest)
    if not reused:
        with atomic_path(task.path) as temporary:
            _write(task, read, temporary)
            digest = digest_file(temporary)
        write_atomic(_record(task), digest)
    shard = MappedShard(task.path)
    return ShardInfo(task.name, task.made_of, digest, shard.header, shard.arrays["content"].copy(), reused)


def _record(task: ShardTask) -> Path:
    """Return the file that says that a shard was written whole, and its digest."""
    return task.folder / WRITTEN / f"{task.path.name}.sha256"


def _digest_of_written(task: ShardTask) -> str:
    """Return the digest of a shard that is there, empty unless it is the one that it had when it was written."""
    try:
        digest = digest_file(task.path)
        return digest if _record(task).read_text("utf-8") == digest else ""
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def forget_written(folder: Path) -> None:
    """Remove the records of finished shards from a dataset's folder, before it is described and published."""
    shutil.rmtree(folder / WRITTEN, ignore_errors=True)


def is_complete(task: ShardTask) -> bool:
    """Return whether the task's file is there with exactly the planned rows and arrays."""
    try:
        shard = MappedShard(task.path)
    except (OSError, ValueError, KeyError):
        return False
    dtypes = {name: np.dtype(task.spec.stored_dtype(name)) for name in task.shapes}
    want = {stored_name(name): (dtypes[name], (len(task.rows), *shape)) for name, shape in task.shapes.items()}
    have = {name: (shard.arrays[name].dtype, shard.arrays[name].shape) for name in want if name in shard.arrays}
    texts = all(name in shard.arrays for name in TEXT_DATASETS)
    return (
        texts
        and want == have
        and all(shard.texts(name) == [getattr(row, name) for row in task.rows] for name in OF_A_ROW)
    )


def _write(task: ShardTask, read: Read, path: Path) -> None:

    with open_h5(path, "w", libver=("earliest", "v110")) as file:
        file.attrs.update({"schema_version": SCHEMA_VERSION, "split": task.split, "made_of": task.made_of})
        targets = {name: _allocate(file, task, name) for name in task.shapes}
        for name in OF_A_ROW:
            _write_texts(file, name, [getattr(row, name) for row in task.rows])
        contents = [""] * len(task.rows)
        frames = None
        if task.spec.normalize:
            frames = (np.zeros((len(task.rows), 3), "f4"), np.zeros(len(task.rows), "f4"))
        for place in _reading_order(task.rows):
            contents[place] = _write_row(task, read, place, targets, frames)
        _write_texts(file, "content", contents)
        if frames is not None:
            for name, values in zip(("centroid", "scale"), frames, strict=True):
                file.create_dataset(name, data=values, track_times=False).attrs["unit"] = "mm"


def _reading_order(rows: Sequence[ShardRow]) -> list[int]:
    """Return the rows' places in the shard in the order in which their arrays lie in the store."""
    return sorted(range(len(rows)), key=lambda i: rows[i].place.order)


def _allocate(file: Any, task: ShardTask, name: str) -> Any:
    """Make a contiguous dataset whose space is there from the start, so that it can be memory-mapped."""
    import h5py

    shape = (len(task.rows), *task.shapes[name])
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_layout(h5py.h5d.CONTIGUOUS)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    dtype = h5py.h5t.py_create(np.dtype(task.spec.stored_dtype(name)), logical=True)
    space = h5py.h5s.create_simple(shape)
    dataset = h5py.Dataset(h5py.h5d.create(file.id, stored_name(name).encode(), dtype, space, creation))
    unit = task.spec.unit(name)
    if unit:
        dataset.attrs["unit"] = unit
    dataset.attrs.update(task.array_attributes.get(name, {}))
    return dataset


def _write_texts(file: Any, name: str, texts: Sequence[str]) -> None:
    """Write texts at a fixed width: variable ones would lie in a heap, and cost a read each."""
    import h5py

    raw = [text.encode() for text in texts]
    width = max([1, *map(len, raw)])
    dtype = h5py.string_dtype("utf-8", width)
    file.create_dataset(name, data=np.array(raw, f"S{width}").astype(dtype), track_times=False)


def _write_row(
    task: ShardTask,
    read: Read,
    index: int,
    targets: Mapping[str, Any],
    frames: tuple[np.ndarray, np.ndarray] | None,
) -> str:
    """Write one row and return its `content`."""
    row, hashes = task.rows[index], {}
    for name, target in targets.items():
        array = read(row.place, name)
        if array.shape != tuple(task.shapes[name]):
            raise UserError(
                f"dataset field {name!r}: {row.sample_id} has shape {array.shape} where others have "
                f"{tuple(task.shapes[name])}: add a stage before it that makes them equal"
            )
        if name == "points" and frames is not None:
            array, frames[0][index], frames[1][index] = to_unit_sphere(array)
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(array).astype(target.dtype, copy=False)
        if target.dtype == np.float16 and not np.isfinite(stored).all() and np.isfinite(array).all():
            raise UserError(f"dataset field {name!r}: {row.sample_id} does not fit into float16: use dtype: float32")
        target[index] = stored
        if name in CONTENT_FIELDS:
            form = content_form(name, task.spec.stored_dtype(name), task.spec.normalize)
            hashes[form] = hash_rows(stored[None], name)[0]
    return content_of(hashes)


def to_unit_sphere(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return points moved to their centroid and divided by the largest distance from it, with both.

    Args:
        points: float32 (N, 3), mm.

    Returns:
        Points float32 (N, 3) inside the unit sphere, centroid float32 (3,) in mm, scale in mm.
    """
    centroid = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = points - centroid
    scale = np.float32(np.sqrt((centred.astype(np.float64) ** 2).sum(axis=1).max(initial=0.0)) or 1.0)
    return (centred / scale).astype(np.float32), centroid, float(scale)
