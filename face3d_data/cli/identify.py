"""`face3d identify`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.options import json_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.cli.output import say as tell
from face3d_data.cli.reader_options import chosen_reader, reader_options
from face3d_data.cli.recognition_options import one_network, open_network, threshold_of, threshold_options
from face3d_data.errors import UserError
from face3d_data.plurals import counted

if TYPE_CHECKING:
    from face3d_data.inputs.captures import RawCapture, ReaderChoice
    from face3d_training.recognition.answers import Answer
    from face3d_training.recognition.calibration import Calibration
    from face3d_training.recognition.people import Threshold


@dataclass(frozen=True)
class _Input:
    """Captures to look at; those of a video are followed from frame to frame."""

    captures: Iterator[RawCapture]
    is_video: bool


@click.command(short_help="Identify the people in captures among those of a gallery.")
@click.argument("inputs", type=click.Path(path_type=Path), nargs=-1, metavar="[INPUT]...")
@click.option("--gallery", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Enrolled people.")
@threshold_options
@click.option(
    "--camera", type=click.IntRange(0), metavar="N", help="Look at what camera N sees, until Ctrl-C; with --page."
)
@click.option("--track", is_flag=True, help="The captures of an INPUT are frames of one video: follow each face.")
@click.option("--page", is_flag=True, help="Show pictures and names in a page for the browser, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port of the page; 0: any.")
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
    camera: int | None,
    track: bool,
    page: bool,
    port: int,
    csv_file: Path | None,
    pictures: Path | None,
    reader: str | None,
    settings: tuple[str, ...],
    model: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Identify the faces in INPUTs: a person of the gallery, or unknown.

    An INPUT is a capture (NAME_color.png with NAME_depth.png beside it, a scan, an image for a network of images), a
    folder of captures, or a video. Every face in an image is looked for, masked or not. A face is a person's up to the
    distance at which a share --fmr of all pairs of two people is taken for one. In a video, or with --track, a face is
    followed from frame to frame and the mean of its frames decides.
    """
    if bool(inputs) == (camera is not None):
        raise UserError("identify: give INPUTs, or --camera N")
    with needing_training("identifying"):
        from face3d_training.recognition.answers import Answers, check_new, write_answers
        from face3d_training.recognition.faces import FaceFinder
        from face3d_training.recognition.gallery import read_gallery
        from face3d_training.recognition.page import RecognitionPage
        from face3d_training.recognition.people import Recogniser
        from face3d_training.recognition.watching import Watcher
    from face3d_data.inputs.captures import reader_of
    from face3d_data.inputs.video import is_video

    people = read_gallery(gallery)
    embedder = open_network(model or people.file, device)
    people.check_network(embedder.digest, embedder.name, gallery)
    limit, known = threshold_of(embedder, calibration, fmr, threshold)
    answers = Answers(FaceFinder(embedder), Recogniser(people, limit, known))
    check_new(csv_file, pictures)
    choice = chosen_reader(reader, settings, "identify")
    for path in inputs:  # what is wrong with the last is said before the first is looked at
        if not (is_video(path) and path.is_file()):
            reader_of(path, choice)
    about = _about(limit, known, len(people.people))

    def opened(size: tuple[int, int]) -> RecognitionPage:
        shown = RecognitionPage(size, "; ".join(about), port)
        echo(f"page {shown.address}", err=as_json)
        return shown

    said = list[str]()

    def say(line: str) -> None:
        if not said and not as_json:
            for text in about:
                tell(text)
        said.append(line)
        if not as_json:
            echo(line)

    watcher = Watcher(answers, say, pictures, opened if page or camera is not None else None)
    with suppress(KeyboardInterrupt):
        for one in _inputs(inputs, camera, track, choice):
            (watcher.video if one.is_video else watcher.single)(one.captures)
        if watcher.page is not None:
            watcher.page.end()
            echo("that was all: Ctrl-C ends the page", err=True)
            while True:
                sleep(1)
    if watcher.page is not None:
        watcher.page.close()
    if csv_file is not None:
        write_answers(csv_file, watcher.found)
    if as_json:
        faces = [one.record() for one in watcher.found]
        rate, notice = (None if limit.point is None else limit.point.fmr), ("" if known is None else known.notice)
        echo_json(
            {"threshold": limit.distance, "fmr": rate, "notice": notice, "network": embedder.name, "faces": faces}
        )
    _summarize(watcher.found, as_json)


def _inputs(inputs: tuple[Path, ...], camera: int | None, track: bool, choice: ReaderChoice) -> Iterator[_Input]:
    from face3d_data.inputs.captures import captures_in
    from face3d_data.inputs.video import camera_frames, is_video, video_frames

    if camera is not None:
        yield _Input(camera_frames(camera), True)
    for path in inputs:
        yield _Input(video_frames(path), True) if is_video(path) else _Input(captures_in(path, choice), track)


def _summarize(found: list[Answer], as_json: bool) -> None:
    """Print how many faces there were.

    Raises:
        UserError: not one could be used.
    """
    seen = [one for one in found if one.decision is not None]
    if not seen:
        first = found[0].in_words if found else "nothing was seen"
        raise UserError(f"identify: no face can be used ({first})")
    if as_json:
        return
    named = sum(one.is_known for one in seen)
    lost = len(found) - len(seen)
    left = f"; {counted(lost, 'input')} without a usable face" if lost else ""
    echo(f"{counted(len(seen), 'face')}: {named} of the gallery, {len(seen) - named} unknown{left}")


def _about(limit: Threshold, known: Calibration | None, people: int) -> list[str]:
    """Return lines on the threshold and what may be expected of it."""
    if limit.point is None or known is None:
        return [f"threshold: distance ≤ {limit.distance:.3f}"]
    wrong = 1 - (1 - limit.point.fmr) ** people
    return [
        f"threshold {limit.point.in_words}",
        f"measured on {counted(known.people, 'person')} ({known.notice or known.measured_on})",
        f"about {wrong:.1%} of strangers are taken for one of {counted(people, 'person')}",
        "probability: that both faces are of one person, if that is as likely as not beforehand",
    ]
