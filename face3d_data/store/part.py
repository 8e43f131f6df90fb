"""Parts, the unit of storage: an HDF5 file of concatenated arrays, then a JSON-lines file of rows that completes it."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import atomic_path, write_atomic
from face3d_data.digest import canonical, digest, digest_file
from face3d_data.errors import Face3dError, RunStopped, is_refused, refusal
from face3d_data.sample import ARRAYS, Tag

OPEN_PARTS = 8
NO_RECORD = -1
RETRIED = "error"
"""Status that does not count as done."""


class BadPart(Face3dError):
    """A part is torn, changed or unreadable: it counts as absent.

    Args:
        path: its `.jsonl` or `.h5`.
        why: what is wrong.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why

    def __reduce__(self) -> tuple[type[BadPart], tuple[Path, str]]:
        return type(self), (self.path, self.why)

    def discard(self) -> None:
        """Remove the rows that record the part, so that the next run makes it again."""
        self.path.with_suffix(".jsonl").unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class PartRow:
    """What one stage made of one input: an output, or why there is none.

    Attributes:
        input: key of the input; all outputs of one input are in one part.
        key: key of the output; empty unless `status` is `ok`.
        status: ok, reject, unreadable (the reader's reject), error or crash.
        detail: why there is no output; of one that there is, what was remarked of its file (`remarks.py`).
        shapes: name to shape of the arrays that the stage set; they lie in the part at `record`, if they are `stored`.
        carried: name to shape of arrays that earlier stages of the same task set, and that lie at `record` too.
        stored: false where a later stage of the same task took the arrays over, and none was written (`pipeline/fuse`).
    """

    input: str
    key: str = ""
    status: str = "ok"
    reason: str = ""
    detail: str = ""
    variant: str = ""
    identity_suffix: str = ""
    tags: Mapping[str, Tag] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    dropped: Sequence[str] = ()
    record: int = NO_RECORD
    attempt: int = 1
    trace: str = ""
    carried: Mapping[str, Sequence[int]] = field(default_factory=dict)
    stored: bool = True

    @property
    def held(self) -> dict[str, Sequence[int]]:
        """Return name to shape of every array at `record`."""
        return {**self.carried, **self.shapes} if self.record != NO_RECORD else {}


_FIELDS = tuple(item.name for item in fields(PartRow))
_DEFAULTS = {name: getattr(PartRow(""), name) for name in _FIELDS}


def part_id(rows: Sequence[PartRow]) -> str:
    """Return the id of the part that holds these rows: a digest of its input keys, and of which arrays are there.

    So a part is only ever replaced by one with the same arrays: another run may be reading it.
    """
    keys = sorted({row.input for row in rows})
    layout = sorted([row.input, row.key, row.stored, sorted(row.carried)] for row in rows)
    plain = all(row.stored and not row.carried for row in rows)
    return digest(keys) if plain else digest(keys, layout)


def write_part(folder: Path, rows: Sequence[PartRow], records: Sequence[Mapping[str, np.ndarray]]) -> str:
    """Write the arrays, then the rows that make them count, each completely or not at all.

    Args:
        folder: the step's `parts` folder.
        rows: `row.record` is the row's place in `records`, or `NO_RECORD`.
        records: one mapping of name to array for each stored sample.

    Returns:
        The part's id.
    """
    rows, records = _in_key_order(rows, records)
    name = part_id(rows)
    size, content = 0, ""
    if records:
        arrays_path = folder / f"{name}.h5"
        with atomic_path(arrays_path) as temporary:
            _write_arrays(temporary, records)
            size, content = temporary.stat().st_size, digest_file(temporary)
    lines = "".join(_line(row) for row in rows)
    header = {"rows": len(rows), "h5_bytes": size, "h5_sha256": content, "digest": _text_digest(lines)}
    write_atomic(folder / f"{name}.jsonl", canonical(header) + "\n" + lines)
    return name


def _in_key_order(
    rows: Sequence[PartRow], records: Sequence[Mapping[str, np.ndarray]]
) -> tuple[list[PartRow], list[Mapping[str, np.ndarray]]]:
    """Order rows and records by input key, so that two parts with one id are the same, however they were made."""
    ordered: list[PartRow] = []
    kept: list[Mapping[str, np.ndarray]] = []
    for row in sorted(rows, key=lambda row: row.input):
        if row.record != NO_RECORD:
            kept.append(records[row.record])
            row = replace(row, record=len(kept) - 1)
        ordered.append(row)
    return ordered, kept


def _line(row: PartRow) -> str:
    values = {name: getattr(row, name) for name in _FIELDS if getattr(row, name) != _DEFAULTS[name]}
    return canonical(values) + "\n"


