"""`face3d status`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.completion import complete_run
from face3d_data.cli.options import json_option, workspace_option
from face3d_data.cli.output import echo, echo_json


@click.command(short_help="Show what the last runs made, step by step.")
@click.argument("pipeline", required=False, shell_complete=complete_run)
@workspace_option
@json_option
def command(pipeline: str | None, workspace: Path, as_json: bool) -> None:
    """Show the results of the last complete runs in WORKSPACE, step by step; PIPELINE selects one of them."""
    from face3d_data.pipeline.runs import read_stats, run_names, stats_lines
    from face3d_data.shards.reuse import older_versions
    from face3d_data.store.workspace import Workspace

    found = {name: read_stats(workspace, name) for name in run_names(workspace, pipeline)}
    if as_json:
        echo_json(found)
        return
    for name, stats in found.items():
        echo(f"{name}: " + ("not finished yet" if stats is None else f"last run took {stats['seconds']:.1f} s"))
        for line in stats_lines(stats or {"steps": {}, "datasets": {}}):
            echo(f"  {line}")
        for dataset in stats["datasets"] if stats else ():
            for line in older_versions(Workspace(workspace).datasets, dataset):
                echo(f"  {line}")
