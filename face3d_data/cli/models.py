"""`face3d models`."""

from __future__ import annotations

import click

from face3d_data.cli.catalogue_output import of_training, print_catalogue
from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo


@click.command(short_help="List networks and losses, or show one.")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the networks and losses for `face3d train`, or show the options of NAME."""
    catalogue = of_training()
    if name is not None or as_json:
        print_catalogue(catalogue, ["model", "loss"], name, as_json)
        return
    for kind, title in (("model", "networks:"), ("loss", "losses:")):
        echo(title)
        print_catalogue(catalogue, [kind], None, as_json, margin=2)
