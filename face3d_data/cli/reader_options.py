"""Options that choose and set a reader: `--reader` and `--set`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.completion import complete_reader
from face3d_data.errors import UserError

if TYPE_CHECKING:
    from face3d_data.inputs.captures import ReaderChoice


def reader_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--reader` and `--set`."""
    for option in (
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set an option of the reader."),
        click.option(
            "--reader", metavar="NAME", shell_complete=complete_reader,
            help="Reader of the captures [chosen by the names of the files].",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def reader_settings(settings: Sequence[str], where: str) -> dict[str, Any]:
    """Return the options of a reader that `--set KEY=VALUE` gives.

    Args:
        settings: the texts.
        where: what messages name first (`readers --check`).

    Raises:
        UserError: one is not KEY=VALUE, or its value is not YAML.
    """
    from face3d_data.pipeline.text import setting_value

    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise UserError(f"{where}: --set {setting}: write KEY=VALUE")
        given[key] = setting_value(key, text, f"{where}: --set")
    return given


def chosen_reader(reader: str | None, settings: Sequence[str], where: str) -> ReaderChoice:
    """Return the reader that a command is asked for.

    Raises:
        UserError: an option without a reader that it belongs to, or not KEY=VALUE.
    """
    from face3d_data.inputs.captures import ReaderChoice

    return ReaderChoice(reader, reader_settings(settings, where))
