"""`face3d train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from face3d_data.cli.options import check_option, field_options, workspace_option
from face3d_data.cli.output import echo
from face3d_data.cli.verify import find_dataset
from face3d_data.errors import UserError
from face3d_data.extras import extra_line

OPEN_META = "face3d_data.cli.train.open"
OPEN = ("model", "loss", "augment")
"""Keys whose own keys are known only to what they name: `--model.widths`, `--loss.triplet.margin`."""


class TrainCommand(click.Command):
    """A command with an option for every key of a training config, in sections."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take out the options of what a config names, which click cannot know, and parse the others."""
        ctx.meta[OPEN_META], rest = take_open(args)
        return super().parse_args(ctx, rest)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own options and those of a config's keys."""
        return [*super().get_params(ctx), *(option for _, options in config_options() for option in options)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options section by section."""
        own = [
            record
            for option in super().get_params(ctx)
            if isinstance(option, click.Option) and (record := option.get_help_record(ctx)) is not None
        ]
        for title, records in (("Options", own), *_help_records(ctx)):
            with formatter.section(title):
                formatter.write_dl(records)


def take_open(arguments: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the options of a network, loss or augmentation as (dotted key, value), and all other arguments.

    `--model.widths 32,64` and `--model.widths=32,64` are the same.

    Raises:
        UserError: an option has no value.
    """
    found, others, rest = [], [], list(arguments)
    while rest:
        argument = rest.pop(0)
        flag, equals, value = argument.partition("=")
        section, dot, _ = flag.removeprefix("--").partition(".")
        if not (flag.startswith("--") and dot and section in OPEN):
            others.append(argument)
            continue
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UserError(f"{flag} needs a value: {flag}=VALUE")
            value = rest.pop(0)
        found.append((flag.removeprefix("--"), value))
    return found, others


def _help_records(ctx: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
    sections = []
    for title, options in config_options():
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        sections.append((title, records))
    return sections


def config_options() -> list[tuple[str, list[click.Parameter]]]:
    """Return the sections of a config, each with the options of its keys: `--batch.identities`."""
    from face3d_training.config import TrainConfig

    fields = TrainConfig.model_fields
    sections = {name: info.annotation for name, info in fields.items() if _is_section(info.annotation)}
    top = field_options(TrainConfig, leave_out=(*sections, *OPEN, "name", "description"))
    named = [click.Option([f"--{name}", name], metavar=metavar, help=text) for name, metavar, text in _NAMED]
    found: list[tuple[str, list[click.Parameter]]] = [("Config", [*named, *top])]
    for name, model in sections.items():
        options = field_options(model)  # type: ignore[arg-type]
        found.append((f"Config, {name}", [_prefixed(name, option) for option in options]))
    return found


_NAMED = (
    ("model", "NAME", "The network; its options follow as --model.OPTION (`face3d models NAME` lists them)."),
    ("loss", "NAME,…", "The losses; their options follow as --loss.NAME.OPTION (`face3d models NAME` lists them)."),
)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _prefixed(section: str, option: click.Parameter) -> click.Option:
    """Return an option of a section's key under its dotted name."""
    if not isinstance(option, click.Option):
        raise TypeError(f"{option} is no option")
    flags = [flag.replace("--", f"--{section}.", 1) for flag in option.opts]
    off = [flag.replace("--no-", f"--{section}.no-", 1) for flag in option.secondary_opts]
    if off:
        flags = [f"{on}/{no}" for on, no in zip(flags, off, strict=True)]
    extra: dict[str, Any] = {"multiple": True} if option.multiple else {}
    return click.Option(
        [*flags, f"{section}.{option.name}".replace(".", "__")],
        default=None, help=option.help, metavar=option.metavar, **extra,
    )  # fmt: skip


@click.command(cls=TrainCommand)
@click.argument("dataset")
@click.option(
    "--config", "config_name", metavar="NAME|FILE", help="A config that comes with the package, or a YAML file."
)
@workspace_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the run [WORKSPACE/training/NAME-sSEED]."
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, where it stopped.")
@click.option("--restart", is_flag=True, help="Remove the run that is in --out, and begin anew.")
@click.option(
    "--triplets", type=click.Path(path_type=Path, dir_okay=False), help="An .npy of triplets: --triplets.file."
)
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
    check: bool,
    **keys: Any,
) -> None:
    """Train a network on a DATASET: by a config, any of whose keys is an option too.

    DATASET is a name in WORKSPACE/datasets, or a folder. Online augmentation is set as `--augment.yaw-deg 15`
    (`face3d stages augment` lists its options). Several processes, GPUs or nodes:
    `torchrun --nproc-per-node 2 -m face3d_data train …`.
    """
    if resume and restart:
        raise UserError("--resume and --restart exclude each other: leave one of them out")
    overrides = [*given_keys(keys), *context.meta[OPEN_META]]
    if triplets is not None:
        overrides.append(("triplets.file", str(triplets)))
    folder = find_dataset(dataset, workspace)
    try:
        from face3d_training.allocator import keep_freed_memory
        from face3d_training.config import load_config
        from face3d_training.train import train
    except ImportError as error:
        raise UserError(f"training needs {error.name}: {extra_line('train')}") from None
    config = load_config(config_name, overrides)
    run = out or workspace / "training" / f"{config.name}-s{config.seed}"
    keep_freed_memory()
    best = train(folder, config, run, resume, restart, say=echo, check=check)
    if os.environ.get("RANK", "0") == "0":  # of torchrun's processes one speaks
        echo(f"run {run}")
        echo(f"best {best}")


def given_keys(keys: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the config's keys that were given as options; those of a network or loss come after their names."""
    given = [(name.replace("__", "."), value) for name, value in keys.items() if value not in (None, ())]
    return [(key, [part for text in value for part in text.split(",")] if isinstance(value, tuple) else value)
            for key, value in given]  # fmt: skip


def _list(context: click.Context, wanted: bool) -> None:
    if not wanted:
        return
    from face3d_training.config import config_names, load_config

    for name in config_names():
        echo(f"{name}: {load_config(name).description}")
    context.exit(0)
