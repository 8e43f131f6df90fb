"""Run of a pipeline: sources, steps and datasets in order; results that are up to date are kept."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from face3d_data.atomic import write_atomic
from face3d_data.engine.backends import CLUSTERS, Engine
from face3d_data.engine.worker import stopping
from face3d_data.errors import UserError
from face3d_data.pipeline.all_sources import read_sources
from face3d_data.pipeline.damage import finding_all_damage
from face3d_data.pipeline.fuse import FusedSteps, fused_steps
from face3d_data.pipeline.fused import run_fused
from face3d_data.pipeline.lock import keys_are, write_lock
from face3d_data.pipeline.notes import lost_rows, spelling_notes, where_notes
from face3d_data.pipeline.recall import Records, noted, recalled_stages, recalled_step, remember_step
from face3d_data.pipeline.report_step import judge_step, step_line, tell_notes, write_step
from face3d_data.pipeline.result import RunResult, RunSettings, Say, StepResult, Workers, done
from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.pipeline.steps import run_table, step_inputs
from face3d_data.stage import Stage
from face3d_data.store.manifest_files import manifest_path, manifests_in
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
    wanted = pipeline.steps_up_to(until)
    # Workers on other machines have current folders of their own.
    elsewhere = settings.engine.name in CLUSTERS
    space = Workspace(Path(workspace).absolute() if elsewhere else Path(workspace))
    tell = say or (lambda line: None)
    result = RunResult(pipeline, space)
    with (
        stopping(),
        space.running(pipeline.name),
        finding_all_damage(pipeline, space),
        stopping(),
        settings.engine,
    ):
        started = time.perf_counter()
        settings.engine.expect(space.cache, roots_of(pipeline))
        write_atomic(space.run_dir(pipeline.name) / PIPELINE, pipeline.text_anywhere)
        _forget_others(space.run_dir(pipeline.name), pipeline)
        records = Records(space.run_dir(pipeline.name), keep=True, trust=not rehash)
        read_sources(result, records, rehash, tell, settings)
        tell_notes(noted(records, result, "spellings", lambda: spelling_notes(done(result), pipeline)), tell)
        _run_steps(wanted, result, records, settings, tell)
        if until is None:
            from face3d_data.pipeline.publish import publish

            tell_notes(noted(records, result, "lost_rows", lambda: lost_rows(done(result), pipeline)), tell)
            for name in pipeline.datasets:
                result.datasets[name] = publish(name, result, records, settings, allow_leaks, tell)
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
    if jobs is not None and workers.address is not None:
        raise UserError(f"--jobs {jobs}: the cluster at --address {workers.address} has its own workers: leave it out")
    forced = pipeline.downstream_of([pipeline.step(name).id for name in force])
    made = Engine(workers.engine, jobs or available_cores(), workers.address)
    return RunSettings(made, chunk, frozenset(forced), show)


def roots_of(pipeline: Pipeline) -> list[Path]:
    """Return the absolute folders and files that the readers of a pipeline read."""
    return [Path(root).absolute() for source in pipeline.sources if (root := getattr(source.reader, "root", None))]


def _forget_others(run_dir: Path, pipeline: Pipeline) -> None:
    """Remove what `face3d dirty` and `status --csv` would read of what the pipeline has no longer."""
    known = {f"{name}.dirty.csv" for name in (*pipeline.ids, *(f"{name}.dataset" for name in pipeline.datasets))}
    known |= {manifest_path(run_dir, name).name for name in pipeline.ids}
    for path in (*run_dir.glob("*.dirty.csv"), *manifests_in(run_dir).values()):
        if path.name not in known:
            path.unlink()
    for name in pipeline.ids:  # rows as an earlier version wrote them: they would be taken for those of this run
        (run_dir / f"{name}.csv").unlink(missing_ok=True)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_steps(wanted: Sequence[Step], result: RunResult, records: Records, settings: RunSettings, tell: Say) -> None:
    fused = fused_steps(result.pipeline, wanted)
    ahead: dict[str, StepResult] = {}
    for step in wanted:
        group = fused.get(step.id, ())
        if group and step.id not in ahead:
            ahead |= _run_stages(group, result, records, settings)
        if isinstance(step.component, TableStep):
            made = _run_table(step, step.component, result, records, settings)
        else:
            made = ahead[step.id]
        result.steps[step.id] = _end_step(step, made, result, records, group, tell)


def _run_stages(steps: FusedSteps, result: RunResult, records: Records, settings: RunSettings) -> dict[str, StepResult]:
    """Return the results of stages that are fused: as recorded where that is so of all of them, or else run."""
    known = recalled_stages(steps, result, records, settings.force)
    if known is not None:
        return known
    inputs = step_inputs(steps[0], done(result))
    return run_fused(steps, result.pipeline, result.workspace, inputs, settings)


def _run_table(step: Step, table: TableStep, result: RunResult, records: Records, settings: RunSettings) -> StepResult:
    """Return the result of a table step: as recorded, or else run."""
    started, run_dir = time.perf_counter(), result.workspace.run_dir(result.pipeline.name)
    made = recalled_step(step, result, records, settings.force)
    if made is None:
        upstreams = [result.entries(upstream) for upstream in step.upstream]
        made = run_table(step, table, result.pipeline, run_dir, upstreams)
        for suffix, text in made.state.items():
            write_atomic(run_dir / f"{step.id}.{suffix}", text)
    made.seconds = time.perf_counter() - started
    return made


def _end_step(
    step: Step, made: StepResult, result: RunResult, records: Records, group: FusedSteps, tell: Say
) -> StepResult:
    """Write what became of a step, tell it, record it for the next run, and judge it by the limits.

    Raises:
        RunStopped: a limit is exceeded.
    """
    write_step(result.workspace.run_dir(result.pipeline.name), made, records)
    worked = made.report.inputs
    work = f", {worked} new in {made.seconds:.1f} s" if worked else ", nothing new"
    tell(step_line(made, work if isinstance(step.component, Stage) else ""))
    told: Sequence[str] = made.recorded.get("told", ())
    if not made.recorded:
        told = (*where_notes(step, done(result)), *made.notes)
        remember_step(step, result, records, made, told, group)
    tell_notes(told, tell)
    judge_step("step", made, result, tell)
    return made


def _finish(result: RunResult, seconds: float) -> None:
    run_dir = result.workspace.run_dir(result.pipeline.name)
    stats = {
        "seconds": round(seconds, 3),
        "datasets": {name: folder.name for name, folder in result.datasets.items()},
        "steps": {
            name: {
                "name": step.name,
                "inputs": step.inputs,
                "outputs": step.outputs,
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
    for name, step in result.steps.items():
        if step.recorded.get("keys") and not keys_are(run_dir, name, step.recorded["keys"]):
            _ = step.entries  # a run that did not come to its end has not written them
    keys = {name: step.keys for name, step in result.steps.items() if len(step.keys)}
    write_lock(run_dir, result.pipeline, keys, measured)
