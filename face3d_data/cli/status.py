"""`face3d status`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.completion import complete_run
from face3d_data.cli.options import json_option, workspace_option
from face3d_data.cli.output import echo, echo_json, echo_page
from face3d_data.errors import UserError


@click.command(short_help="Show what the last runs made, step by step.")
@click.argument("pipeline", required=False, shell_complete=complete_run)
@workspace_option
@json_option
@click.option("--csv", "step", metavar="STEP", help="Print the rows of a source or step as CSV, with their tags")
def command(pipeline: str | None, workspace: Path, as_json: bool, step: str | None) -> None:
    """Show the results of the last complete runs in WORKSPACE, step by step; PIPELINE selects one of them."""
    if step is not None:
        if as_json:
            raise UserError("--csv and --json: give one of them")
        _print_rows(workspace, pipeline, step)
        return
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


def _print_rows(workspace: Path, pipeline: str | None, step: str) -> None:
    from face3d_data.pipeline.runs import run_names
    from face3d_data.store.manifest_files import manifest_csv, manifests_in
    from face3d_data.store.workspace import Workspace

    names = run_names(workspace, pipeline)
    if len(names) > 1:
        raise UserError(f"--csv {step}: several pipelines ran in {workspace}: name one ({', '.join(names)})")
    run_dir = Workspace(workspace).run_dir(names[0])
    manifests = manifests_in(run_dir)
    if step not in manifests:
        known = ", ".join(manifests) or "none"
        raise UserError(f"--csv {step}: the last run of {names[0]!r} has no source or step of that name ({known})")
    for text in manifest_csv(manifests[step]):
        echo_page(text.removesuffix("\n"))
