"""`face3d train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.completion import complete_dataset
from face3d_data.cli.config_options import OPEN_META, TrainCommand, given_keys
from face3d_data.cli.options import check_option, out_option, workspace_option
from face3d_data.cli.output import echo, say
from face3d_data.errors import UserError
from face3d_data.shards.find import find_dataset


@click.command(cls=TrainCommand, short_help="Train a network on a dataset.")
@click.argument("dataset", shell_complete=complete_dataset)
@click.option(
    "--config", "config_name", metavar="NAME|FILE", help="A config that comes with the package, or a YAML file."
)
@workspace_option
@out_option("the run", default="WORKSPACE/training/NAME-sSEED[-foldK]", folder=True)
@click.option("--resume", is_flag=True, help="Continue the run in --out where it stopped.")
@click.option("--restart", is_flag=True, help="Delete the run in --out and start again.")
@click.option(
    "--triplets",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of triplets (.npy); short for --triplets.file.",
)
@click.option(
    "--fold", type=click.IntRange(1), metavar="K",
    help="Leave fold K of a cross-validation for the test; short for --data.fold.",
)  # fmt: skip
@check_option
@click.option("--list", "list_configs", is_flag=True, is_eager=True, expose_value=False,
              callback=lambda context, _, wanted: _list(context, wanted),
              help="List the configs that come with the package.")  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    dataset: str,
    config_name: str | None,
    workspace: Path,
    out: Path | None,
    resume: bool,
    restart: bool,
    triplets: Path | None,
    fold: int | None,
    check: bool,
    **keys: Any,
) -> None:
    """Train a network on a DATASET. Every key of the config is also an option.

    DATASET is a name in WORKSPACE/datasets, or a folder. Set online augmentation with options such as
    `--augment.yaw-deg 15` (see `face3d stages augment`). To use several processes, GPUs or nodes:
    `torchrun --nproc-per-node 2 -m face3d_data train …`.
    """
    if resume and restart:
        raise UserError("--resume and --restart exclude each other: leave one of them out")
    overrides = [*given_keys(keys), *context.meta[OPEN_META]]
    if triplets is not None:
        overrides.append(("triplets.file", str(triplets)))
    if fold is not None:
        overrides.append(("data.fold", fold))
    folder = find_dataset(dataset, workspace)
    with needing_training():
        from face3d_training.allocator import keep_freed_memory
        from face3d_training.config import load_config
        from face3d_training.train import train
    config = load_config(config_name, overrides)
    of_fold = "" if config.data.fold is None else f"-fold{config.data.fold}"
    run = out or workspace / "training" / f"{config.name}-s{config.seed}{of_fold}"
    keep_freed_memory()
    best = train(folder, config, run, resume, restart, say=say, check=check)
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes one speaks
        echo(f"run {run}")
        echo(f"best {best}")


def _list(context: click.Context, wanted: bool) -> None:
    if not wanted:
        return
    from face3d_training.config import config_names, load_config

    for name in config_names():
        echo(f"{name}: {load_config(name).description}")
    context.exit(0)
