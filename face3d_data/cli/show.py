"""`face3d show`: a sample's way through its pipeline in words and pictures, or a contact sheet of a dataset."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.options import out_option, workspace_option
from face3d_data.cli.output import echo
from face3d_data.errors import UserError

if TYPE_CHECKING:
    pass


@click.command(short_help="Trace one sample, or draw a contact sheet of a dataset.")
@click.argument("sample", required=False)
@workspace_option
@click.option("--pipeline", help="Only search the last run of this pipeline.")
@out_option("the pictures", default="WORKSPACE/show", folder=True)
@click.option("--sheet", metavar="DATASET", help="Instead of a sample: write a contact sheet of a dataset.")
@click.option("--people", type=click.IntRange(1), default=16, show_default=True, help="People on the contact sheet.")
def command(
    sample: str | None, workspace: Path, pipeline: str | None, out: Path | None, sheet: str | None, people: int
) -> None:
    """Trace SAMPLE through its pipeline: print each step and write a picture of its result.

    SAMPLE is an id (dataset/person/capture) or a name from a CSV.
    """
    if (sample is None) == (sheet is None):
        raise UserError("show: give either SAMPLE, an id or a name from a CSV, or --sheet DATASET")
    from face3d_data.sheets.dataset_sheet import write_dataset_sheet
    from face3d_data.sheets.sample_trace import show_sample

    folder = out or workspace / "show"
    say = partial(echo, err=True)
    try:
        if sheet is not None:
            echo(write_dataset_sheet(workspace, sheet, pipeline, folder, people, say))
            return
        for line in show_sample(workspace, str(sample), pipeline, folder, say):
            echo(line)
    except BrokenPipeError:
        raise  # who reads what is printed has seen enough
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror}): give another folder") from None