def _text_digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _write_arrays(path: Path, records: Sequence[Mapping[str, np.ndarray]]) -> None:
    import h5py

    with h5py.File(path, "w", track_order=False) as file:
        for name in dict.fromkeys(name for record in records for name in record):
            arrays = [record.get(name) for record in records]
            ndim = len(ARRAYS[name].shape)
            sizes = [0 if array is None else array.size for array in arrays]
            offsets = np.concatenate([[0], np.cumsum(sizes)]).astype("i8")
            shapes = np.array([(-1,) * ndim if array is None else array.shape for array in arrays], "i8")
            group = file.create_group(name)
            group.create_dataset("offsets", data=offsets, track_times=False)
            group.create_dataset("shapes", data=shapes, track_times=False)
            values = group.create_dataset("values", (int(offsets[-1]),), ARRAYS[name].dtype, track_times=False)
            for array, start in zip(arrays, offsets[:-1], strict=True):
                if array is not None and array.size:
                    values[start : start + array.size] = np.ascontiguousarray(array).reshape(-1)


def read_part_rows(path: Path) -> list[PartRow]:
    """Return the rows of a part, given its `.jsonl`.

    Raises:
        BadPart: the rows are torn or changed, or the arrays beside them are missing or of another size.
        RunStopped: the files cannot be read (no permission, a failing disk), which says nothing of what they hold.
    """
    try:
        with _damage(path):
            header, lines = _header(path)
            if _text_digest(lines) != header["digest"]:
                raise BadPart(path, "its rows were changed")
            rows = [PartRow(**json.loads(line)) for line in lines.splitlines()]
            if header["h5_bytes"] and "h5_sha256" not in header:
                raise BadPart(path, "written by an earlier version, without a digest of its arrays")
    except TypeError as error:
        raise BadPart(path, str(error)) from None
    arrays = path.with_suffix(".h5")
    with _damage(arrays):
        if header["h5_bytes"] and arrays.stat().st_size != header["h5_bytes"]:
            raise BadPart(arrays, "another size than written")
    return rows


def _header(path: Path) -> tuple[dict[str, Any], str]:
    """Return the first line of a part's `.jsonl`, parsed, and the text of the others."""
    first, _, lines = path.read_text("utf-8").partition("\n")
    header = json.loads(first)
    if not isinstance(header, dict):
        raise BadPart(path, "its first line is not an object")
    return header, lines


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Turn into `BadPart` what shows that a file is damaged; a file that cannot be read may well be whole."""
    try:
        yield
    except (ValueError, KeyError, IndexError) as error:
        raise BadPart(path, str(error)) from None
    except OSError as error:
        if is_refused(error):
            raise RunStopped(f"{path} {refusal(error)}") from None
        raise BadPart(path, error.strerror or str(error)) from None


def check_arrays(path: Path) -> None:
    """Compare the bytes of a part's `.h5` with the digest that was written with them, once for each state of the file.

    Raises:
        BadPart: they differ, or the rows that hold the digest are gone.
        RunStopped: a file cannot be read.
    """
    with _damage(path):
        stat = os.stat(path)
        state = (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if _checked.get(str(path)) == state:
            return
        header, _ = _header(path.with_suffix(".jsonl"))
        if digest_file(path) != header["h5_sha256"]:
            raise BadPart(path, "its bytes are not those that were written")
    _checked[str(path)] = state


_checked: dict[str, tuple[int, ...]] = {}
"""Path of each `.h5` that this process has compared with its digest to the state that the file was in."""


def read_array(path: Path, record: int, name: str) -> np.ndarray:
    """Return one array of one record of a part's `.h5`; the files opened last stay open in this process.

    Before a file is first read, all of it is compared with its digest.

    Raises:
        BadPart: the file is damaged or lacks the array.
        RunStopped: it cannot be read.
    """
    check_arrays(path)
    with _damage(path):
        stat = os.stat(path)
        offsets, shapes, values = _open(str(path), stat.st_ino, stat.st_mtime_ns)[name]
        start, stop = int(offsets[record]), int(offsets[record + 1])
        shape = tuple(int(size) for size in shapes[record])
        if min(shape) < 0:
            raise BadPart(path, f"record {record} has no array {name!r}")
        return values[start:stop].reshape(shape)


class _OpenPart:
    def __init__(self, path: str) -> None:
        import h5py

        self._file = h5py.File(path, "r")
        self._tables: dict[str, tuple[np.ndarray, np.ndarray, Any]] = {}

    def __getitem__(self, name: str) -> tuple[np.ndarray, np.ndarray, Any]:
        if name not in self._tables:
            group = self._file[name]
            self._tables[name] = (group["offsets"][:], group["shapes"][:], group["values"])
        return self._tables[name]


@functools.lru_cache(maxsize=OPEN_PARTS)
def _open(path: str, inode: int, mtime_ns: int) -> _OpenPart:
    """Open a part; one that was written again under its name is another file."""
    return _OpenPart(path)


def forget_open_parts() -> None:
    """Close the parts that this process holds open (before parts are removed or written again)."""
    _open.cache_clear()
    _checked.clear()
