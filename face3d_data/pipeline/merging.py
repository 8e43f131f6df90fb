"""Merging of the small parts that a run has written, by its workers, where nobody else holds the workspace's cache."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from face3d_data.engine.backends import Crash, Engine
from face3d_data.engine.stats import Report
from face3d_data.store.merge import merge_parts, small_parts
from face3d_data.store.part_arrays import forget_open_parts
from face3d_data.store.workspace import StepCache, Workspace

log = logging.getLogger("face3d_data")


@dataclass(frozen=True)
class MergeParts:
    """Parts of one step, by their `.jsonl`, that become one."""

    parts: tuple[Path, ...]

    def run(self) -> Report:
        """Write the one, and remove the others."""
        return Report(parts=(merge_parts(self.parts),))

    def halves(self) -> Sequence[MergeParts]:
        """Return nothing: where memory does not suffice the parts stay as they are."""
        return []


def merge_small(caches: Iterable[StepCache], workspace: Workspace, engine: Engine) -> None:
    """Merge the small parts of caches in whose parts this run holds no places; leave them where another process may.

    Args:
        caches: of steps whose rows are read again before their places are used.
        workspace: of the run.
        engine: runs the tasks.
    """
    tasks = {MergeParts(tuple(block)): cache for cache in caches for block in small_parts(cache.parts)}
    if not tasks:
        return
    with workspace.merging() as alone:
        if not alone:
            log.info("%d small parts are not merged: another process reads the cache", sum(len(t.parts) for t in tasks))
            return
        forget_open_parts()
        for task, report in engine.run(tasks):
            if isinstance(report, Crash):
                first = task.parts[0]  # type: ignore[attr-defined]
                log.warning("%s and others are not merged (%s): they stay as they are", first, report)
                continue
            merged = [part.stem for part in task.parts]  # type: ignore[attr-defined]
            tasks[task].note_written(report.parts, instead_of=merged)  # type: ignore[index]
