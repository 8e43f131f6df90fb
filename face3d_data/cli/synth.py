"""`face3d synth`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from face3d_data.cli.output import echo
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.terminal import is_quiet, shows_bars

TAUGHT_SEED = 11
"""Seed of the people of pipeline `recognition`, source `own`."""


@click.command(short_help="Write synthetic people as RGB-D files.")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--people", type=click.IntRange(1), default=8, show_default=True, help="Number of people.")
@click.option("--captures", type=click.IntRange(1, 100), default=4, show_default=True, help="Captures per person.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed; each seed gives other people."
)
@click.option("--width", type=click.IntRange(32, 4096), default=640, show_default=True, help="Image width, px.")
@click.option("--height", type=click.IntRange(24, 4096), default=480, show_default=True, help="Image height, px.")
@click.option("-j", "--jobs", type=click.IntRange(1), help="Worker processes; all cores if not given.")
def command(out: Path, people: int, captures: int, seed: int, width: int, height: int, jobs: int | None) -> None:
    """Write synthetic people to the folder OUT, in the layout of the reader `rgbd_folder`.

    The captures are those of the reader `synthetic`. OUT must be new, empty, or written by this command with the same
    seed, captures and size; existing people are kept.
    """
    from joblib import cpu_count

    from face3d_data.synthetic.write import write_people

    if seed == TAUGHT_SEED:
        echo(f"note: people of seed {seed} taught the network that comes with the package: judge it on those of others")
    started = time.monotonic()
    live = shows_bars()
    try:
        for done, person in enumerate(write_people(out, people, captures, seed, width, height, jobs or cpu_count()), 1):
            if live or (not is_quiet() and (done == people or done % 10 == 0)):
                line = f"{done}/{people} people, {time.monotonic() - started:.0f} s ({person})"
                click.echo(f"\r{line}\x1b[K" if live else line, nl=not live, err=True)
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written ({error.strerror})") from None
    if live:
        click.echo(err=True)
    echo(
        f"{counted(people, 'person')} x {counted(captures, 'capture')} in {out}: read them with the reader "
        f"rgbd_folder, root: {out}"
    )
