"""`face3d export`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from face3d_data.cli.completion import complete_dataset
from face3d_data.cli.options import check_option, workspace_option
from face3d_data.cli.output import echo
from face3d_data.plurals import counted
from face3d_data.shards.find import find_dataset
from face3d_data.terminal import shows_bars

FORMATS = (
    *("ply", "csv+ply", "npy", "png", "obj", "uv", "map", "triplets", "rgbd", "face3d-pytorch", "lfw"),
    *("masked-webface", "modelnet", "face-h5", "webdataset", "parquet", "huggingface"),
)
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
    help="ply (or csv+ply), npy, png, obj, uv, map and triplets can be combined, the others cannot. obj and uv: faces "
    "that were registered, as meshes and as maps of positions (1/128 mm about 32768) and normals. map: heights of the "
    "stage maps (0.01 mm about 32768, 0 = hole) and normals. Depth is in whole mm in "
    "PNG and exact in NPY. rgbd: colour and depth with train, eval, test and dirty.csv; face3d-pytorch: the same with "
    "CSVs of three columns; lfw: numbered images and pairs.txt in ten folds; masked-webface: plain and masked images "
    "as LPD's authors have them; modelnet: HDF5 with train_files.txt; face-h5: HDF5 with data, pid and class. "
    "webdataset: tar files; parquet: rows with arrays; huggingface: a folder that load_dataset opens.",
)
@click.option("--split", "splits", multiple=True, help="Export only this split; repeatable.")
@click.option("--triplets", type=click.IntRange(min=1), default=10_000, show_default=True, help="Triplets per epoch.")
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of epochs, one file of triplets each.",
)
@click.option("--identities", type=click.IntRange(min=2), default=32, show_default=True,
              help="People in the triplets of one batch.")  # fmt: skip
@click.option("--batch", type=click.IntRange(min=1), default=544, show_default=True, help="Triplets per batch.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the triplets.")
@click.option(
    "--i-may-share",
    "may_share",
    is_flag=True,
    help="Also write webdataset, parquet and huggingface where the terms of a source do not let it be passed on.",
)
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
    may_share: bool,
    workspace: Path,
    check: bool,
) -> None:
    """Export a DATASET to the folder OUT as files of other programs: OUT/<name>/<id>.ply, CSVs and pairs by default.

    DATASET is a name in WORKSPACE/datasets, or a folder. OUT must not exist yet. A note lists what the format cannot
    hold.
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
    bar = click.progressbar(length=total, label="export", file=sys.stderr, hidden=not shows_bars())
    # Nothing is drawn before the first samples.
    written = export_dataset(found, out, formats, splits, bar.update, notes.append, plan, check, may_share)
    bar.render_finish()
    for line in notes:
        echo(f"note: {line}", err=True)
    echo(f"{counted(written, 'sample')} as {', '.join(dict.fromkeys(formats))} in {out}")
