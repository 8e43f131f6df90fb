"""`face3d export-model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.completion import complete_dataset, complete_trained
from face3d_data.cli.config_options import given_keys
from face3d_data.cli.network_options import NetworkCommand, architecture_option, model_option, packaged_files
from face3d_data.cli.options import json_option, out_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError
from face3d_data.shards.find import find_dataset


@click.command(cls=NetworkCommand, short_help="Write a network as ONNX, TorchScript or safetensors.")
@click.argument(
    "checkpoint",
    type=click.Path(path_type=Path),
    required=False,
    metavar="[CHECKPOINT]",
    shell_complete=complete_trained,
)
@model_option
@out_option("the network, a new file", required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "torchscript", "safetensors"]),
    help="Form of the file [as its name ends: .onnx, .pt or .torchscript, .safetensors].",
)
@architecture_option
@click.option(
    "--prepared-as",
    metavar="DATASET",
    shell_complete=complete_dataset,
    help="Captures are prepared for the network as this dataset's samples were made [as the checkpoint says].",
)
@workspace_option
@json_option
def command(
    checkpoint: Path | None,
    models: tuple[str, ...],
    out: Path,
    form: Any,
    architecture: str | None,
    prepared_as: str | None,
    workspace: Path,
    as_json: bool,
    **keys: Any,
) -> None:
    """Write the network of a CHECKPOINT to a file that other programs run, with batches of any size.

    CHECKPOINT is a file, or the folder of a run; `packaged`, or `--model packaged`, is the network that comes with the
    package. The file's metadata describe its input and how a face becomes it, as JSON. Before the file is published,
    embeddings of 100 drawn inputs are computed from it (ONNX by onnxruntime) and compared with torch's.

    A network of another program becomes one of ours as safetensors: `--architecture` names the network of weights that
    come alone, and `--prepared-as` a dataset whose samples were made as that network's were, so that `face3d enroll`,
    `identify` and `compare` prepare captures for it.
    """
    with needing_training("export-model"):
        from face3d_training.model_export.export import INPUTS, export_network
        from face3d_training.packaged import PACKAGED, packaged_names
    named = checkpoint is not None and not checkpoint.exists() and str(checkpoint) in (PACKAGED, *packaged_names())
    if named:
        checkpoint, models = None, (*models, str(checkpoint))
    if (checkpoint is not None) + len(models) != 1:
        raise UserError("export-model: give one network: a CHECKPOINT, or --model packaged")
    (network,) = (checkpoint,) if checkpoint is not None else packaged_files(models)
    like = None if prepared_as is None else find_dataset(prepared_as, workspace)
    written = export_network(network, out, form, given_keys(keys), architecture, like)
    for line in written.notes:
        echo(f"note: {line}", err=True)
    if as_json:
        echo_json({"path": str(out), "form": written.form, "difference": written.difference, **written.description})
        return
    takes = written.description["input"]
    shape = " × ".join(["batch", *map(str, takes["shape"][1:])])
    echo(f"{written.description['model']} as {written.form} in {out}")
    echo(f"  input {shape} ({', '.join(takes['channels'])}), embeddings of {written.description['embedding_size']}")
    echo(f"  largest difference from torch over {INPUTS} inputs: {written.difference:.1e}")
