"""`face3d domains`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.completion import complete_run
from face3d_data.cli.options import json_option, out_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError

if TYPE_CHECKING:
    pass


@click.command(short_help="Compare the sources of a run: table and picture.")
@click.argument("pipeline", shell_complete=complete_run)
@workspace_option
@click.option("--step", help="Source or step whose rows are compared [the input of the first dataset].")
@click.option("--most", type=click.IntRange(1), default=20, show_default=True, help="Captures measured per source.")
@out_option("the picture (.png)", default="WORKSPACE/show/PIPELINE-domains.png")
@json_option
def command(pipeline: str, workspace: Path, step: str | None, most: int, out: Path | None, as_json: bool) -> None:
    """Compare the sources of PIPELINE's last run, as a table and a picture.

    PIPELINE is the name of a pipeline, or its file. People, captures and masks are counted over all rows. Readings,
    depth and noise refer to the face and are measured on a few captures of each source.
    """
    from face3d_data.domains.domain import domains
    from face3d_data.domains.picture import draw_domains
    from face3d_data.domains.table import domain_notes, domain_table
    from face3d_data.pictures.sample_picture import write_png
    from face3d_data.pipeline.runs import default_step, last_runs, run_name

    if out is not None and out.suffix.lower() != ".png":
        raise UserError(f"--out {out}: give the name of a .png file")
    name = run_name(pipeline)
    ((_, result),) = last_runs(workspace, name, partial(echo, err=True))
    step = step or default_step(result)
    if step not in result.steps:
        raise UserError(f"--step {step}: pipeline {name!r} has no such source or step ({', '.join(result.steps)})")
    entries = result.entries(step)
    if not entries:
        raise UserError(f"step {step!r} of {name!r} has no rows: run it, or see `face3d dirty {name} -w {workspace}`")
    found = domains(entries, most)
    path = out or workspace / "show" / f"{name}-domains.png"
    write_png(path, draw_domains(f"{name}: {step}", [domain for domain in found if domain.kind == "source"]))
    if as_json:
        records = [domain.record() for domain in found]
        told = {"pipeline": name, "step": step, "most": most, "domains": records, "picture": str(path)}
        echo_json(told)
        return
    waiting = [name for name, todo in result.todo.items() if todo]
    for line in (*domain_table(found), *domain_notes(found, step, most, waiting), str(path)):
        echo(line)
