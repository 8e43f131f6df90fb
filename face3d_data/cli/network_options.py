"""Options of commands that run a network: how faces are put before it, device and workers; and progress bars."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from face3d_data.cli.completion import complete_architecture, complete_packaged_network
from face3d_data.cli.config_options import config_options
from face3d_data.terminal import shows_bars

SECTION, INPUT_TITLE = "Config, data", "How faces are put before the network, if not as the checkpoint says"


NOT_SEEN = tuple(
    f"data__{key}" for key in ("train_split", "eval_split", "fold", "where", "choose_points", "plain_ratio")
)
"""Keys of a config's `data` that say nothing of how a face is put before a network."""


DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


DEFAULT = re.compile(r" \[default: [^\]]*\]")


class NetworkCommand(click.Command):
    """A command that also takes how faces are put before a network, if not as its checkpoint says: `--data.…`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the command's own options and those."""
        return [*super().get_params(ctx), *input_options()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, and then those."""
        sections = (("Options", super().get_params(ctx)), (INPUT_TITLE, input_options()))
        for title, options in sections:
            with formatter.section(title):
                formatter.write_dl(
                    [record for option in options if (record := option.get_help_record(ctx)) is not None]
                )


def input_options() -> list[click.Option]:
    """Return an option for each key of a config's `data` that says how a face is put before a network."""
    options = [option for option in dict(config_options())[SECTION] if isinstance(option, click.Option)]
    chosen = [option for option in options if option.name not in NOT_SEEN]
    for option in chosen:
        option.help = DEFAULT.sub("", option.help or "")
    return chosen


def network_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--device` and `--workers`."""
    for option in (
        click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Loader processes."),
        click.option(
            "--device", callback=check_device, default="auto", show_default=True, metavar="NAME",
            help="Device of the network: auto, cpu, cuda, cuda:1 or mps.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def model_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--model`, which may be repeated: networks that come with the package."""
    return click.option(
        "--model", "models", multiple=True, metavar="NAME", shell_complete=complete_packaged_network,
        help="A network that comes with the package, by name (face3d models lists them), or: packaged.",
    )(function)  # fmt: skip


def architecture_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--architecture`: the network of a file of another program that contains weights alone."""
    return click.option(
        "--architecture", metavar="NAME", shell_complete=complete_architecture,
        help="Network of a CHECKPOINT of another program that does not say it, such as ir50 or resnet50.",
    )(function)  # fmt: skip


def branch_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--branch`: the part of an embedding that answers, of networks that have parts."""
    return click.option(
        "--branch", metavar="NAME",
        help="Embedding of lpd: its part global (the whole face) or part (the latent part) alone, or both [both].",
    )(function)  # fmt: skip


def packaged_files(names: Sequence[str]) -> tuple[Path, ...]:
    """Return the files of networks that come with the package, each once.

    Raises:
        UserError: there is none of a name.
    """
    from face3d_training.packaged import packaged_file

    return tuple(dict.fromkeys(packaged_file(name) for name in names))


def check_device(context: click.Context, option: click.Parameter, value: str) -> str:
    """Return the name of a device, as a callback of an option.

    Raises:
        BadParameter: it is not the name of a device.
    """
    if DEVICE.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is not a device: auto, cpu, cuda, cuda:1 or mps")
    return value


class EmbedBars:
    """Bars on a terminal's stderr, one for each thing at work, drawn once there is something to tell; else nothing."""

    def __init__(self) -> None:
        self._bar: Any = None

    def __enter__(self) -> EmbedBars:
        return self

    def show(self, label: str, done: int, total: int) -> None:
        """Show how many of all are done of what is at work."""
        if self._bar is None or self._bar.label != label:
            self.close()
            self._bar = click.progressbar(length=total, label=label, file=sys.stderr, hidden=not shows_bars())
        self._bar.update(done - self._bar.pos)

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None

    def __exit__(self, *error: object) -> None:
        self.close()
