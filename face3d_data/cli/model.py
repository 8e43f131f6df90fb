"""`face3d model`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.completion import complete_dataset
from face3d_data.cli.options import check_option, json_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.plurals import counted


@click.group(short_help="Make a population of registered scans.")
def command() -> None:
    """Linear models of faces: `model build` makes one of a dataset's registered scans."""


@command.command(short_help="Build a linear model of a dataset's registered faces.")
@click.argument("dataset", shell_complete=complete_dataset)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The model's file, .npz.")
@click.option("--modes", type=click.IntRange(1), default=60, show_default=True, help="Most modes of people.")
@click.option(
    "--expression-modes",
    "within",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Most modes of captures about their person, where people have several.",
)
@click.option("--split", "splits", multiple=True, help="Take only this split; repeatable.")
@workspace_option
@check_option
@json_option
def build(
    dataset: str,
    out: Path,
    modes: int,
    within: int,
    splits: tuple[str, ...],
    workspace: Path,
    check: bool,
    as_json: bool,
) -> None:
    """Build a linear model of the registered faces of DATASET: a mean a person, then principal components.

    DATASET is a name in WORKSPACE/datasets, or a folder, with the array vertices (stage register). The reader synthetic
    draws new people from the file (its option model).
    """
    from face3d_data.shards.find import find_dataset
    from face3d_data.shards.population import build_model

    figures = build_model(find_dataset(dataset, workspace), out, modes, within, splits, check)
    if as_json:
        echo_json({"model": str(out), **figures})
        return
    of = f"{counted(figures['people'], 'person')}, {counted(figures['captures'], 'capture')}"
    echo(f"{out}: {counted(figures['modes'], 'mode')} of {of}, {figures['rms_mm']:.2f} mm rms about the mean")
    for share, count in figures["modes_for"].items():
        echo(f"  {share} of the variance: {counted(count, 'mode')}")
    if figures["expression_modes"]:
        echo(f"  {counted(figures['expression_modes'], 'mode')} of what varies within a person")
