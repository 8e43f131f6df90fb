"""`face3d identify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.cli.reader_options import chosen_reader, reader_options
from face3d_data.cli.recognition_options import one_network, open_network, threshold_of, threshold_options
from face3d_data.errors import UserError
from face3d_data.plurals import counted

if TYPE_CHECKING:
    from face3d_training.recognition.answers import Answer
    from face3d_training.recognition.calibration import Calibration
    from face3d_training.recognition.people import Threshold


@click.command(short_help="Identify the people in captures among those of a gallery.")
@click.argument("inputs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="INPUT...")
@click.option("--gallery", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Enrolled people.")
@threshold_options
@click.option("--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), help="Also write a CSV file.")
@click.option(
    "--pictures", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER",
    help="Also write each image with boxes and names.",
)  # fmt: skip
@reader_options
@one_network
@json_option
def command(
    inputs: tuple[Path, ...],
    gallery: Path,
    fmr: float,
    threshold: float | None,
    calibration: Path | None,
    csv_file: Path | None,
    pictures: Path | None,
    reader: str | None,
    settings: tuple[str, ...],
    model: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Identify the faces in INPUTs: a person of the gallery, or unknown.

    An INPUT is a capture (NAME_color.png with NAME_depth.png beside it, a scan, an image for a network of images) or a
    folder of captures. Every face in an image is looked for, masked or not. A face is a person's up to the distance at
    which --fmr of all pairs of two people are taken for one.
    """
    from face3d_data.cli.catalogue_output import needing_training

    with needing_training("identifying"):
        from face3d_training.recognition.answers import Answers, check_new, draw_answers, write_answers
        from face3d_training.recognition.faces import FaceFinder
        from face3d_training.recognition.gallery import read_gallery
        from face3d_training.recognition.people import Recogniser
    from face3d_data.inputs.captures import captures_in

    people = read_gallery(gallery)
    embedder = open_network(model or people.file, device)
    people.check_network(embedder.digest, embedder.name, gallery)
    limit, known = threshold_of(embedder, calibration, fmr, threshold)
    answers = Answers(FaceFinder(embedder), Recogniser(people, limit, known))
    check_new(csv_file, pictures)
    choice = chosen_reader(reader, settings, "identify")
    found: list[Answer] = []
    for path in inputs:
        for capture in captures_in(path, choice):
            new = answers.of(capture)
            if not found and not as_json:
                for line in _about(limit, known, len(people.people)):
                    echo(line)
            found += new
            if pictures is not None:
                draw_answers(pictures, capture, new)
            if not as_json:
                for answer in new:
                    echo(answer.in_words)
    if csv_file is not None:
        write_answers(csv_file, found)
    if as_json:
        echo_json({"threshold": limit.distance, "network": embedder.name, "faces": [one.record() for one in found]})
        return
    seen = [one for one in found if one.decision is not None]
    named = sum(one.is_known for one in seen)
    lost = len(found) - len(seen)
    echo(f"{counted(len(seen), 'face')}: {named} of the gallery, {len(seen) - named} unknown"
         + (f"; {counted(lost, 'input')} without a usable face" if lost else ""))  # fmt: skip
    if not seen:
        raise UserError("identify: no face can be used: see the reasons above")


def _about(limit: Threshold, known: Calibration | None, people: int) -> list[str]:
    """Return lines on the threshold and what may be expected of it."""
    if limit.point is None or known is None:
        return [f"threshold: distance ≤ {limit.distance:.3f}"]
    wrong = 1 - (1 - limit.point.fmr) ** people
    return [
        f"threshold {limit.point.in_words}",
        f"measured on {known.people} people ({known.notice or known.measured_on}); about {wrong:.1%} of strangers are "
        f"taken for one of {counted(people, 'person')}",
        "probability: that both faces are of one person, if that is as likely as not beforehand",
    ]
