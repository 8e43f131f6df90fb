"""Parts, the unit of storage: an HDF5 file of concatenated arrays, then a JSON-lines file of rows that completes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import atomic_path, write_atomic
from face3d_data.digest import canonical, digest, digest_file
from face3d_data.errors import Face3dError, RunStopped, is_refused, refusal
from face3d_data.h5_file import open_h5
from face3d_data.sample import ARRAYS, Tag

BLOCK_BYTES = 4_000_000
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
    rows, records = in_key_order(rows, records)
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


def in_key_order(
    rows: Sequence[PartRow], records: Sequence[Mapping[str, np.ndarray]]
) -> tuple[list[PartRow], list[Mapping[str, np.ndarray]]]:
    """Return rows and records by input key, so that two parts with one id are the same, however they were made."""
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

    with open_h5(path, "w", track_order=False) as file:
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
            start = 0
            for block in _blocks([array for array in arrays if array is not None and array.size]):
                values[start : start + block.size] = block
                start += block.size


def _blocks(arrays: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield arrays one after the other, several at a time: a call of the HDF5 library costs as much as a megabyte."""
    several: list[np.ndarray] = []
    size = 0
    for array in arrays:
        several.append(array.reshape(-1))
        size += array.nbytes
        if size >= BLOCK_BYTES:
            yield np.concatenate(several)
            several, size = [], 0
    if several:
        yield np.concatenate(several)


def read_part_rows(path: Path) -> list[PartRow]:
    """Return the rows of a part, given its `.jsonl`.

    Raises:
        BadPart: the rows are torn or changed, or the arrays beside them are missing or of another size.
        RunStopped: the files cannot be read (no permission, a failing disk), which says nothing of what they hold.
    """
    try:
        with damage(path):
            header, lines = part_header(path)
            if _text_digest(lines) != header["digest"]:
                raise BadPart(path, "its rows were changed")
            rows = [PartRow(**json.loads(line)) for line in lines.splitlines()]
            if header["h5_bytes"] and "h5_sha256" not in header:
                raise BadPart(path, "written by an earlier version, without a digest of its arrays")
    except TypeError as error:
        raise BadPart(path, str(error)) from None
    arrays = path.with_suffix(".h5")
    with damage(arrays):
        if header["h5_bytes"] and arrays.stat().st_size != header["h5_bytes"]:
            raise BadPart(arrays, "another size than written")
    return rows


def row_count(path: Path) -> int:
    """Return how many rows a part has, by the first line of its `.jsonl`, which `read_part_rows` accepted."""
    with open(path, encoding="utf-8") as stream:
        return int(json.loads(stream.readline())["rows"])


def part_header(path: Path) -> tuple[dict[str, Any], str]:
    """Return the first line of a part's `.jsonl`, parsed, and the text of the others."""
    first, _, lines = path.read_text("utf-8").partition("\n")
    header = json.loads(first)
    if not isinstance(header, dict):
        raise BadPart(path, "its first line is not an object")
    return header, lines


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turn into `BadPart` what shows that a file is damaged; a file that cannot be read may well be whole."""
    try:
        yield
    except (ValueError, KeyError, IndexError) as error:
        raise BadPart(path, str(error)) from None
    except OSError as error:
        if is_refused(error):
            raise RunStopped(f"{path} {refusal(error)}") from None
        raise BadPart(path, error.strerror or str(error)) from None
