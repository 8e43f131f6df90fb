"""Index of a step's rows: the file of the cache that keeps rows in columns, with the state of the parts they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from face3d_data.atomic import atomic_path
from face3d_data.digest import canonical

VERSION = 2
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
DIGEST_BYTES = 32


@dataclass(frozen=True)
class RowTable:
    """Rows in columns.

    Attributes:
        parts: names of the parts, sorted; column `part` is the place of a row's part in them.
        states: i8 (parts, `STATE`), of their files when they were read.
        columns: the rows, sorted by input key; of one input the newest alone, in the order in which it gave them.
        values: coded field to its values.
    """

    parts: tuple[str, ...]
    states: np.ndarray
    columns: RowColumns
    values: Mapping[str, list[str]]


def save_table(path: Path, table: RowTable) -> None:
    """Write an index: a digest of all that follows, and an `.npz`."""
    about = canonical({"version": VERSION, "parts": table.parts, "values": table.values}).encode()
    with atomic_path(path) as temporary, open(temporary, "w+b") as stream:
        stream.write(bytes(DIGEST_BYTES))
        arrays = {"about": np.frombuffer(about, np.uint8), "states": table.states, **table.columns}
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        digest = _digest(stream)
        stream.seek(0)
        stream.write(digest)


def load_table(path: Path) -> RowTable | None:
    """Return what an index holds; nothing of one that is missing, torn, damaged, or of another version."""
    try:
        with open(path, "rb") as stream:
            if stream.read(DIGEST_BYTES) != _digest(stream):
                return None
            stream.seek(DIGEST_BYTES)
            with np.load(stream, allow_pickle=False) as stored:
                about = json.loads(stored["about"].tobytes())
                if about["version"] != VERSION:
                    return None
                columns = {name: stored[name] for name in (*KEYS, *NUMBERS, *CODED)}
                return RowTable(tuple(about["parts"]), stored["states"], columns, about["values"])
    except OSError:
        return None


def _digest(stream: BinaryIO) -> bytes:
    """Return the digest of what follows the digest in an index."""
    stream.seek(DIGEST_BYTES)
    whole = hashlib.blake2b(digest_size=DIGEST_BYTES)
    while block := stream.read(1 << 20):
        whole.update(block)
    return whole.digest()
