"""`face3d embed`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.completion import complete_back_end_file, complete_dataset, complete_trained
from face3d_data.cli.config_options import given_keys
from face3d_data.cli.network_options import (
    EmbedBars,
    NetworkCommand,
    architecture_option,
    branch_option,
    model_option,
    network_options,
    packaged_files,
)
from face3d_data.cli.options import check_option, out_option, workspace_option
from face3d_data.cli.output import echo
from face3d_data.cli.reader_options import chosen_reader, reader_options
from face3d_data.cli.recognition_options import open_network
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.find import find_dataset
from face3d_data.shards.schema import DESCRIPTION

if TYPE_CHECKING:
    from face3d_data.inputs.captures import ReaderChoice
    from face3d_training.trained_rows import EmbeddedRows


OF_DATASETS = ("split", "where", "back_end", "flip", "architecture", "branch", "check", "workers")
"""Options that say nothing of raw captures."""


@click.command(cls=NetworkCommand, short_help="Write the embeddings of a dataset or of captures by a network.")
@click.argument("dataset", shell_complete=complete_dataset, metavar="DATASET|FOLDER")
@click.argument(
    "checkpoint",
    type=click.Path(path_type=Path),
    required=False,
    metavar="[CHECKPOINT]",
    shell_complete=complete_trained,
)
@model_option
@architecture_option
@branch_option
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
@reader_options
@network_options
@workspace_option
@check_option
@click.pass_context
def command(
    context: click.Context,
    dataset: str,
    checkpoint: Path | None,
    models: tuple[str, ...],
    architecture: str | None,
    branch: str | None,
    out: Path,
    layout: Any,
    flip: bool,
    back_end: str | None,
    split: str,
    where: str | None,
    reader: str | None,
    settings: tuple[str, ...],
    device: str,
    workers: int,
    workspace: Path,
    check: bool,
    **keys: Any,
) -> None:
    """Compute the embeddings of a DATASET, or of the captures in a FOLDER, and write them to HDF5 or Parquet.

    DATASET is a name in WORKSPACE/datasets, or a folder. A FOLDER holds a folder of captures for each person, as for
    `face3d enroll`; of each capture the main face is prepared as the network's training samples were. CHECKPOINT is a
    file, or the folder of a run; instead of it `--model packaged` takes the network that comes with the package.
    `--architecture` names the network of another program's weights that come alone.

    Layout gallery writes one unit-length vector per person, `/<name>/embedding`. Layout images writes a group `/<name>`
    with the attribute `label`; in it a group per image, named as the file that `face3d export` writes, with the
    attribute `file_path` (that file's path, bytes) and the array `embedding`. Parquet has a row per image, with the
    columns of the CSV and `embedding`. A back-end of kind lda projects embeddings, so that their cosine is its score;
    the attribute `back_end` names it. If the command is stopped, the same command goes on from OUT.parts.
    """
    if (checkpoint is not None) + len(models) != 1:
        raise UserError("embed: give one network: a CHECKPOINT, or --model packaged")
    if layout is None:
        layout = "images" if out.suffix == ".parquet" else "gallery"
    if _is_raw(dataset, workspace):
        _refuse_what_datasets_have(context, [key for key, _ in given_keys(keys)])
        choice = chosen_reader(reader, settings, "embed")
        _embed_raw(Path(dataset), checkpoint or models[0], out, layout, choice, device)
        return
    if reader is not None or settings:
        raise UserError("embed: --reader and --set belong to a folder of raw captures: leave them out")
    folder = find_dataset(dataset, workspace)
    with needing_training("embedding"):
        from face3d_training.trained_rows import EmbeddingFile, RowChoice, embed_dataset
    (network,) = (checkpoint,) if checkpoint is not None else packaged_files(models)
    with EmbedBars() as progress:
        written = embed_dataset(
            RowChoice(folder, split, where, given_keys(keys), check),
            *(network, EmbeddingFile(out, layout, back_end, flip, branch), device, workers),
            progress=progress.show,
            say=echo,
            architecture=architecture,
        )
    echo(_said_of(written, layout, out))


def _said_of(written: EmbeddedRows, layout: str, out: Path) -> str:
    samples = counted(written.samples, "sample")
    masked = f", {written.masked:,} of them masked" if written.masked else ""
    what = f"people, means over {samples}{masked}" if layout == "gallery" else f"samples{masked}"
    return f"embeddings of {written.count} {what}, {written.form}, in {out}"


def _is_raw(dataset: str, workspace: Path) -> bool:
    """Tell whether a folder of captures is meant, and not a dataset."""
    there = (Path(dataset), workspace / "datasets" / dataset)
    return Path(dataset).is_dir() and not any((folder / DESCRIPTION).is_file() for folder in there)


def _refuse_what_datasets_have(context: click.Context, keys: list[str]) -> None:
    """Refuse options that say nothing of raw captures.

    Raises:
        UserError: naming the first that is given.
    """
    own = [name for name in OF_DATASETS if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    for name in (*own, *keys):
        option = name.replace("_", "-")
        raise UserError(f"embed: --{option} belongs to datasets, not to raw captures: leave it out")


def _embed_raw(folder: Path, network: Path | str, out: Path, layout: Any, choice: ReaderChoice, device: str) -> None:
    """Embed the captures in a folder, and print what became of them."""
    from face3d_data.inputs.captures import captures_in
    from face3d_training.recognition.raw_embeddings import embed_captures

    captures = list(captures_in(folder, choice))
    embedder = open_network(str(network), device)
    with EmbedBars() as bars:
        faces = embed_captures(
            captures, folder, embedder, out, layout, lambda done: bars.show("embed", done, len(captures))
        )
    for face in faces:
        if face.problem is not None:
            echo(f"  left out: {face.path}: {face.problem[0]}: {face.problem[1]}", err=True)
    used = [face for face in faces if face.problem is None]
    what = counted(len(used), "capture")
    if layout == "gallery":
        what = f"{counted(len({face.person for face in used}), 'person')}, means over {what}"
    left = f", {len(faces) - len(used)} left out" if len(used) < len(faces) else ""
    echo(f"embeddings of {what}{left}, in {out}")
