"""`face3d stages`."""

from __future__ import annotations

import click

from face3d_data.cli.catalogue_output import of_datasets, print_catalogue
from face3d_data.cli.completion import complete_step
from face3d_data.cli.options import json_option


@click.command(short_help="List stages and table steps, or show one.")
@click.argument("name", required=False, shell_complete=complete_step)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the stages (sample to samples) and table steps, or show the options and arrays of NAME."""
    print_catalogue(of_datasets(), ["stage", "table"], name, as_json)
