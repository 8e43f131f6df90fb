"""`face3d gc`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.options import workspace_option
from face3d_data.cli.output import echo


@click.command(short_help="Remove from the cache what no run needs.")
@workspace_option
@click.option("--apply", "apply_it", is_flag=True, help="Remove what is listed; without it, nothing is removed.")
@click.option("--compact", "compact_it", is_flag=True, help="Also merge small or mostly unused files of the cache.")
def command(workspace: Path, apply_it: bool, compact_it: bool) -> None:
    """Remove from WORKSPACE what the last complete runs do not use, and merge small files of the cache.

    Published datasets are never changed.
    """
    from face3d_data.pipeline.collect import collect

    for line in collect(workspace, apply_it, compact_it):
        echo(line)
