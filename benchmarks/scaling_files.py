"""Files of a workspace for `scaling.py`: how many, how large, and what a command changed of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDERS = ("cache", "runs", "datasets")
NAMED = 60
State = tuple[int, int, int]
"""Inode, mtime in ns, and bytes of a file."""


def files_below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder; links are not followed."""
    try:
        found = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for one in found:
        if one.is_dir(follow_symlinks=False):
            yield from files_below(one.path)
        elif one.is_file(follow_symlinks=False):
            yield one


def snapshot(work: Path) -> dict[str, State]:
    """Return path to state of every file of a workspace."""
    found = {}
    for name in FOLDERS:
        for one in files_below(str(work / name)):
            stat = one.stat(follow_symlinks=False)
            found[os.path.relpath(one.path, work)] = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
    return found


def sizes(files: Mapping[str, State]) -> dict[str, Any]:
    """Return files and bytes of each folder; a file with several names counts once."""
    found = {}
    for name in FOLDERS:
        inodes = {state[0]: state[2] for path, state in files.items() if path.startswith(name + os.sep)}
        found[name] = {"files": len(inodes), "bytes": sum(inodes.values())}
    return found


def changes(before: Mapping[str, State], after: Mapping[str, State]) -> dict[str, Any]:
    """Return what was written (new or changed files), linked (new names of files that were there) and removed.

    Each has the number of files and bytes, and the largest by name.
    """
    old = set(before.values())
    new = {path: state for path, state in after.items() if before.get(path) != state}
    linked = {path: state for path, state in new.items() if state in old}
    kept = {state[0] for state in after.values()}
    gone = {path: state for path, state in before.items() if path not in after and state[0] not in kept}
    return {
        "written": _listed({path: state for path, state in new.items() if path not in linked}),
        "linked": _listed(linked),
        "removed": _listed(gone),
    }


def _listed(files: Mapping[str, State]) -> dict[str, Any]:
    largest = sorted(files, key=lambda path: (-files[path][2], path))[:NAMED]
    return {
        "files": len(files),
        "bytes": sum(state[2] for state in files.values()),
        "largest": {path: files[path][2] for path in largest},
    }
