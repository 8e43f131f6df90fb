"""`face3d verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.completion import complete_dataset
from face3d_data.cli.options import json_option, workspace_option
from face3d_data.cli.output import echo, echo_json

if TYPE_CHECKING:
    pass


@click.command(short_help="Check a dataset: files, labels, lists, leaks.")
@click.argument("dataset", shell_complete=complete_dataset)
@workspace_option
@click.option(
    "--same-person",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="CSV",
    help="List (identity,same_as) of people with several names, who count as one.",
)
@click.option(
    "--near-duplicates/--no-near-duplicates",
    default=None,
    help="Search for samples of two splits that may show one recording [up to 100,000 samples].",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Also exit with 1 for suspected overlaps, and if near-duplicates could not be searched for.",
)
@click.option("-j", "--jobs", type=click.IntRange(1), help="Workers that search for near-duplicates [all cores].")
@json_option
@click.pass_context
def command(
    context: click.Context,
    dataset: str,
    workspace: Path,
    same_person: Path | None,
    near_duplicates: bool | None,
    strict: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Check the hashes, schema, labels and lists of a DATASET, and that its splits do not overlap. Exits with 1 if not.

    DATASET is a name in WORKSPACE/datasets, or a folder. Near-duplicates are reported as suspected: inspect them.
    """
    from joblib import cpu_count

    from face3d_data.shards.audit.report import is_open, verification_lines, verification_record
    from face3d_data.shards.audit.verify import verify_dataset
    from face3d_data.shards.find import find_dataset

    path = find_dataset(dataset, workspace)
    verdict = verify_dataset(path, same_person, near_duplicates, jobs or cpu_count(), show_progress=True)
    if as_json:
        echo_json(verification_record(verdict))
    else:
        for line in verification_lines(verdict):
            echo(line)
    if not verdict.ok or (strict and is_open(verdict)):
        context.exit(1)
