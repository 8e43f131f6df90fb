"""`face3d identify`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.camera_options import CAMERA_HELP, CameraName
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
    from face3d_training.recognition.answers import Answers
    from face3d_training.recognition.calibration import Calibration
    from face3d_training.recognition.page import RecognitionPage
    from face3d_training.recognition.people import Threshold
    from face3d_training.recognition.watching import Watcher


@dataclass(frozen=True)
class _Input:
    """Captures to look at; those of a video are followed from frame to frame. Some are known to have colour alone."""

    name: str
    captures: Iterator[RawCapture]
    is_video: bool
    only_color: bool


@click.command(short_help="Identify the people in captures among those of a gallery.")
@click.argument("inputs", type=click.Path(path_type=Path), nargs=-1, metavar="[INPUT]...")
@click.option("--gallery", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Enrolled people.")
@threshold_options
@click.option(
    "--camera", type=CameraName(), metavar="CAMERA",
    help=f"Look at what a camera sees, until Ctrl-C, with --page: {CAMERA_HELP}.",
)  # fmt: skip
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
    camera: str | None,
    csv_file: Path | None,
    pictures: Path | None,
    reader: str | None,
    settings: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Identify the faces in INPUTs: a person of the gallery, or unknown.

    An INPUT is a capture (NAME_color.png with NAME_depth.png beside it, a scan, an image for a network of images), a
    folder of captures, or a video. Every face in an image is looked for, masked or not. A face is a person's up to the
    distance at which a share --fmr of all pairs of two people is taken for one. In a video, or with --track, a face is
    followed from frame to frame and the mean of its frames decides.
    """
    if bool(inputs) == (camera is not None):
        raise UserError("identify: give INPUTs, or --camera N or realsense")
    with needing_training("identifying"):
        from face3d_training.recognition.answers import check_new, write_answers
        from face3d_training.recognition.watching import Watcher
    check_new(csv_file, pictures)
    choice = chosen_reader(reader, settings, "identify")
    given = list(_inputs(inputs, camera, options["track"], choice))
    asked = _asked(gallery, options)
    for one in given:
        if one.only_color:
            asked.answers.finder.preparation.check_takes(("color",), one.name)
    say = _Say(asked.about, as_json)
    opened = partial(_opened, asked, options["port"], as_json) if options["page"] or camera is not None else None
    watcher = Watcher(asked.answers, say, pictures, opened, keep=as_json or csv_file is not None)
    _watch(watcher, given, until_interrupted=opened is not None)
    if csv_file is not None:
        write_answers(csv_file, watcher.found)
    if as_json:
        echo_json({**asked.record, "faces": [one.record() for one in watcher.found]})
    if not watcher.usable:
        raise UserError(f"identify: no face can be used ({watcher.first or 'nothing was seen'})")
    if not as_json:
        echo(watcher.summary)


@dataclass(frozen=True)
class _Asked:
    """What answers, lines on what its answers mean, and the same for JSON."""

    answers: Answers
    about: list[str]
    record: dict[str, Any]


def _asked(gallery: Path, options: Mapping[str, Any]) -> _Asked:
    """Return what answers, by the gallery and the options of network and threshold.

    Raises:
        UserError: they do not fit each other.
    """
    from face3d_training.recognition.answers import Answers
    from face3d_training.recognition.faces import FaceFinder
    from face3d_training.recognition.gallery import read_gallery
    from face3d_training.recognition.people import Recogniser

    people = read_gallery(gallery)
    embedder = open_network(options["model"] or people.file, options["device"])
    people.check_network(embedder.digest, embedder.name, gallery)
    limit, known = threshold_of(embedder, options["calibration"], options["fmr"], options["threshold"])
    record = {
        "threshold": limit.distance,
        "fmr": None if limit.point is None else limit.point.fmr,
        "notice": "" if known is None else known.notice,
        "network": embedder.name,
    }
    answers = Answers(FaceFinder(embedder), Recogniser(people, limit, known))
    return _Asked(answers, _about(limit, known, len(people.people)), record)


class _Say:
    """Prints lines on what is seen, and before the first one what they mean; nothing beside JSON."""

    def __init__(self, about: list[str], as_json: bool) -> None:
        self._about, self._as_json = list(about), as_json

    def __call__(self, line: str) -> None:
        if self._as_json:
            return
        while self._about:
            tell(self._about.pop(0))
        echo(line)


def _opened(asked: _Asked, port: int, as_json: bool, size_px: tuple[int, int]) -> RecognitionPage:
    """Open the page, for pictures of a width and height, and print its address."""
    from face3d_training.recognition.page import RecognitionPage

    shown = RecognitionPage(size_px, "; ".join(asked.about), port)
    echo(f"page {shown.address}", err=as_json)
    return shown


def _watch(watcher: Watcher, given: Iterable[_Input], until_interrupted: bool) -> None:
    """Look at all inputs; a page stays, and a camera is looked at, until Ctrl-C, which then is no fault."""
    try:
        for one in given:
            (watcher.video if one.is_video else watcher.single)(one.captures)
        if watcher.page is not None:
            watcher.page.end()
            echo("that was all: Ctrl-C ends the page", err=True)
            while True:
                sleep(1)
    except KeyboardInterrupt:
        if not until_interrupted:
            raise
    finally:
        if watcher.page is not None:
            watcher.page.close()


def _inputs(inputs: tuple[Path, ...], camera: str | None, track: bool, choice: ReaderChoice) -> Iterator[_Input]:
    """Yield what is to be looked at; what is wrong with the last input is found before the first is looked at.

    Raises:
        UserError: an input is missing, or is nothing that a reader reads.
    """
    from face3d_data.inputs.cameras import camera_captures, has_depth
    from face3d_data.inputs.captures import IMAGES, captures_in, reader_of
    from face3d_data.inputs.video import is_video, video_frames

    if camera is not None:
        yield _Input(f"camera {camera}", camera_captures(camera), True, not has_depth(camera))
    for path in inputs:
        if is_video(path) and path.is_file():
            yield _Input(str(path), video_frames(path), True, True)
        else:
            only_color = reader_of(path, choice) == IMAGES
            yield _Input(str(path), captures_in(path, choice), track, only_color)


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
