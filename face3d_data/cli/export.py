"""`face3d export`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from face3d_data.cli.completion import complete_dataset
from face3d_data.cli.options import check_option, workspace_option
from face3d_data.cli.output import echo
from face3d_data.shards.find import find_dataset

FORMATS = ("ply", "csv+ply", "npy", "png", "triplets", "rgbd", "lfw", "modelnet", "face-h5")
"""As in `shards.export`, which is imported only when something is exported."""


@click.command(short_help="Write a dataset as files of other programs.")
@click.argument("dataset", shell_complete=complete_dataset)
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    default=("ply",),
    show_default=True,
    help="ply (or csv+ply), npy, png and triplets may be given together, the others alone. PNG depth is in whole mm, "
    "NPY is exact. rgbd: colour and depth with train, eval, test and dirty.csv; lfw: numbered images and pairs.txt; "
    "modelnet: HDF5 with train_files.txt; face-h5: HDF5 with data, pid and class.",
)
@click.option("--split", "splits", multiple=True, help="Only this split; may be given several times.")
@click.option("--triplets", type=click.IntRange(min=1), default=10_000, show_default=True, help="Triplets of an epoch.")
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="Files of triplets.")
@click.option("--identities", type=click.IntRange(min=2), default=32, show_default=True,
              help="People that the triplets of one batch are of.")  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1), default=544, show_default=True, help="Triplets of a batch.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides which triplets are drawn.")
@workspace_option
@check_option
def command(
    dataset: str,
    out: Path,
    formats: tuple[str, ...],
    splits: tuple[str, ...],
    triplets: int,
    epochs: int,
    identities: int,
    batch: int,
    seed: int,
    workspace: Path,
    check: bool,
) -> None:
    """Write a DATASET in the files that other programs read: OUT/<name>/<id>.ply, CSVs and pairs, or --format.

    DATASET is a name in WORKSPACE/datasets, or a folder; OUT is a folder that is not there yet. What a format cannot
    hold is said in a line.
    """
    from face3d_data.shards.export.dataset import export_dataset
    from face3d_data.shards.export.triplets import TripletPlan
    from face3d_data.shards.read import Dataset

    found = find_dataset(dataset, workspace)
    total = sum(
        split["samples"] for name, split in Dataset(found).info["splits"].items() if name in splits or not splits
    )
    notes: list[str] = []
    plan = TripletPlan(triplets, epochs, identities, batch, seed)
    bar = click.progressbar(length=total, label="export", file=sys.stderr, hidden=not sys.stderr.isatty())
    # Nothing is drawn before the first samples.
    written = export_dataset(found, out, formats, splits, bar.update, notes.append, plan, check)
    bar.render_finish()
    for line in notes:
        echo(f"note: {line}", err=True)
    echo(f"{written} samples as {', '.join(dict.fromkeys(formats))} in {out}")
