"""`face3d readers`."""

from __future__ import annotations

import click

from face3d_data.cli.options import json_option
from face3d_data.cli.stages import show


@click.command()
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the readers (disk to samples), or show what reader NAME takes, gives and rejects."""
    show(("reader",), name, as_json)
