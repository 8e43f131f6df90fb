"""`face3d components`."""

from __future__ import annotations

import click

from face3d_data.cli.catalogue_output import of_datasets, of_training, print_catalogue
from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError


@click.command(short_help="List components of all eight kinds, or show one.")
@click.argument("kind", required=False)
@click.argument("name", required=False)
@json_option
def command(kind: str | None, name: str | None, as_json: bool) -> None:
    """List the kinds of component, the components of one KIND, or show one component by NAME, plugins included.

    NAME may be a reference to a component in the current folder, my_package:my_function.
    """
    from face3d_data.catalogue_page import kinds_overview, terminal_width

    catalogue, lacking = of_datasets(), ""
    if kind is None or not catalogue.has(kind):
        try:
            catalogue = catalogue.with_kinds_of(of_training())
        except UserError as error:
            if kind is not None:
                raise
            lacking = f"networks and losses: {error}"
    if kind is not None:
        print_catalogue(catalogue, [catalogue.kind(kind)], name, as_json)
        return
    counts = catalogue.counts()
    if as_json:
        echo_json(counts)
        return
    for line in (*kinds_overview(counts, terminal_width()), "", *filter(None, [lacking]), *catalogue.broken_plugins()):
        echo(line)
    echo("face3d components KIND lists one kind, face3d components KIND NAME shows one component")
