"""`face3d doctor`: what works here, and how to get what does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from face3d_data.cli.output import echo_json, echo_page


@click.command()
@click.option("-w", "--workspace", default="work", show_default=True, help="Folder whose disk is looked at.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(workspace: str, as_json: bool) -> None:
    """Say which packages, devices, engines and extras work here, and how to get the missing ones.

    Exit code 1 if a core piece is missing or a plugin cannot be loaded.
    """
    from face3d_data.doctor import examine

    report = examine(Path(workspace))
    if as_json:
        echo_json(report)
    else:
        echo_page("\n".join(lines_of(report)))
    sys.exit(1 if report["problems"] else 0)


def lines_of(report: dict[str, Any]) -> list[str]:
    """Return a report as lines to read: one for each section, sections of several values indented."""
    lines = []
    for name, value in report.items():
        if name == "problems":
            continue
        if name == "packages" and "problem" not in value:
            value = ", ".join(f"{package} {found or 'MISSING'}" for package, found in value.items())
        if isinstance(value, dict):
            lines.append(f"{name}:")
            lines += [f"  {key}: {', '.join(item) if isinstance(item, list) else item}" for key, item in value.items()]
        else:
            lines.append(f"{name}: {value}")
    lines += [f"PROBLEM {line}" for line in report["problems"]] or ["everything that the core needs is here"]
    return lines
