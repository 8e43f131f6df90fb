"""`face3d status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from face3d_data.cli.options import json_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json


@click.command()
@click.argument("pipeline", required=False)
@workspace_option
@json_option
def command(pipeline: str | None, workspace: Path, as_json: bool) -> None:
    """Show what the last complete runs in WORKSPACE made, step by step; PIPELINE names one of them."""
    found = {name: read_stats(workspace, name) for name in run_names(workspace, pipeline)}
    if as_json:
        echo_json(found)
        return
    for name, stats in found.items():
        echo(f"{name}: " + ("not finished yet" if stats is None else f"last run took {stats['seconds']:.1f} s"))
        for line in table(stats or {"steps": {}, "datasets": {}}):
            echo(f"  {line}")


def run_names(workspace: Path, pipeline: str | None) -> list[str]:
    """Return the pipelines that ran in a workspace, or the one asked for.

    Raises:
        UserError: nothing ran there, or not that pipeline.
    """
    from face3d_data.store.workspace import Workspace

    names = Workspace(workspace).run_names()
    if not names:
        raise UserError(
            f"nothing has run in workspace {workspace}: use `face3d run`, or give another with -w/--workspace"
        )
    if pipeline is not None and pipeline not in names:
        raise UserError(f"pipeline {pipeline!r} has not run in {workspace} (these have: {', '.join(names)})")
    return names if pipeline is None else [pipeline]


def read_stats(workspace: Path, pipeline: str) -> dict[str, Any] | None:
    """Return the figures of a pipeline's last complete run, None if it never came to its end."""
    path = workspace / "runs" / pipeline / "stats.json"
    try:
        stats = parse_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        stats = None
    if not isinstance(stats, dict) or not {"seconds", "steps", "datasets"} <= stats.keys():
        raise UserError(f"{path}: is not what a run writes: remove it and run {pipeline!r} again")
    return stats


def table(stats: dict[str, Any]) -> list[str]:
    """Return one line a step, columns aligned."""
    lines = []
    width = max((len(name) for name in stats["steps"]), default=0)
    for name, step in stats["steps"].items():
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(step["reasons"].items()))
        dirty = f"  {step['dirty']} dirty ({reasons})" if step["dirty"] else ""
        lines.append(f"{name:<{width}}  {step['name']:<12} {step['inputs']:>7} in {step['outputs']:>7} out{dirty}")
    lines += [f"dataset {name}: {folder}" for name, folder in stats["datasets"].items()]
    return lines
