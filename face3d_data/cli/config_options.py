"""Options of a training config: one for every key, in sections."""

from __future__ import annotations

from typing import Any

import click
from pydantic import BaseModel

from face3d_data.cli.options import field_options
from face3d_data.errors import UserError

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
    (
        "model",
        "NAME",
        "The network, or my_package:MyNet; its options: --model.OPTION (`face3d models NAME`).",
    ),
    (
        "loss",
        "NAME,…",
        "The losses, also my_package:MyLoss; options: --loss.NAME.OPTION (`face3d models NAME`).",
    ),
)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _prefixed(section: str, option: click.Parameter) -> click.Option:
    """Return an option of a section's key under its dotted name."""
    if not isinstance(option, click.Option):
        raise TypeError(f"{option} is not an option")
    shown = section.replace("_", "-")
    flags = [flag.replace("--", f"--{shown}.", 1) for flag in option.opts]
    off = [flag.replace("--no-", f"--{shown}.no-", 1) for flag in option.secondary_opts]
    if off:
        flags = [f"{on}/{no}" for on, no in zip(flags, off, strict=True)]
    extra: dict[str, Any] = {"multiple": True} if option.multiple else {}
    return click.Option(
        [*flags, f"{section}.{option.name}".replace(".", "__")],
        default=None, help=option.help, metavar=option.metavar, **extra,
    )  # fmt: skip


def given_keys(keys: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the config's keys that were given as options; those of a network or loss come after their names."""
    given = [(name.replace("__", "."), value) for name, value in keys.items() if value not in (None, ())]
    return [(key, [part for text in value for part in text.split(",")] if isinstance(value, tuple) else value)
            for key, value in given]  # fmt: skip
