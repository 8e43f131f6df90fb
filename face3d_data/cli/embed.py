"""`face3d embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.completion import complete_back_end_file, complete_dataset, complete_trained
from face3d_data.cli.config_options import given_keys
from face3d_data.cli.network_options import (
    EmbedBars,
    NetworkCommand,
    architecture_option,
    model_option,
    network_options,
    packaged_files,
)
from face3d_data.cli.options import check_option, out_option, workspace_option
from face3d_data.cli.output import echo
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.find import find_dataset


@click.command(cls=NetworkCommand, short_help="Write the embeddings of a dataset by a network.")
@click.argument("dataset", shell_complete=complete_dataset)
@click.argument(
    "checkpoint",
    type=click.Path(path_type=Path),
    required=False,
    metavar="[CHECKPOINT]",
    shell_complete=complete_trained,
)
@model_option
@architecture_option
@out_option("the embeddings (.h5 or .parquet), a new file", required=True)
@click.option(
    "--layout",
    type=click.Choice(["gallery", "images"]),
    help="One embedding per person, the mean over the images, or one per image [gallery; images in .parquet].",
)
@click.option(
    "--flip", is_flag=True, help="Embed each image and its mirror image: the mean of both, of unit length again."
)
@click.option(
    "--back-end",
    metavar="FILE",
    shell_complete=complete_back_end_file,
    help="Project the embeddings by this back-end of kind lda, or: none [the one that comes with the network].",
)
@click.option("--split", default="test", show_default=True, help="Split to embed.")
@click.option("--where", metavar="QUERY", help="Only embed rows that match a query, such as \"mask == 'none'\".")
@network_options
@workspace_option
@check_option
def command(
    dataset: str,
    checkpoint: Path | None,
    models: tuple[str, ...],
    architecture: str | None,
    out: Path,
    layout: Any,
    flip: bool,
    back_end: str | None,
    split: str,
    where: str | None,
    device: str,
    workers: int,
    workspace: Path,
    check: bool,
    **keys: Any,
) -> None:
    """Compute the embeddings of a DATASET with the network of a CHECKPOINT and write them to HDF5 or Parquet.

    DATASET is a name in WORKSPACE/datasets, or a folder. CHECKPOINT is a file, or the folder of a run; instead of it
    `--model packaged` takes the network that comes with the package. `--architecture` names the network of another
    program's weights that come alone.

    Layout gallery writes one unit-length vector per person, `/<name>/embedding`. Layout images writes a group `/<name>`
    with the attribute `label`; in it a group per image, named as the file that `face3d export` writes, with the
    attribute `file_path` (that file's path, bytes) and the array `embedding`. Parquet has a row per image, with the
    columns of the CSV and `embedding`. A back-end of kind lda projects embeddings, so that their cosine is its score;
    the attribute `back_end` names it. If the command is stopped, the same command goes on from OUT.parts.
    """
    if (checkpoint is not None) + len(models) != 1:
        raise UserError("embed: give one network: a CHECKPOINT, or --model packaged")
    folder = find_dataset(dataset, workspace)
    with needing_training("embedding"):
        from face3d_training.trained_rows import EmbeddingFile, RowChoice, embed_dataset
    if layout is None:
        layout = "images" if out.suffix == ".parquet" else "gallery"
    (network,) = (checkpoint,) if checkpoint is not None else packaged_files(models)
    with EmbedBars() as progress:
        written = embed_dataset(
            RowChoice(folder, split, where, given_keys(keys), check),
            *(network, EmbeddingFile(out, layout, back_end, flip), device, workers),
            progress=progress.show,
            say=echo,
            architecture=architecture,
        )
    samples = counted(written.samples, "sample")
    masked = f", {written.masked:,} of them masked" if written.masked else ""
    what = f"people, means over {samples}{masked}" if layout == "gallery" else f"samples{masked}"
    echo(f"embeddings of {written.count} {what}, {written.form}, in {out}")
