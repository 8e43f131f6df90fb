"""Garbage collection of a workspace (`gc`): what the locks of its runs need stays, the rest is removed."""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from face3d_data.errors import UserError
from face3d_data.pipeline.lock import cache_folders, read_lock
from face3d_data.plurals import counted
from face3d_data.shards.reuse import dataset_names, versions_of
from face3d_data.store.gc import Garbage, find_garbage, find_rewriting, remove, rewrite
from face3d_data.store.workspace import StepCache, Workspace

KEY_BYTES = f"{string.ascii_letters}{string.digits}\n".encode()


def reached(workspace: Workspace) -> dict[str, np.ndarray]:
    """Return, for each cache folder that a last complete run used, the input keys, S (n,), that it used there."""
    found: dict[str, list[np.ndarray]] = {}
    for name in workspace.run_names():
        run_dir = workspace.run_dir(name)
        lock = read_lock(run_dir)
        for step, folder in cache_folders(lock).items() if lock else ():
            keys = run_dir / "keys" / f"{step}.txt"
            found.setdefault(folder, []).append(_read_keys(keys))
    return {folder: np.concatenate(keys) for folder, keys in found.items()}


def _read_keys(path: Path) -> np.ndarray:
    """Return the input keys, S (n,), that a run wrote of a step.

    Raises:
        UserError: they are damaged, so that what they reach is not known.
    """
    content = path.read_bytes() if path.exists() else b""
    keys = np.array(content.split(), "S")
    if content.translate(None, KEY_BYTES):
        raise UserError(f"{path}: is damaged: run its pipeline to the end, which writes it again, then collect")
    return keys


def collect(root: str | Path, apply_it: bool, compact_it: bool, keep_versions: int | None = None) -> Iterator[str]:
    """Yield one line for each thing removed (or to be removed) and each step compacted.

    Args:
        root: folder of the workspace.
        apply_it: remove; without it nothing is changed.
        compact_it: merge small parts, and write those again in which many rows are unused.
        keep_versions: how many versions of each dataset stay, the one that its name links to among them; None: all.

    Raises:
        UserError: there is not a workspace, no complete run in it, or a run is at work.
    """
    root = Path(root)
    workspace = Workspace(root)
    if not workspace.cache.is_dir():
        raise UserError(f"{root} is not a workspace (it has no cache/): give one with -w/--workspace")
    with workspace.alone():
        live = reached(workspace)
        if not live:
            raise UserError(
                f"{root}: no pipeline has completed here, so everything would be removed: complete a run first"
            )
        for name in workspace.run_names():
            if read_lock(workspace.run_dir(name)) is None:
                yield f"note: pipeline {name!r} never ran to its end: what only it has done so far goes too"
        garbage = find_garbage(workspace, live)
        for name in dataset_names(workspace.datasets) if keep_versions is not None else ():
            for path in versions_of(workspace.datasets, name)[keep_versions:]:
                garbage.add(path, f"an older version of dataset {name!r}")
        freed = garbage.freed_bytes()
        yield from _removed_lines(garbage, workspace, apply_it)
        if apply_it:
            remove(garbage)
        holes = 0
        for folder in sorted(path for path in live if (workspace.cache / path).is_dir()):
            found = find_rewriting(StepCache(workspace.cache / folder), live[folder])
            holes += found.dead_bytes
            if compact_it and found.parts:
                dead = f", without {counted(found.dead_rows, 'row')} that no run needs" if found.dead_rows else ""
                rewritten = "rewritten" if apply_it else "would be rewritten"
                yield f"cache/{folder}: {counted(len(found.parts), 'part')} {rewritten}{dead}"
                if apply_it:
                    rewrite(found)
        freed += holes if compact_it else 0
        yield f"{_size(freed)} {'freed' if apply_it else 'would be freed: give --apply'}"
        if holes and not compact_it:
            yield f"{_size(holes)} more are rows that no run needs, in parts with others: give --compact, too"


def _removed_lines(garbage: Garbage, workspace: Workspace, apply_it: bool) -> Iterator[str]:
    """Yield a line for each path, and one for all parts of a step that go for one reason."""
    several: defaultdict[tuple[Path, str], set[str]] = defaultdict(set)
    for path, why in garbage.paths:
        if path.parent.name == "parts":
            several[path.parent, why].add(path.stem)
        elif path.parent.name != "index":
            yield f"{'removed' if apply_it else 'would remove'} {path.relative_to(workspace.root)}: {why}"
    for (folder, why), names in several.items():
        what = f"{counted(len(names), 'part')} of {folder.parent.relative_to(workspace.root)}"
        yield f"{'removed' if apply_it else 'would remove'} {what}: {why}"


def _size(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
