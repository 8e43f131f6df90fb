"""Trying again what was rejected: rows of an earlier run are marked as errors, which the next run retries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from face3d_data.errors import UserError
from face3d_data.pipeline.lock import cache_folders, read_lock
from face3d_data.store.part import Row
from face3d_data.store.workspace import StepCache, Workspace


def retry_rows(root: Path, pipeline: str, step: str | None, reason: str | None) -> int:
    """Mark settled rows without output so that the next run does them again.

    Args:
        root: the workspace.
        pipeline: its name.
        step: only this step or source.
        reason: only rows with this reason.

    Returns:
        How many rows were marked.

    Raises:
        UserError: the pipeline has not run to its end, or has no such step.
    """
    workspace = Workspace(root)
    lock = read_lock(workspace.run_dir(pipeline))
    if lock is None:
        raise UserError(f"pipeline {pipeline!r} has not run to its end in {root}: run it first")
    folders = cache_folders(lock)
    if step is not None and step not in folders:
        raise UserError(f"pipeline {pipeline!r} has no cached step {step!r} (steps: {', '.join(folders)})")
    with workspace.running(pipeline):
        chosen = {name: folder for name, folder in folders.items() if step in (None, name)}
        return sum(_mark(workspace, folder, reason) for folder in chosen.values())


def _mark(workspace: Workspace, folder: str, reason: str | None) -> int:
    cache = StepCache(workspace.cache / folder)
    again = [
        Row(key, status="error", reason="retry_asked", detail=f"was {first.reason}", attempt=first.attempt + 1)
        for key, first in _first_rows(cache).items()
        if first.status not in ("ok", "error") and reason in (None, first.reason)
    ]
    if again:
        cache.add(again)
    return len(again)


def _first_rows(cache: StepCache) -> Mapping[str, Row]:
    return {key: group[0] for key, (_, group) in cache.rows().items()}
