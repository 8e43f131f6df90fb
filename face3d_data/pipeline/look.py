"""Status of a workspace, without running or writing anything: results, work to do, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from face3d_data.errors import UserError
from face3d_data.pipeline.explain import package_differences, why
from face3d_data.pipeline.fuse import fused_steps
from face3d_data.pipeline.lock import lock_record, read_lock
from face3d_data.pipeline.result import RunResult, StepResult, done
from face3d_data.pipeline.run import read_sources
from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.pipeline.steps import run_table, step_inputs
from face3d_data.pipeline.walk import Level, walk
from face3d_data.store.workspace import Workspace
from face3d_data.table import TableStep


def look(pipeline: Pipeline, workspace: Path | str = "work", force: Sequence[str] = ()) -> RunResult:
    """Join what a workspace holds for a pipeline without running or writing anything; `todo` tells what is missing."""
    space = Workspace(Path(workspace))
    result = RunResult(pipeline, space)
    read_sources(result, space, False, lambda line: None)
    fused, seen = fused_steps(pipeline, pipeline.steps), dict[str, Level]()
    forced = {step.id: step.id in force for step in pipeline.steps}
    for step in pipeline.steps:
        if step.id in fused:
            if step.id not in seen:
                inputs = step_inputs(step, done(result))
                levels = walk(fused[step.id], pipeline.seed, space, inputs, forced)
                seen |= {level.step.id: level for level in levels}
            result.todo[step.id] = seen[step.id].to_do
            if seen[step.id].settled:
                result.settled.add(step.id)
            result.steps[step.id] = seen[step.id].result
        else:
            result.steps[step.id] = _look_at_table(step, step.component, result)  # type: ignore[arg-type]
    return result


def _look_at_table(step: Step, table: TableStep, result: RunResult) -> StepResult:
    """Run a table step in memory; where stages are still to run, and it cannot do without them, it gives nothing."""
    upstreams = [result.entries(upstream) for upstream in step.upstream]
    nothing = StepResult(step.id, table.name, step.fingerprint(result.pipeline.seed), 0, [])
    if not any(upstreams):
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
        then, inputs = before["steps"].get(step.id), result.steps[step.id].inputs
        line = why(now["steps"][step.id], then, todo, inputs, step.id in force, step.id in result.settled)
        if behind:
            line = f"follows {', '.join(behind)}" + (f" ({line})" if todo else "")
        if behind or todo:
            waiting.add(step.id)
        lines.append(f"{step.id} ({step.component.name}): {line}")
    changed = package_differences(now["packages"], before["packages"]) if before["packages"] else []
    if changed:
        lines.append(f"libraries differ from the last run (nothing re-runs for it): {', '.join(changed)}")
    return lines
