"""Run of a pipeline: sources, steps and datasets in order; results that are up to date are kept."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from face3d_data.atomic import write_atomic
from face3d_data.engine.backends import Engine
from face3d_data.engine.worker import stopping
from face3d_data.errors import UserError
from face3d_data.pipeline.damage import finding_all_damage
from face3d_data.pipeline.fuse import fused_steps
from face3d_data.pipeline.fused import run_fused
from face3d_data.pipeline.judge import check_limits, small_run_note
from face3d_data.pipeline.lock import write_lock
from face3d_data.pipeline.notes import lost_rows, spelling_notes, where_notes
from face3d_data.pipeline.result import RunResult, RunSettings, Say, StepResult, Workers, done
from face3d_data.pipeline.sources import read_source
from face3d_data.pipeline.spec import Pipeline, SourceStep, Step
from face3d_data.pipeline.steps import run_table, step_inputs
from face3d_data.plurals import counted
from face3d_data.stage import Stage
from face3d_data.store.manifest import Dirty, Entry, write_dirty, write_manifest
from face3d_data.store.workspace import Workspace, cache_folder
from face3d_data.table import TableStep

log = logging.getLogger("face3d_data")
PIPELINE = "pipeline.yaml"
"""The pipeline of the last run, finished or not, in the run's folder."""


def run(
    pipeline: Pipeline,
    workspace: Path | str = "work",
    *,
    engine: str | Workers = "loky",
    until: str | None = None,
    force: Sequence[str] = (),
    rehash: bool = False,
    allow_leaks: bool = False,
    say: Say | None = None,
) -> RunResult:
    """Run a pipeline in a workspace; results that are up to date are kept.

    Args:
        pipeline: from `load_pipeline`.
        workspace: folder for cache, runs and datasets.
        engine: `serial`, `loky` (processes) or `threading`; or `Workers`, with the number of workers.
        until: stop after this step; no dataset is written.
        force: ids of steps to run again, with all steps after them.
        rehash: hash every file again, and retry inputs that were rejected or could not be read.
        allow_leaks: publish a dataset whose splits leak, and record that in its `dataset.json`.
        say: gets one line for each thing done; nothing is printed by default.

    Raises:
        UserError: an argument does not fit the pipeline.
        RunStopped: a limit was exceeded, or memory or disk space ran out; finished parts stay.
    """
    settings = replace(_settings(pipeline, engine, force, say is not None), rehash=rehash)
    log.info(
        "workspace %s, engine %s, %d workers", Path(workspace).absolute(), settings.engine.name, settings.engine.jobs
    )
    wanted = pipeline.steps if until is None else _up_to(pipeline, until)
    space, tell = Workspace(Path(workspace)), say or (lambda line: None)
    result = RunResult(pipeline, space)
    with (
        stopping(),
        space.running(pipeline.name),
        finding_all_damage(pipeline, space),
        stopping(),
        settings.engine,
    ):
        started = time.perf_counter()
        write_atomic(space.run_dir(pipeline.name) / PIPELINE, pipeline.text_anywhere)
        _forget_others(space.run_dir(pipeline.name), pipeline)
        read_sources(result, space, rehash, tell, settings)
        for note in spelling_notes(done(result), pipeline):
            tell(f"{'':>12}  {note}")
        fused, ahead = fused_steps(pipeline, wanted), dict[str, StepResult]()
        for step in wanted:
            if step.id in fused and step.id not in ahead:
                ahead |= run_fused(fused[step.id], pipeline, space, step_inputs(step, done(result)), settings)
            result.steps[step.id] = _run_step(step, result, ahead, tell)
        if until is None:
            from face3d_data.pipeline.publish import publish

            for note in lost_rows(done(result), pipeline):
                tell(f"{'':>12}  {note}")
            for name in pipeline.datasets:
                result.datasets[name] = publish(name, result, settings, allow_leaks, tell)
            _finish(result, time.perf_counter() - started)
    return result


def _settings(pipeline: Pipeline, engine: str | Workers, force: Sequence[str], show: bool) -> RunSettings:
    workers = Workers(engine) if isinstance(engine, str) else engine
    jobs, chunk = workers.jobs, workers.chunk
    if jobs is not None and jobs < 1:
        raise UserError(f"--jobs {jobs}: give 1 or more")
    most = max(16, 4 * available_cores())
    if jobs is not None and jobs > most:
        raise UserError(f"--jobs {jobs}: more than {most} slow each other down on {available_cores()} cores")
    if chunk is not None and not 1 <= chunk <= 256:
        raise UserError(f"--chunk {chunk}: give 1 to 256")
    forced = pipeline.downstream_of([pipeline.step(name).id for name in force])
    return RunSettings(Engine(workers.engine, jobs or available_cores()), chunk, frozenset(forced), show)


def _forget_others(run_dir: Path, pipeline: Pipeline) -> None:
    """Remove what `face3d dirty` would read of sources, steps and datasets that the pipeline has no longer."""
    known = {f"{name}.dirty.csv" for name in (*pipeline.ids, *(f"{name}.dataset" for name in pipeline.datasets))}
    for path in run_dir.glob("*.dirty.csv"):
        if path.name not in known:
            path.unlink()


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _up_to(pipeline: Pipeline, until: str) -> tuple[Step, ...]:
    """Return the steps that `until` needs, itself included."""
    needed = pipeline.upstream_of([pipeline.step(until).id])
    return tuple(step for step in pipeline.steps if step.id in needed)


