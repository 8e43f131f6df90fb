"""Options of the commands that recognise people: the network, its threshold, and where its faces are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.completion import complete_trained
from face3d_data.cli.network_options import check_device
from face3d_data.errors import UserError

if TYPE_CHECKING:
    from face3d_training.recognition.calibration import Calibration
    from face3d_training.recognition.embedder import Embedder
    from face3d_training.recognition.people import Threshold

FILE = click.Path(path_type=Path, dir_okay=False)
DEFAULT_FMR = 1e-3


def one_network(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--model`, one network, and `--device`."""
    for option in (
        click.option(
            "--device", default="auto", show_default=True, metavar="NAME", callback=check_device,
            help="Device of the network: auto, cpu, cuda, cuda:1 or mps.",
        ),
        click.option(
            "--model", metavar="NAME|RUN|FILE", shell_complete=complete_trained,
            help="The network: packaged, a run's folder, a checkpoint, an .onnx file [the gallery's, or packaged].",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def threshold_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--fmr`, `--threshold` and `--calibration`."""
    for option in (
        click.option(
            "--calibration", type=FILE, metavar="FILE",
            help="What distances mean, as face3d calibrate writes it [that beside the network's file].",
        ),
        click.option(
            "--threshold", type=click.FloatRange(0, 2), metavar="DISTANCE", help="Accept up to this distance instead.",
        ),
        click.option(
            "--fmr", type=click.FloatRange(0, 1, min_open=True, max_open=True), metavar="RATE",
            help=f"Accept up to the distance at which this share of impostor pairs is accepted [{DEFAULT_FMR:g}].",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def open_network(model: str, device: str) -> Embedder:
    """Return the network that `--model` names.

    Raises:
        UserError: no network has that name, and no file lies there.
    """
    with needing_training("recognising"):
        from face3d_training.packaged import PACKAGED, packaged_file, packaged_names
        from face3d_training.recognition.embedder import open_embedder
    known = model == PACKAGED or model in packaged_names()
    path = packaged_file(model) if known else Path(model)
    if not known and not path.exists():
        raise UserError(
            f"--model {model}: no such file, and no network of that name comes with the package ({PACKAGED}, "
            f"{', '.join(packaged_names())}): give a checkpoint, a run's folder, or an .onnx file"
        )
    return open_embedder(path, device)


def network_name(model: str) -> str:
    """Return what a gallery keeps of `--model`: the name of a packaged network, or an absolute path."""
    path = Path(model)
    return str(path.absolute()) if path.exists() else model


def threshold_of(
    embedder: Embedder, calibration: Path | None, fmr: float | None, threshold: float | None
) -> tuple[Threshold, Calibration | None]:
    """Return the threshold that is asked for, and the calibration behind it.

    Raises:
        UserError: both a rate and a distance are given, there is no calibration, or it cannot show the rate.
    """
    if fmr is not None and threshold is not None:
        raise UserError("--fmr and --threshold both say up to which distance faces are accepted: give one of them")
    from face3d_training.recognition.people import choose_threshold

    found = embedder.calibration(calibration)
    return choose_threshold(found, fmr or DEFAULT_FMR, threshold, embedder.name), found
