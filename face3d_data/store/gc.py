"""Garbage collection of parts that nothing needs, and the rewriting of small or mostly dead parts."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

import numpy as np

from face3d_data.atomic import TEMPORARY_SUFFIX
from face3d_data.store.merge import SMALL_BYTES, blocks, merge_parts, part_bytes
from face3d_data.store.part import row_count
from face3d_data.store.part_arrays import forget_open_parts
from face3d_data.store.rows_index import FOLDER
from face3d_data.store.workspace import StepCache, Workspace

MOSTLY_DEAD = 0.5
"""A part is written anew where a smaller share of its rows is needed."""


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


def find_garbage(workspace: Workspace, reached: Mapping[str, set[str]]) -> Garbage:
    """Return what no complete run reaches.

    Args:
        workspace: the workspace, held by the caller.
        reached: cache folder's name to the input keys that the last complete runs used of it.
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


def _dead_parts(cache: StepCache, live: set[str]) -> Iterator[Path]:
    rows = cache.rows()
    inputs, parts, _ = rows.by_input()
    reached = np.isin(inputs, np.array([key.encode() for key in live], "S"))
    used = {rows.paths[part].stem for part in np.unique(parts[reached]).tolist()}
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


def compact(cache: StepCache, live: Iterable[str]) -> int:
    """Rewrite small or mostly dead parts into as few as their size allows: publish, then delete.

    Args:
        cache: the step's cache.
        live: input keys to keep; the others' rows go.

    Returns:
        The number of parts that were replaced.
    """
    rows = cache.rows()
    inputs, parts, counts = rows.by_input()
    wanted = np.isin(inputs, np.array([key.encode() for key in live], "S"))
    paths = [path.with_suffix(".jsonl") for path in rows.paths]
    live_rows = np.bincount(parts[wanted], counts[wanted], len(paths))
    share = {path: live_rows[i] / row_count(path) for i, path in enumerate(paths) if live_rows[i]}
    sizes = {path: part_bytes(path) for path in share}
    old = [path for path in share if share[path] < MOSTLY_DEAD or sizes[path] < SMALL_BYTES]
    if len(old) < 2 and not any(share[path] < MOSTLY_DEAD for path in old):
        return 0
    place = {path: i for i, path in enumerate(paths)}
    kept = dict(zip(inputs[wanted].tolist(), parts[wanted].tolist(), strict=True))
    forget_open_parts()
    for block in blocks([(path, int(sizes[path] * share[path])) for path in old]):
        merge_parts(block, lambda key, part: kept.get(key.encode()) == place[part])
    return len(old)
