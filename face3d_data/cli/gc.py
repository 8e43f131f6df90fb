"""`face3d gc`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.options import workspace_option
from face3d_data.cli.output import echo


@click.command(short_help="Remove from the cache what no run needs.")
@workspace_option
@click.option("--apply", "apply_it", is_flag=True, help="Do what is listed; without it, nothing is changed.")
@click.option(
    "--compact",
    "compact_it",
    is_flag=True,
    help="Also merge small parts of the cache, and drop unused rows from others.",
)
@click.option(
    "--datasets",
    "keep_versions",
    type=click.IntRange(min=1),
    metavar="KEEP",
    help="Also remove all but KEEP versions of each dataset: the one in use, then the newest.",
)
def command(workspace: Path, apply_it: bool, compact_it: bool, keep_versions: int | None) -> None:
    """Remove from WORKSPACE what the last complete runs do not use.

    Published datasets are never changed; older versions of them go only with --datasets. Versions share the shards that
    are equal in them, so that removing one frees the others' space only where nothing else has it.
    """
    from face3d_data.pipeline.collect import collect

    for line in collect(workspace, apply_it, compact_it, keep_versions):
        echo(line)
