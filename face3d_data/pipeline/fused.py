"""Run of fused steps: what they have not computed yet is worked on, then all of their results are joined."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from face3d_data.engine.backends import Crash
from face3d_data.engine.progress import StepProgress
from face3d_data.engine.stats import Report
from face3d_data.errors import RunStopped
from face3d_data.pipeline.chunks import ChunkSize, RowToDo, WorkList, chunks
from face3d_data.pipeline.fuse import FusedSteps
from face3d_data.pipeline.merging import merge_small
from face3d_data.pipeline.result import RunSettings, StepResult
from face3d_data.pipeline.spec import Pipeline
from face3d_data.pipeline.steps import check_balance, describe_step
from face3d_data.pipeline.walk import Level, rows_to_do, walk
from face3d_data.store.manifest import Manifest, manifest_of
from face3d_data.store.part import PartRow
from face3d_data.store.workspace import Workspace

ROUNDS = 3
"""How often arrays are made that another run replaces meanwhile by rows without them."""


def run_fused(
    steps: FusedSteps, pipeline: Pipeline, workspace: Workspace, inputs: Manifest, settings: RunSettings
) -> dict[str, StepResult]:
    """Compute what fused steps have not computed yet for these inputs, then join all of their results.

    Returns:
        A result for each step, by id.

    Raises:
        RunStopped: no memory, no disk, or the books do not balance.
    """
    forced = {step.id: step.id in settings.force for step in steps}
    caches = [workspace.step_cache(step.stage.name, step.fingerprint(pipeline.seed)) for step in steps]
    free = {cache.folder: cache for cache in caches if not cache.in_use}
    levels = walk(steps, pipeline.seed, workspace, inputs, forced, settings.rehash, keep=True)
    for level in levels:
        level.cache.discard_bad()
    reports = [Report() for _ in steps]
    started = time.perf_counter()
    rounds = 0
    while any(level.starts.any() for level in levels):
        rounds += 1
        if rounds > ROUNDS:
            raise RunStopped(
                f"step {steps[-1].id!r}: another run replaces what this one stores: run again when it has ended"
            )
        for level in levels:
            level.cache.describe(describe_step(level.step, pipeline.seed))
        alone = _work(levels, settings, reports)
        if alone:
            _one_by_one(levels, pipeline, workspace, alone, settings, reports)
        merge_small(free.values(), workspace, settings.engine)
        del levels, level  # they hold as much as the next ones
        levels = walk(steps, pipeline.seed, workspace, inputs, keep=True, again=False)
    seconds = time.perf_counter() - started
    whole = sum(report.seconds for report in reports) or 1.0
    for level, report in zip(levels, reports, strict=True):
        level.result.report = report
        level.result.seconds = seconds * report.seconds / whole
        check_balance(level.result)
    return {level.step.id: level.result for level in levels}


def _work(levels: Sequence[Level], settings: RunSettings, reports: Sequence[Report]) -> list[tuple[int, int]]:
    """Do what there is to do; return the level and row of each that killed its workers somewhere in several stages."""
    alone: list[tuple[int, int]] = []
    todo = [rows_to_do(levels, at) for at in range(len(levels))]
    label = levels[0].step.id if len(levels) == 1 else f"{levels[0].step.id}…{levels[-1].step.id}"
    with StepProgress(label, sum(map(len, todo)), settings.show_progress) as progress:
        for at, rows in enumerate(todo):
            if rows:
                alone += [(at, row) for row in _work_from(levels, at, rows, settings, reports, progress)]
    return alone


def _work_from(
    levels: Sequence[Level],
    at: int,
    todo: WorkList,
    settings: RunSettings,
    reports: Sequence[Report],
    progress: StepProgress,
) -> list[int]:
    running = levels[at:]
    output_bytes = max(level.stage.output_bytes() for level in running)
    size = ChunkSize(settings.chunk, output_bytes, -(-len(todo) // (2 * settings.engine.jobs)))
    tasks = chunks(tuple(level.link for level in running), todo, size)
    alone: list[int] = []
    for task, report in settings.engine.run(tasks, running[0].stage.workers_at_once):
        if isinstance(report, Crash):
            (item,) = task.items  # type: ignore[attr-defined]
            row = next(row for row in todo if row.entry.key == item.key)
            if len(running) > 1:
                alone.append(row.row)
                continue
            report = _record_crash(levels[at], row, str(report))
        for level, mine, of_stage in zip(running, reports[at:], report.result, strict=True):  # type: ignore[call-overload]
            level.cache.note_written(of_stage.parts)
            of_stage.peak_mb = report.peak_mb
            mine.add(of_stage)
        size.learn(report.inputs, report.seconds)
        progress.update(report)
    return alone


def _record_crash(level: Level, row: RowToDo, detail: str) -> Report:
    key = level.stage.input_key(row.entry.key, row.entry.tags)
    level.cache.add([PartRow(key, status="crash", reason="worker_died", detail=detail, attempt=row.attempt)])
    report = Report(1, 0, Counter(crash=1), Counter(worker_died=1))
    report.result = [Report(1, 0, Counter(crash=1), Counter(worker_died=1))]
    return report


def _one_by_one(
    levels: Sequence[Level],
    pipeline: Pipeline,
    workspace: Workspace,
    alone: Sequence[tuple[int, int]],
    settings: RunSettings,
    reports: Sequence[Report],
) -> None:
    """Run the steps one after the other on rows that kill their workers, so that it is known which of them it is."""
    rows = Manifest.empty()
    for i, level in enumerate(levels):
        mine = np.array([row for at, row in alone if at == i], np.int64)
        rows = manifest_of([rows, level.inputs.take(mine)])
        result = run_fused((level.step,), pipeline, workspace, rows, settings)[level.step.id]
        reports[i].add(result.report)
        rows = result.entries
