"""Garbage collection of parts that nothing needs, and merging of small or mostly dead parts."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_ISREG

import numpy as np

from face3d_data.atomic import TEMPORARY_SUFFIX
from face3d_data.sample import ARRAYS
from face3d_data.store.part import NO_RECORD, PartRow, forget_open_parts, read_array, write_part
from face3d_data.store.workspace import StepCache, Workspace

PART_BYTES = 64_000_000


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
    used = {path for key, path, _ in cache.rows().groups() if key in live}
    for path in sorted(cache.parts.glob("*")):
        if path.suffix in (".h5", ".jsonl") and path.with_suffix(".h5") not in used:
            yield path


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
    wanted = set(live)
    by_part: dict[Path, list[list[PartRow]]] = {}
    for key, part, group in cache.rows().groups():
        if key in wanted:
            by_part.setdefault(part, []).append(group)
    old = [part for part, groups in by_part.items() if _worth_it(part, groups)]
    if len(old) < 2 and not any(_mostly_dead(part, by_part[part]) for part in old):
        return 0
    # In the order of the parts, each of which is read once; `write_part` orders the rows of what it writes.
    groups = [(part, group) for part in sorted(old) for group in by_part[part]]
    written = {_publish(cache, block) for block in _blocks(groups)}
    forget_open_parts()
    for part in old:
        if part.stem not in written:
            part.with_suffix(".jsonl").unlink(missing_ok=True)
            part.unlink(missing_ok=True)
    return len(old)


def _worth_it(part: Path, groups: list[list[PartRow]]) -> bool:
    return _mostly_dead(part, groups) or (_size(part) < PART_BYTES // 2)


def _mostly_dead(part: Path, groups: list[list[PartRow]]) -> bool:
    with open(part.with_suffix(".jsonl"), encoding="utf-8") as stream:
        rows = sum(1 for _ in stream) - 1
    return sum(len(group) for group in groups) * 2 < rows


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _row_bytes(row: PartRow) -> int:
    return sum(int(np.prod(shape)) * np.dtype(ARRAYS[name].dtype).itemsize for name, shape in row.held.items())


def _blocks(groups: list[tuple[Path, list[PartRow]]]) -> Iterator[list[tuple[Path, list[PartRow]]]]:
    block: list[tuple[Path, list[PartRow]]] = []
    size = 0
    for part, group in groups:
        more = sum(_row_bytes(row) for row in group)
        if block and size + more > PART_BYTES:
            yield block
            block, size = [], 0
        block.append((part, group))
        size += more
    if block:
        yield block


def _publish(cache: StepCache, block: list[tuple[Path, list[PartRow]]]) -> str:
    rows: list[PartRow] = []
    records: list[dict[str, np.ndarray]] = []
    for part, group in block:
        for row in group:
            if row.record == NO_RECORD:
                rows.append(row)
                continue
            rows.append(replace(row, record=len(records)))
            records.append({name: read_array(part, row.record, name) for name in row.held})
    return write_part(cache.parts, rows, records)
