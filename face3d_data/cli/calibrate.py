"""`face3d calibrate`."""

from __future__ import annotations

from pathlib import Path

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.options import out_option
from face3d_data.cli.output import echo
from face3d_data.plurals import counted


@click.command(short_help="Find out what a network's distances mean, by evaluations of it.")
@click.argument("evaluations", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="EVALUATION...")
@click.option("--method", metavar="NAME", help="What the evaluations call the network, if they have several.")
@out_option("the calibration (.json)", required=True)
def command(evaluations: tuple[Path, ...], method: str | None, out: Path) -> None:
    """Measure thresholds and probabilities of a network on the scores of EVALUATIONs, folders of `face3d evaluate`.

    For each false match rate that the pairs can show, the file has the distance up to which two faces count as one
    person, with intervals over people, and the odds of one person at any distance. `face3d identify` and `compare` take
    it by --calibration, or find it beside the network's file as NAME.calibration.json.
    """
    with needing_training("calibrating"):
        from face3d_training.recognition.calibration import calibrate_on, check_calibration_file, save_calibration
    check_calibration_file(out)
    found = calibrate_on(evaluations, method)
    save_calibration(out, found)
    pairs = f"{found.genuine:,} genuine and {found.impostors:,} impostor pairs"
    echo(f"{pairs} of {counted(found.people, 'person')}: {found.measured_on}")
    for point in found.points:
        echo(f"  {point.in_words}")
    echo(f"calibration {out}")
