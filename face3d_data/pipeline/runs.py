"""Runs of a workspace: which pipelines ran, what each run made, and its rows, read from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d_data.errors import UserError
from face3d_data.json_text import parse_json

if TYPE_CHECKING:
    from face3d_data.pipeline.result import RunResult


def run_names(workspace: str | Path, pipeline: str | None) -> list[str]:
    """Return the pipelines that ran in a workspace, or the one asked for.

    Raises:
        UserError: nothing ran there, or not that pipeline.
    """
    from face3d_data.store.workspace import Workspace

    workspace = Path(workspace)
    names = Workspace(workspace).run_names()
    if not names:
        raise UserError(
            f"nothing has run in workspace {workspace}: use `face3d run`, or give another with -w/--workspace"
        )
    if pipeline is not None and pipeline not in names:
        raise UserError(f"pipeline {pipeline!r} has not run in {workspace} (these have: {', '.join(names)})")
    return names if pipeline is None else [pipeline]


def read_stats(workspace: str | Path, pipeline: str) -> dict[str, Any] | None:
    """Return the figures of a pipeline's last complete run, None if it never came to its end."""
    workspace = Path(workspace)
    path = workspace / "runs" / pipeline / "stats.json"
    try:
        stats = parse_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        stats = None
    if not isinstance(stats, dict) or not {"seconds", "steps", "datasets"} <= stats.keys():
        raise UserError(f"{path}: was not written by a run: remove it and run {pipeline!r} again")
    return stats


def stats_lines(stats: dict[str, Any]) -> list[str]:
    """Return one line a step, columns aligned."""
    lines = []
    width = max((len(name) for name in stats["steps"]), default=0)
    for name, step in stats["steps"].items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(step["reasons"].items()))
        dirty = f"  {step['dirty']} dirty ({reasons})" if step["dirty"] else ""
        lines.append(f"{name:<{width}}  {step['name']:<12} {step['inputs']:>7} in {step['outputs']:>7} out{dirty}")
    lines += [f"dataset {name}: {folder}" for name, folder in stats["datasets"].items()]
    return lines


def last_runs(
    workspace: Path, pipeline: str | None, say: Callable[[str], None] = lambda line: None
) -> Iterator[tuple[str, RunResult]]:
    """Yield the last run of each pipeline of a workspace, or of the one asked for, joined from the cache.

    A run that stopped early is shown as far as it came; nothing is run.

    Args:
        workspace: folder of the runs.
        pipeline: name of one of them; all if None.
        say: takes a line for each pipeline whose run cannot be read.

    Raises:
        UserError: nothing ran there, or not that pipeline, or its sources cannot be found any more.
    """
    from face3d_data.pipeline.build import load_pipeline
    from face3d_data.pipeline.look import look
    from face3d_data.pipeline.run import PIPELINE

    for name in run_names(workspace, pipeline):
        try:
            yield name, look(load_pipeline(workspace / "runs" / name / PIPELINE), workspace)
        except UserError as error:
            if pipeline is not None:
                raise
            say(f"note: pipeline {name!r} cannot be shown: {error}")


def run_name(pipeline: str) -> str:
    """Return the name under which a pipeline ran: it may be given as its file too.

    Raises:
        UserError: the file is not a pipeline.
    """
    from face3d_data.pipeline.spec import PIPELINE_KEYS
    from face3d_data.yaml_file import read_yaml

    if not pipeline.endswith((".yaml", ".yml")):
        return pipeline
    return str(read_yaml(Path(pipeline), PIPELINE_KEYS).get("name", pipeline))


def default_step(result: RunResult) -> str:
    """Return the step that feeds the first dataset, or the last step where there is none."""
    datasets = list(result.pipeline.datasets.values())
    return datasets[0].upstream if datasets else list(result.steps)[-1]
