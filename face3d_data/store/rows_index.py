"""Index of a part's rows: the file beside a step's parts that keeps the rows of one of them in columns.

It records the state of the part's two files, and counts only while they are as they were then.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.atomic import atomic_path
from face3d_data.digest import canonical
from face3d_data.store.part import PartRow
from face3d_data.unchanged import stat_of

VERSION = 4
TEXTS = ("status", "reason", "detail", "variant", "identity_suffix", "trace")
VALUES = ("tags", "shapes", "dropped", "carried")
CODED = (*TEXTS, *VALUES)
"""Fields of a row with few values: a code each, and the values once, those of `VALUES` as JSON."""
KEYS = ("input", "key")
NUMBERS = ("part", "record", "attempt", "stored")
OWN_NUMBERS = ("record", "attempt", "stored")
"""Those that a row has itself."""
STATE = 8
"""Numbers of a part's state: size, mtime, ctime (ns) and inode of its rows, then of its arrays, 0 where it has none."""

RowColumns = dict[str, np.ndarray]
"""`input` and `key` as bytes, `NUMBERS`, and codes of `CODED`; one row an output, or an input without one."""
FOLDER = "index"
"""Folder of the indexes, beside `parts`."""
DIGEST_BYTES = 32


@dataclass(frozen=True)
class RowTable:
    """Rows in columns.

    Attributes:
        parts: names of the parts, sorted; column `part` is the place of a row's part in them.
        states: i8 (parts, `STATE`), of their files when they were read.
        columns: the rows; those of one input one after the other, in the order in which it gave them.
        values: coded field to its values.
    """

    parts: tuple[str, ...]
    states: np.ndarray
    columns: RowColumns
    values: Mapping[str, list[str]]


def index_path(part: Path) -> Path:
    """Return the path of a part's index, given its `.jsonl` or `.h5`."""
    return part.parent.parent / FOLDER / f"{part.stem}.rows"


def part_state(rows: Path) -> tuple[int, ...]:
    """Return the state of a part's two files, given its `.jsonl`; one that is not there has zeros."""
    found: list[int] = []
    for path in (rows, rows.with_suffix(".h5")):
        try:
            found += stat_of(path)
        except FileNotFoundError:
            found += [0] * (STATE // 2)
    return tuple(found)


def table_of(name: str, state: Sequence[int], rows: Sequence[PartRow]) -> RowTable:
    """Return the rows of one part in columns."""
    columns: RowColumns = {field: np.array([getattr(row, field).encode() for row in rows], "S") for field in KEYS}
    columns |= {field: _small(np.array([getattr(row, field) for row in rows], np.int64)) for field in OWN_NUMBERS}
    columns["part"] = np.zeros(len(rows), np.uint8)
    values: dict[str, list[str]] = {}
    for field in CODED:
        codes: dict[str, int] = {}
        texts = (getattr(row, field) if field in TEXTS else canonical(getattr(row, field)) for row in rows)
        columns[field] = _small(np.array([codes.setdefault(text, len(codes)) for text in texts], np.int64))
        values[field] = list(codes)
    return RowTable((name,), np.array([state], np.int64).reshape(1, STATE), columns, values)


def _small(column: np.ndarray) -> np.ndarray:
    """Return numbers in the smallest type that holds them."""
    if not len(column):
        return column
    return column.astype(np.promote_types(np.min_scalar_type(column.min()), np.min_scalar_type(column.max())))


def save_table(path: Path, table: RowTable) -> None:
    """Write the index of one part: a digest of all that follows, a line of JSON, and an array in NumPy's format.

    It is not flushed to the disk: what a loss of power leaves of it does not fit its digest.
    """
    columns = {name: table.columns[name] for name in (*KEYS, *OWN_NUMBERS, *CODED)}
    rows = np.empty(len(columns["input"]), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    about = {"version": VERSION, "state": table.states[0].tolist(), "values": table.values}
    content = io.BytesIO()
    content.write(canonical(about).encode() + b"\n")
    np.save(content, rows, allow_pickle=False)
    with atomic_path(path, flushed=False) as temporary:
        temporary.write_bytes(_digest(content.getbuffer()) + content.getbuffer())


def load_table(path: Path, state: Sequence[int]) -> RowTable | None:
    """Return what the index of a part holds.

    Nothing of one that is missing, torn, damaged, of another version, or of another state of the part's files.

    Args:
        path: as `index_path` gives it.
        state: of the part's files as they are now.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    whole = memoryview(content)[DIGEST_BYTES:]
    if content[:DIGEST_BYTES] != _digest(whole):
        return None
    stream = io.BytesIO(whole)
    about = json.loads(stream.readline())
    if about["version"] != VERSION or about["state"] != list(state):
        return None
    rows = np.load(stream, allow_pickle=False)
    columns: RowColumns = {name: rows[name] for name in rows.dtype.names}
    columns["part"] = np.zeros(len(rows), np.uint8)
    return RowTable((path.stem,), np.array([state], np.int64), columns, about["values"])


def _digest(content: Any) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
