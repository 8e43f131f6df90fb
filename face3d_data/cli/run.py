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
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override an option, such as seed=3 or plain.n_points=1024; repeatable.",
)
@click.option(
    "--explain",
    "--dry-run",
    "only_explain",
    is_flag=True,
    help="Print what each step would do and why, without running it.",
)
@click.option("--until", metavar="STEP", help="Stop after this step, without writing datasets.")
@click.option("--force", multiple=True, metavar="STEP", help="Repeat this step for all its inputs; repeatable.")
@click.option("--rehash", is_flag=True, help="Hash all source files again, and retry rejected inputs.")
@click.option(
    "--allow-leaks", is_flag=True, help="Publish a dataset even if its splits overlap; this is recorded in it."
)
def command(
    pipeline: str,
    workspace: Path,
    engine: str,
    address: str | None,
    jobs: int | None,
    chunk: int | None,
    overrides: tuple[str, ...],
    only_explain: bool,
    until: str | None,
    force: tuple[str, ...],
    rehash: bool,
    allow_leaks: bool,
) -> None:
    """Run PIPELINE, a YAML file or the name of a pipeline that comes with the package.

    Only inputs that have no cached result are processed. Datasets are written to WORKSPACE/datasets.
    """
    from face3d_data.pipeline.build import load_pipeline
    from face3d_data.pipeline.look import explain
    from face3d_data.pipeline.result import Workers
    from face3d_data.pipeline.run import run

    # A run makes very many rows that live to its end: looking through them for cycles again and again costs a tenth.
    gc.set_threshold(100_000, 50, 50)
    built = load_pipeline(pipeline, overrides)
    if only_explain:
        for line in explain(built, workspace, force, until):
            echo(line)
        return
    result = run(
        built,
        workspace,
        engine=Workers(engine, jobs, chunk, address),
        until=until,
        force=force,
        rehash=rehash,
        allow_leaks=allow_leaks,
        say=say,
    )
    for folder in result.datasets.values():
        echo(f"dataset {folder}")
