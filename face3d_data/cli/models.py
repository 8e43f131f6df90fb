"""`face3d models`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from face3d_data.cli.catalogue_output import of_training, print_catalogue
from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json

KINDS = ("model", "loss")


@click.command(short_help="List networks and losses, or show one.")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the networks and losses for `face3d train`, or show the options of NAME, or the facts on a trained one.

    Networks that come with the package, trained, are listed last: `face3d embed` and `face3d evaluate` take them by
    `--model`. In JSON their kind is `trained`.
    """
    catalogue = of_training()
    if name is not None:
        trained = _trained_record(name)
        if trained is None:
            print_catalogue(catalogue, list(KINDS), name, as_json)
        elif as_json:
            echo_json(trained)
        else:
            for key, value in trained.items():
                echo(f"{key}: {', '.join(value) if isinstance(value, list) else value}")
        return
    if as_json:
        echo_json([*catalogue.entries(KINDS), *_trained_records()])
        return
    trained_lines = [*_trained_lines()]  # before anything is printed: a file may be damaged
    for kind, title in (("model", "networks:"), ("loss", "losses:")):
        echo(title)
        print_catalogue(catalogue, [kind], None, as_json, margin=2)
    for line in trained_lines:
        echo(line)


def _trained_records() -> list[dict[str, Any]]:
    from face3d_training.packaged import packaged_networks

    return [network.record() for network in packaged_networks()]


def _trained_record(name: str) -> dict[str, Any] | None:
    """Return the facts on the network that `--model NAME` takes; None: no trained network has that name."""
    from face3d_training.packaged import PACKAGED, packaged_file, packaged_names, packaged_networks

    if name not in (PACKAGED, *packaged_names()):
        return None
    file = packaged_file(name)
    return next(one.record() for one in packaged_networks() if one.path == file)


def _trained_lines() -> Iterator[str]:
    """Yield a line on each network that comes with the package."""
    from face3d_data.catalogue_page import row_lines, terminal_width
    from face3d_training.packaged import MODEL_CARD, PACKAGED, PRETRAINED, packaged_networks

    found = packaged_networks()
    if not found:
        return
    yield "trained networks, for embed and evaluate:"
    rows = []
    for network in found:
        names = network.name if len(found) > 1 else f"{PACKAGED} or --model {network.name}"
        also = "" if network.back_end is None else f", with back-end {network.back_end_kind}"
        rows.append((f"--model {names}", f"{network.model}{also}. (takes {', '.join(network.fields)})"))
    yield from row_lines(rows, terminal_width(), 2)
    yield f"  model card: {PRETRAINED / MODEL_CARD}"
