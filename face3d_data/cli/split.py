"""`face3d split`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from face3d_data.cli.completion import complete_pipeline
from face3d_data.cli.options import check_writable, engine_options, workspace_option
from face3d_data.cli.output import echo
from face3d_data.plurals import counted


@click.command(short_help="Show who is in which split, or freeze it.")
@click.argument("pipeline", shell_complete=complete_pipeline)
@workspace_option
@engine_options
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override an option, as in `face3d run`; repeatable."
)
@click.option("--step", help="Id of the split step, if there are several.")
@click.option("--freeze", type=click.Path(path_type=Path, dir_okay=False), help="File to save the split to.")
def command(
    pipeline: str,
    workspace: Path,
    engine: str,
    address: str | None,
    jobs: int | None,
    chunk: int | None,
    overrides: tuple[str, ...],
    step: str | None,
    freeze: Path | None,
) -> None:
    """Show the people in each split of PIPELINE, after running the steps before it; --freeze saves the split to a file.

    Given to the step as the option `frozen`, the file keeps these people in their splits.
    """
    from face3d_data.atomic import write_atomic
    from face3d_data.pipeline.freeze import split_of
    from face3d_data.pipeline.result import Workers

    if freeze is not None:
        check_writable(freeze, "--freeze")
    entries, text = split_of(pipeline, overrides, workspace, step, Workers(engine, jobs, chunk, address))
    people = Counter(split for _, split in {(entry.identity, entry.split) for entry in entries})
    samples = Counter(entry.split for entry in entries)
    for split in dict.fromkeys(entry.split for entry in sorted(entries, key=lambda entry: entry.split)):
        echo(f"{split}: {counted(people[split], 'person')}, {counted(samples[split], 'sample')}")
    if freeze is not None:
        write_atomic(freeze, text)
        echo(f"written to {freeze}: give it to the step as `frozen: {freeze}`")
