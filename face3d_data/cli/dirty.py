"""`face3d dirty`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.completion import complete_run
from face3d_data.cli.options import json_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError
from face3d_data.plurals import counted


@click.command(short_help="List the inputs that gave no sample, and why.")
@click.argument("pipeline", required=False, shell_complete=complete_run)
@workspace_option
@click.option("--step", help="Only rows of this step or source.")
@click.option("--reason", help="Only rows with this reason.")
@click.option("--retry", is_flag=True, help="Make the next run retry these rows.")
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Copy the files of these captures into DIR (new or empty), by reason, with dirty.csv and index.html.",
)
@json_option
def command(
    pipeline: str | None,
    workspace: Path,
    step: str | None,
    reason: str | None,
    retry: bool,
    export_to: Path | None,
    as_json: bool,
) -> None:
    """List the inputs that produced no sample, with the step, the reason and the file.

    PIPELINE selects the run of one pipeline; all runs of the workspace by default.
    """
    if export_to is not None and retry:
        raise UserError("--export and --retry exclude each other: look first, then let the run try again")
    from face3d_data.pipeline.dirty_rows import check_step, read_dirty
    from face3d_data.pipeline.runs import run_names

    names = run_names(workspace, pipeline)
    if step is not None:
        check_step(workspace, names, step)
    by_run = {name: read_dirty(workspace, name, step, reason) for name in names}
    rows = [row for found in by_run.values() for row in found]
    if export_to is not None:
        _export(workspace, by_run, export_to, as_json)
    elif retry:
        from face3d_data.pipeline.retry import retry_rows

        count = sum(retry_rows(workspace, name, step, reason) for name in names)
        echo(f"{counted(count, 'row')} will be tried again by the next run")
    elif as_json:
        echo_json(rows)
    else:
        for row in rows:
            where = row["path"] or row["sample_id"]
            echo(f"{row['step']}  {row['status']}  {row['reason']}  {where}  {row['detail']}")
            if row["traceback"]:
                echo(f"  traceback: {row['traceback']}")
        others = {row["reason"] for name in names for row in read_dirty(workspace, name, step, None)}
        wrong = reason is not None and not rows and others
        there = f" with reason {reason} (there are: {', '.join(sorted(others))})" if wrong else ""
        echo(f"{len(rows)} dirty rows{there}", err=not rows)


def _export(workspace: Path, by_run: dict[str, list[dict[str, str]]], folder: Path, as_json: bool) -> None:
    """Copy the rows' files, and say what became of them."""
    from face3d_data.pipeline.dirty_files import export_dirty, summary

    found = export_dirty(workspace, by_run, folder)
    if as_json:
        records = [{**bad.row, "state": bad.state, "files": bad.files, "gone": bad.gone} for bad in found]
        echo_json(records)
        return
    for line in summary(found):
        echo(line)
    echo(f"{len(found)} dirty rows: {folder / 'index.html'}")
