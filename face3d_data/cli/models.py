"""`face3d models`."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.cli.stages import MAX_WIDTH, page_of, parameter, row_lines
from face3d_data.errors import UserError
from face3d_data.extras import extra_line

if TYPE_CHECKING:
    from face3d_training.registry import Spec

KINDS = {"model": "networks", "loss": "losses"}


@click.command()
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the networks and losses that `face3d train` knows, or show the options of NAME."""
    try:
        from face3d_training.registry import specs
    except ImportError as error:
        raise UserError(f"training needs {error.name}: {extra_line('train')}") from None
    entries = [describe(cls) for kind in KINDS for cls in specs(kind).values()]
    if name is not None:
        known = [entry["name"] for entry in entries]
        entries = [entry for entry in entries if entry["name"] == name]
        if not entries:
            from face3d_data.component import did_you_mean

            raise UserError(
                f"no network or loss is named {name!r} (known: {', '.join(known)}){did_you_mean(name, known)}"
            )
    if as_json:
        echo_json(entries[0] if name else entries)
        return
    width = min(shutil.get_terminal_size((100, 24)).columns, MAX_WIDTH)
    for line in _page(entries, width) if name else _overview(entries, width):
        echo(line)


def describe(cls: type[Spec]) -> dict[str, Any]:
    """Return what is known of a network or loss, as JSON values; a network is built without memory to be counted."""
    first, _, rest = (cls.__doc__ or "").strip().partition("\n")
    entry = {
        "name": cls.name,
        "kind": cls.kind,
        "does": first.strip(),
        "more": textwrap.dedent(rest).strip(),
        "parameters": [parameter(cls, name) for name in cls.model_fields],
    }
    if cls.kind == "model":
        entry["takes"] = cls.inputs  # type: ignore[attr-defined]
        entry["weights"] = cls().count_weights()  # type: ignore[attr-defined]
    return entry


def _overview(entries: list[dict[str, Any]], width: int) -> list[str]:
    lines = []
    for kind, title in KINDS.items():
        lines.append(f"{title}:")
        mine = [entry for entry in entries if entry["kind"] == kind]
        lines += row_lines([(entry["name"], entry["does"] + _size(entry)) for entry in mine], width, 2)
    return lines


def _size(entry: dict[str, Any]) -> str:
    return f" ({entry['takes']}, {entry['weights'] / 1e6:.2f} M weights)" if entry["kind"] == "model" else ""


def _page(entries: list[dict[str, Any]], width: int) -> list[str]:
    [entry] = entries
    flag = "--model" if entry["kind"] == "model" else f"--loss.{entry['name']}"
    title = f"{entry['name']}: {entry['does']}{_size(entry)}"
    return page_of(title, entry["more"], [], entry["parameters"], width, f"options, as {flag}.OPTION:")