def read_sources(
    result: RunResult, space: Workspace, rehash: bool, tell: Say, settings: RunSettings | None = None
) -> None:
    """Read every source into the result; given the settings of a run, write what was found and judge it by limits."""
    keep = settings is not None
    hashes = space.file_hashes(rehash, keep)
    try:
        for source in result.pipeline.sources:
            _check_root(result.pipeline, source)
        for source in result.pipeline.sources:
            started, before = time.perf_counter(), hashes.hashed
            entries, dirty = read_source(source, space, hashes, settings, rehash)
            step = _source_result(source, entries, dirty, time.perf_counter() - started)
            result.steps[source.id] = step
            if keep:
                _write_source(result, source.id)
                hashed = f", {counted(hashes.hashed - before, 'file')} hashed" if hashes.hashed > before else ""
                tell(_line(step, source.reader.name, hashed))
                _tell_small_run(step, result.pipeline, tell)
                where = space.run_dir(result.pipeline.name) / f"{source.id}.dirty.csv"
                check_limits(f"source {source.id!r}", step.inputs, dirty, result.pipeline.limits, where)
    finally:
        hashes.close()


def _check_root(pipeline: Pipeline, source: SourceStep) -> None:
    """Check that a root is there: a reader knows neither its source's name nor where a relative one was looked for.

    Raises:
        UserError: naming the source and where its root was looked for.
    """
    root = getattr(source.reader, "root", None)
    if root is None or root.exists():
        return
    written = Path(str(pipeline.raw["sources"][source.id].get("root", root))).expanduser()
    where = f", neither next to the pipeline ({pipeline.base_dirs[0]}) nor here ({Path.cwd()})"
    raise UserError(
        f"source {source.id!r}: root {written} does not exist{'' if written.is_absolute() else where}: correct it"
    )


def _source_result(source: SourceStep, entries: list[Entry], dirty: list[Dirty], seconds: float) -> StepResult:
    result = StepResult(
        source.id, source.reader.name, source.reader.fingerprint(), len(entries) + len(dirty), entries, dirty
    )
    keys = [*(entry.key for entry in entries), *(row.key for row in dirty)]
    result.keys = tuple(key for key in keys if key)
    result.seconds = seconds
    return result


def _run_step(step: Step, result: RunResult, ahead: Mapping[str, StepResult], tell: Say) -> StepResult:
    """Run a table step, or take what became of a stage, and write and tell it."""
    pipeline, space = result.pipeline, result.workspace
    run_dir = space.run_dir(pipeline.name)
    started = time.perf_counter()
    if not isinstance(step.component, TableStep):
        made = ahead[step.id]
    else:
        upstreams = [result.entries(upstream) for upstream in step.upstream]
        made = run_table(step, step.component, pipeline, run_dir, upstreams)
        for suffix, text in made.state.items():
            write_atomic(run_dir / f"{step.id}.{suffix}", text)
    made.seconds += time.perf_counter() - started
    write_manifest(run_dir / f"{step.id}.csv", made.entries)
    write_dirty(run_dir / f"{step.id}.dirty.csv", made.dirty)
    worked = made.report.inputs
    work = f", {worked} new in {made.seconds:.1f} s" if worked else ", nothing new"
    tell(_line(made, step.component.name, work if isinstance(step.component, Stage) else ""))
    for note in (*where_notes(step, done(result)), *made.notes):
        tell(f"{'':>12}  {note}")
    _tell_small_run(made, pipeline, tell)
    _report_unreadable(result, made)
    check_limits(
        f"step {step.id!r}",
        made.inputs,
        [*made.dirty, *made.unreadable],
        pipeline.limits,
        run_dir / f"{step.id}.dirty.csv",
    )
    return made


def _tell_small_run(step: StepResult, pipeline: Pipeline, tell: Say) -> None:
    note = small_run_note(step.inputs, [*step.dirty, *step.unreadable], pipeline.limits)
    if note is not None:
        tell(f"{'':>12}  {note}")


def _report_unreadable(result: RunResult, made: StepResult) -> None:
    """Take what a stage could not read into its source's dirty rows, once for each capture."""
    for source_id in {row.source for row in made.unreadable}:
        source = result.steps[source_id]
        known = {row.sample_id for row in source.dirty}
        origins = {entry.id for entry in source.entries}
        source.dirty += [row for row in made.unreadable if row.source == source_id and row.sample_id in origins - known]
        _write_source(result, source_id)


def _write_source(result: RunResult, source_id: str) -> None:
    run_dir = result.workspace.run_dir(result.pipeline.name)
    write_manifest(run_dir / f"{source_id}.csv", result.steps[source_id].entries)
    write_dirty(run_dir / f"{source_id}.dirty.csv", result.steps[source_id].dirty)


def _line(step: StepResult, name: str, work: str) -> str:
    bad = len(step.dirty) + len(step.unreadable)
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(step.reasons.items()))
    dirty = f", {bad} dirty ({reasons})" if bad else ""
    return f"{step.id:>12}  {name}: {step.inputs} in, {len(step.entries)} out{dirty}{work}"


def _finish(result: RunResult, seconds: float) -> None:
    run_dir = result.workspace.run_dir(result.pipeline.name)
    stats = {
        "seconds": round(seconds, 3),
        "datasets": {name: folder.name for name, folder in result.datasets.items()},
        "steps": {
            name: {
                "name": step.name,
                "inputs": step.inputs,
                "outputs": len(step.entries),
                "dirty": len(step.dirty) + len(step.unreadable),
                "reasons": dict(step.reasons),
                "seconds": round(step.seconds, 3),
                "work": step.report.record(),
            }
            for name, step in result.steps.items()
        },
    }
    write_atomic(run_dir / "stats.json", json.dumps(stats, indent=1, ensure_ascii=False) + "\n")
    known = result.pipeline.ids
    measured = {
        name: cache_folder(step.name, step.fingerprint) for name, step in result.steps.items() if name not in known
    }
    write_lock(
        run_dir, result.pipeline, {name: step.keys for name, step in result.steps.items() if step.keys}, measured
    )
