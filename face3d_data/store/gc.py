"""Garbage collection of parts that nothing needs, and the rewriting of small ones and of those with unused rows."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

import numpy as np

from face3d_data.atomic import TEMPORARY_SUFFIX
from face3d_data.store.merge import SMALL_BYTES, blocks, merge_parts, part_bytes
from face3d_data.store.part import row_count
from face3d_data.store.part_arrays import forget_open_parts
from face3d_data.store.rows_index import FOLDER
from face3d_data.store.step_rows import StepRows
from face3d_data.store.workspace import StepCache, Workspace

HOLES = 0.1
"""A part is written again where nothing needs a larger share of its rows."""


@dataclass
class Garbage:
    """What `gc` found: paths to remove, and why."""

    paths: list[tuple[Path, str]] = field(default_factory=list)

    def add(self, path: Path, why: str) -> None:
        """Take a file or folder into the list."""
        self.paths.append((path, why))

    def freed_bytes(self) -> int:
        """Return the bytes that removing them frees: a file that has another name elsewhere stays."""
        names: Counter[tuple[int, int]] = Counter()
        files: dict[tuple[int, int], os.stat_result] = {}
        for path, _ in self.paths:
            for found in (path,) if path.is_file() else path.rglob("*"):
                stat = found.lstat()
                if S_ISREG(stat.st_mode):
                    names[stat.st_dev, stat.st_ino] += 1
                    files[stat.st_dev, stat.st_ino] = stat
        return sum(stat.st_size for file, stat in files.items() if names[file] >= stat.st_nlink)


def find_garbage(workspace: Workspace, reached: Mapping[str, np.ndarray]) -> Garbage:
    """Return what no complete run reaches.

    Args:
        workspace: the workspace, held by the caller.
        reached: cache folder's name to the input keys, S (n,), that the last complete runs used of it.
    """
    garbage = Garbage()
    for folder in sorted(path for path in workspace.cache.glob("*") if path.is_dir()):
        if folder.name not in reached:
            garbage.add(folder, "no last complete run uses this step")
            continue
        for path in _dead_parts(StepCache(folder), reached[folder.name]):
            garbage.add(path, "none of its rows is used")
    for path in sorted(workspace.root.rglob(f"*{TEMPORARY_SUFFIX}")):
        garbage.add(path, "left by a process that was killed")
    for path in sorted(workspace.datasets.glob("*.partial")):
        garbage.add(path, "a dataset that was not finished")
    return garbage


def _dead_parts(cache: StepCache, live: np.ndarray) -> Iterator[Path]:
    rows = cache.rows()
    _, parts, _ = rows.by_input()
    used = {rows.paths[part].stem for part in np.unique(parts[_found(rows, live)]).tolist()}
    for path in sorted([*cache.parts.glob("*"), *(cache.folder / FOLDER).glob("*.rows")]):
        if path.suffix in (".h5", ".jsonl", ".rows") and path.stem not in used:
            yield path
    yield from cache.folder.glob("rows.index")  # of an earlier version


def remove(garbage: Garbage) -> None:
    """Delete everything on the list, rows before the arrays that they speak for."""
    forget_open_parts()
    for path, _ in sorted(garbage.paths, key=lambda item: item[0].suffix != ".jsonl"):
        if path.is_dir():
            _remove_folder(path)
        else:
            path.unlink(missing_ok=True)


def _remove_folder(path: Path) -> None:
    """Remove a folder in one step: half of a dataset must never be found under its name."""
    gone = path
    if not path.name.endswith(TEMPORARY_SUFFIX):
        gone = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
        os.rename(path, gone)
    shutil.rmtree(gone)


@dataclass(frozen=True)
class Rewriting:
    """Parts of one step that are to be written again: small ones, and those with many rows that nothing needs.

    Attributes:
        parts: by their `.jsonl`, with the bytes that will be left of each.
        dead_rows: rows that go.
        dead_bytes: about as many bytes as they take.
        kept: input keys whose rows stay, S (n,).
    """

    parts: Sequence[tuple[Path, int]]
    dead_rows: int
    dead_bytes: int
    kept: np.ndarray


def find_rewriting(cache: StepCache, live: np.ndarray) -> Rewriting:
    """Return which parts of a step are worth writing again.

    Args:
        cache: the step's cache.
        live: input keys to keep, S (n,); the others' rows go.
    """
    rows = cache.rows()
    inputs, parts, counts = rows.by_input()
    wanted = _found(rows, live)
    paths = [path.with_suffix(".jsonl") for path in rows.paths]
    live_rows = np.bincount(parts[wanted], counts[wanted], len(paths)).astype(np.int64).tolist()
    live_of = {path: n for path, n in zip(paths, live_rows, strict=True) if n}
    all_of = {path: row_count(path) for path in live_of}
    sizes = {path: part_bytes(path) for path in live_of}
    holed = {path for path, n in live_of.items() if all_of[path] - n > HOLES * all_of[path]}
    old = [path for path in live_of if path in holed or sizes[path] < SMALL_BYTES]
    if len(old) < 2 and not holed:
        old = []
    left = [(path, sizes[path] * live_of[path] // all_of[path]) for path in old]
    chosen = {*old}
    rewritten = np.fromiter((path in chosen for path in paths), bool, len(paths))
    kept = inputs[wanted & rewritten[parts]] if old else inputs[:0]
    dead_rows = sum(all_of[path] - live_of[path] for path in old)
    return Rewriting(left, dead_rows, sum(sizes[path] for path in old) - sum(size for _, size in left), kept)


def rewrite(found: Rewriting) -> None:
    """Write parts again, into as few as their size allows: publish, then delete."""
    forget_open_parts()
    kept = set(found.kept.tolist())
    for block in blocks(found.parts):
        merge_parts(block, lambda key: key.encode() in kept)


def _found(rows: StepRows, keys: np.ndarray) -> np.ndarray:
    """Return bool, one an input: whether its key is among some."""
    found = np.zeros(len(rows) + 1, bool)
    found[rows.find(keys)] = True  # the last place is that of `MISSING`
    return found[:-1]
