"""Status of a workspace, without running or writing anything: results, work to do, and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from face3d_data.errors import UserError
from face3d_data.pipeline.all_sources import read_sources
from face3d_data.pipeline.explain import package_differences, why
from face3d_data.pipeline.fuse import FusedSteps, fused_steps
from face3d_data.pipeline.lock import lock_record, read_lock
from face3d_data.pipeline.recall import Records, recalled_stages, recalled_step
from face3d_data.pipeline.result import RunResult, StepResult, done
from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.pipeline.steps import run_table, step_inputs
from face3d_data.pipeline.walk import walk
from face3d_data.store.manifest import Manifest
from face3d_data.store.workspace import Workspace
from face3d_data.table import TableStep


def look(
    pipeline: Pipeline, workspace: Path | str = "work", force: Sequence[str] = (), until: str | None = None
) -> RunResult:
    """Join what a workspace holds for a pipeline without running or writing anything; `todo` tells what is missing.

    Args:
        pipeline: from `load_pipeline`.
        workspace: folder for cache, runs and datasets.
        force: ids of steps that are to be run again.
        until: the last step to look at, with those that it needs; None: all.
    """
    space = Workspace(Path(workspace))
    space.keep_parts()
    result = RunResult(pipeline, space)
    records = Records(space.run_dir(pipeline.name), keep=False)
    read_sources(result, records, False, lambda line: None)
    wanted = pipeline.steps_up_to(until)
    fused, ahead = fused_steps(pipeline, wanted), dict[str, StepResult]()
    for step in wanted:
        if step.id in fused and step.id not in ahead:
            ahead |= _look_at_stages(fused[step.id], result, records, force)
        if step.id in ahead:
            result.steps[step.id] = ahead[step.id]
        elif isinstance(step.component, TableStep):
            known = recalled_step(step, result, records, force)
            result.steps[step.id] = known if known is not None else _look_at_table(step, step.component, result)
    return result


def _look_at_stages(
    steps: FusedSteps, result: RunResult, records: Records, force: Sequence[str]
) -> dict[str, StepResult]:
    """Return what the cache has of fused stages, and note in the result what there is to do."""
    known = recalled_stages(steps, result, records, force)
    if known is not None:
        result.todo |= dict.fromkeys(known, 0)
        return known
    forced = {step.id: step.id in force for step in steps}
    inputs = step_inputs(steps[0], done(result))
    levels = walk(steps, result.pipeline.seed, result.workspace, inputs, forced)
    for level in levels:
        result.todo[level.step.id] = level.to_do
        if level.settled:
            result.settled.add(level.step.id)
    return {level.step.id: level.result for level in levels}


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


def explain(
    pipeline: Pipeline, workspace: Path | str = "work", force: Sequence[str] = (), until: str | None = None
) -> list[str]:
    """Return one line a step that says why it will run, or that it is up to date; nothing is run.

    The arguments are those of `look`.
    """
    result = look(pipeline, workspace, force, until)
    before = read_lock(result.workspace.run_dir(pipeline.name)) or {"steps": {}, "packages": {}}
    now = lock_record(pipeline)
    lines, waiting = [], set()
    for step in pipeline.steps_up_to(until):
        behind = [upstream for upstream in step.upstream if upstream in waiting]
        todo = result.todo.get(step.id, 0)
        then, inputs = before["steps"].get(step.id), result.steps[step.id].inputs
        line = why(now["steps"][step.id], then, todo, inputs, step.id in force, step.id in result.settled)
        if behind:
            line = f"follows {', '.join(behind)}" + (f" ({line})" if todo else "")
        if behind or (todo and step.id not in result.settled):  # arrays made again leave the rows as they are
            waiting.add(step.id)
        lines.append(f"{step.id} ({step.component.name}): {line}")
    changed = package_differences(now["packages"], before["packages"]) if before["packages"] else []
    if changed:
        lines.append(f"libraries differ from the last run (nothing re-runs for it): {', '.join(changed)}")
    return lines
