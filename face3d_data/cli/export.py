"""`face3d export`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from face3d_data.cli.options import workspace_option
from face3d_data.cli.verify import find_dataset


@click.command()
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    type=click.Choice(["ply", "npy", "png"]),
    multiple=True,
    default=("ply",),
    show_default=True,
    help="What each sample is written as; may be given several times. PNG depth is in whole mm, NPY is exact.",
)
@click.option("--split", "splits", multiple=True, help="Only this split; may be given several times.")
@workspace_option
def command(dataset: str, out: Path, formats: tuple[str, ...], splits: tuple[str, ...], workspace: Path) -> None:
    """Write a DATASET as one file a sample, OUT/<name>/<id>.ply, with CSVs and pairs beside.

    DATASET is a name in WORKSPACE/datasets, or a folder; OUT is a folder that is not there yet.
    """
    from face3d_data.shards.export import export_dataset
    from face3d_data.shards.read import Dataset

    found = find_dataset(dataset, workspace)
    total = sum(
        split["samples"] for name, split in Dataset(found).info["splits"].items() if name in splits or not splits
    )
    bar = click.progressbar(length=total, label="export", file=sys.stderr, hidden=not sys.stderr.isatty())
    written = export_dataset(found, out, formats, splits, bar.update)  # nothing is drawn before the first samples
    bar.render_finish()
    click.echo(f"{written} samples as {', '.join(dict.fromkeys(formats))} in {out}")
