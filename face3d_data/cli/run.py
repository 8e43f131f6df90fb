"""`face3d run`."""

from __future__ import annotations

import gc
from pathlib import Path

import click

from face3d_data.cli.completion import complete_pipeline
from face3d_data.cli.options import engine_options, workspace_option
from face3d_data.cli.output import echo, say


@click.command(short_help="Run a pipeline, doing only what is not done yet.")
@click.argument("pipeline", shell_complete=complete_pipeline)
@workspace_option
@engine_options
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change an option: seed=3, plain.n_points=1024."
)
@click.option(
    "--explain", "--dry-run", "only_explain", is_flag=True, help="Print why each step will run, and run nothing."
)
@click.option("--until", metavar="STEP", help="Stop after this step; writes no dataset.")
@click.option("--force", multiple=True, metavar="STEP", help="Do this step again for all its inputs.")
@click.option("--rehash", is_flag=True, help="Hash every file again, and try again what was rejected.")
@click.option("--allow-leaks", is_flag=True, help="Publish a dataset even if its splits leak; it says so.")
def command(
    pipeline: str,
    workspace: Path,
    engine: str,
    jobs: int | None,
    chunk: int | None,
    overrides: tuple[str, ...],
    only_explain: bool,
    until: str | None,
    force: tuple[str, ...],
    rehash: bool,
    allow_leaks: bool,
) -> None:
    """Run PIPELINE: a YAML file, or the name of one that comes with the package.

    Only what is not done yet is done. The datasets appear in WORKSPACE/datasets.
    """
    from face3d_data.pipeline.build import load_pipeline
    from face3d_data.pipeline.look import explain
    from face3d_data.pipeline.result import Workers
    from face3d_data.pipeline.run import run

    # A run makes very many rows that live to its end: looking through them for cycles again and again costs a tenth.
    gc.set_threshold(100_000, 50, 50)
    built = load_pipeline(pipeline, overrides)
    if only_explain:
        for line in explain(built, workspace, force):
            echo(line)
        return
    result = run(
        built,
        workspace,
        engine=Workers(engine, jobs, chunk),
        until=until,
        force=force,
        rehash=rehash,
        allow_leaks=allow_leaks,
        say=say,
    )
    for folder in result.datasets.values():
        echo(f"dataset {folder}")
