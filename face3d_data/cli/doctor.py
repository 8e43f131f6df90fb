"""`face3d doctor`: what works here, and how to get what does not."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.output import echo_json, echo_page


@click.command(short_help="Check packages, devices, engines and extras.")
@click.option("-w", "--workspace", default="work", show_default=True, help="Folder whose free disk space is checked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(workspace: str, as_json: bool) -> None:
    """Report which packages, devices, engines and extras work here, and how to install the missing ones.

    Exits with 1 if a required package is missing or a plugin cannot be loaded.
    """
    from face3d_data.doctor import examine, lines_of

    report = examine(Path(workspace))
    if as_json:
        echo_json(report)
    else:
        echo_page("\n".join(lines_of(report)))
    if report["problems"]:
        raise click.exceptions.Exit(1)
