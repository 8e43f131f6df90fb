"""Status of a workspace, without running or writing anything: results, work to do, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from face3d_data.errors import UserError
from face3d_data.pipeline.all_sources import read_sources
from face3d_data.pipeline.explain import package_differences, why
from face3d_data.pipeline.join import join_rows
from face3d_data.pipeline.lock import lock_record, read_lock
from face3d_data.pipeline.recall import Records, recalled_step
from face3d_data.pipeline.result import RunResult, StepResult, done
from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.pipeline.steps import run_table, step_inputs, to_do
from face3d_data.stage import Stage
from face3d_data.store.manifest import Manifest
from face3d_data.store.workspace import Workspace
from face3d_data.table import TableStep


def look(pipeline: Pipeline, workspace: Path | str = "work", force: Sequence[str] = ()) -> RunResult:
    """Join what a workspace holds for a pipeline without running or writing anything; `todo` tells what is missing."""
    space = Workspace(Path(workspace))
    result = RunResult(pipeline, space)
    records = Records(space.run_dir(pipeline.name), keep=False)
    read_sources(result, records, False, lambda line: None)
    for step in pipeline.steps:
        made = recalled_step(step, result, records, force)
        if made is not None:
            result.todo |= {step.id: 0} if isinstance(step.component, Stage) else {}
        elif isinstance(step.component, Stage):
            inputs = step_inputs(step, done(result))
            fingerprint = step.fingerprint(pipeline.seed)
            rows = space.step_cache(step.component.name, fingerprint).rows()
            result.todo[step.id] = len(to_do(step.component, inputs, rows, step.id in force))
            made = join_rows(step, step.component, fingerprint, inputs, rows)
        else:
            made = _look_at_table(step, step.component, result)
        result.steps[step.id] = made
    return result


def _look_at_table(step: Step, table: TableStep, result: RunResult) -> StepResult:
    """Run a table step in memory; where stages are still to run, and it cannot do without them, it gives nothing."""
    upstreams = [result.entries(upstream) for upstream in step.upstream]
    nothing = StepResult(step.id, table.name, step.fingerprint(result.pipeline.seed), 0, Manifest.empty())
    if not any(map(len, upstreams)):
        return nothing
    try:
        return run_table(step, table, result.pipeline, result.workspace.run_dir(result.pipeline.name), upstreams)
    except UserError:
        if any(result.todo.values()):
            return nothing
        raise


def explain(pipeline: Pipeline, workspace: Path | str = "work", force: Sequence[str] = ()) -> list[str]:
    """Return one line a step that says why it will run, or that it is up to date; nothing is run."""
    result = look(pipeline, workspace, force)
    before = read_lock(result.workspace.run_dir(pipeline.name)) or {"steps": {}, "packages": {}}
    now = lock_record(pipeline)
    lines, waiting = [], set()
    for step in pipeline.steps:
        behind = [upstream for upstream in step.upstream if upstream in waiting]
        todo = result.todo.get(step.id, 0)
        line = why(
            now["steps"][step.id], before["steps"].get(step.id), todo, result.steps[step.id].inputs, step.id in force
        )
        if behind:
            line = f"follows {', '.join(behind)}" + (f" ({line})" if todo else "")
        if behind or todo:
            waiting.add(step.id)
        lines.append(f"{step.id} ({step.component.name}): {line}")
    changed = package_differences(now["packages"], before["packages"]) if before["packages"] else []
    if changed:
        lines.append(f"libraries differ from the last run (nothing re-runs for it): {', '.join(changed)}")
    return lines
