"""Arrays of parts: an `.h5` is compared with its digest before it is first read, then stays open for a while."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.h5_file import open_h5
from face3d_data.store.part import BadPart, damage, part_header
from face3d_data.unchanged import stat_of

OPEN_PARTS = 8


def check_arrays(path: Path) -> None:
    """Compare the bytes of a part's `.h5` with the digest that was written with them, once for each state of the file.

    Raises:
        BadPart: they differ, or the rows that hold the digest are gone.
        RunStopped: a file cannot be read.
    """
    with damage(path):
        state = stat_of(path)
        if _checked.get(str(path)) == state:
            return
        header, _ = part_header(path.with_suffix(".jsonl"))
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
    with damage(path):
        offsets, shapes, values = _open(str(path), stat_of(path))[name]
        start, stop = int(offsets[record]), int(offsets[record + 1])
        shape = tuple(int(size) for size in shapes[record])
        if min(shape) < 0:
            raise BadPart(path, f"record {record} has no array {name!r}")
        return values[start:stop].reshape(shape)


class PartArrays:
    """All arrays of a part in memory.

    Args:
        path: its `.h5`, of which `check_arrays` was asked before.
    """

    def __init__(self, path: Path) -> None:

        self._path = path
        with damage(path), open_h5(path) as file:
            self._tables = {
                name: (group["offsets"][:], group["shapes"][:].tolist(), group["values"][:])
                for name, group in file.items()
            }

    def record(self, record: int, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return some arrays of a record.

        Raises:
            BadPart: it lacks one.
        """
        with damage(self._path):
            found = {}
            for name in names:
                offsets, shapes, values = self._tables[name]
                found[name] = values[offsets[record] : offsets[record + 1]].reshape(shapes[record])
            return found


class _OpenPart:
    def __init__(self, path: str) -> None:

        self._file = open_h5(path)
        self._tables: dict[str, tuple[np.ndarray, np.ndarray, Any]] = {}

    def __getitem__(self, name: str) -> tuple[np.ndarray, np.ndarray, Any]:
        if name not in self._tables:
            group = self._file[name]
            self._tables[name] = (group["offsets"][:], group["shapes"][:], group["values"])
        return self._tables[name]


@functools.lru_cache(maxsize=OPEN_PARTS)
def _open(path: str, state: tuple[int, ...]) -> _OpenPart:
    """Open a part; one that was written again under its name is another file."""
    return _OpenPart(path)


def forget_open_parts() -> None:
    """Close the parts that this process holds open (before parts are removed or written again)."""
    _open.cache_clear()
    _checked.clear()
