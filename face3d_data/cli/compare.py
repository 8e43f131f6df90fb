"""`face3d compare`."""

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
    import numpy as np

    from face3d_data.inputs.captures import ReaderChoice
    from face3d_training.recognition.faces import FaceFinder, SeenFace


@click.command(short_help="Tell whether two captures show the same person.")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@threshold_options
@reader_options
@click.option("--set-first", multiple=True, metavar="KEY=VALUE", help="Set an option of the reader of FIRST alone.")
@click.option("--set-second", multiple=True, metavar="KEY=VALUE", help="Set an option of the reader of SECOND alone.")
@one_network
@json_option
def command(
    first: Path,
    second: Path,
    fmr: float | None,
    threshold: float | None,
    calibration: Path | None,
    reader: str | None,
    settings: tuple[str, ...],
    set_first: tuple[str, ...],
    set_second: tuple[str, ...],
    model: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Tell whether the captures FIRST and SECOND show the same person: one face of each, with or without a mask.

    A capture is a colour image NAME_color.png with NAME_depth.png beside it, a scan, or an image for a network of
    images. Captures of two kinds, such as scans in metres and in millimetres, have options of their own (--set-first
    units=m). Of a picture of several people the main face is taken, which a note says. The answer is yes up to the
    distance at which a share --fmr of all pairs of two people is taken for one.
    """
    import numpy as np

    embedder = open_network(model or "packaged", device)
    limit, known = threshold_of(embedder, calibration, fmr, threshold)
    from face3d_training.recognition.faces import FaceFinder

    finder = FaceFinder(embedder)
    sides = ((first, set_first), (second, set_second))
    choices = [(path, chosen_reader(reader, (*settings, *own), "compare")) for path, own in sides]
    one, other = (_embedded(finder, path, choice) for path, choice in choices)
    distance = float(np.linalg.norm(one.astype(np.float64) - other))
    same = distance <= limit.distance
    probability = None if known is None else float(known.probability(np.array(distance)))
    if as_json:
        echo_json(
            {
                "same": same,
                "distance": distance,
                "threshold": limit.distance,
                "probability": probability,
                "fmr": None if limit.point is None else limit.point.fmr,
                "network": embedder.name,
                "notice": "" if known is None else known.notice,
            }
        )
        return
    sure = "" if probability is None else f", probability {probability:.3f} if both are as likely beforehand"
    echo(f"{'the same person' if same else 'two people'}: distance {distance:.3f}{sure}")
    if limit.point is not None and known is not None:
        people, source = counted(known.people, "person"), known.notice or known.measured_on
        echo(f"threshold {limit.point.in_words}; measured on {people} ({source})")


def _embedded(finder: FaceFinder, path: Path, choice: ReaderChoice) -> np.ndarray:
    """Return the embedding of the main face of the only capture in a file or folder.

    Raises:
        UserError: there are several captures, or the face cannot be used.
    """
    from face3d_data.inputs.captures import IMAGES, captures_in, reader_of

    if reader_of(path, choice) == IMAGES:
        finder.preparation.check_takes(("color",), str(path))
    found = list(captures_in(path, choice))
    if len(found) > 1:
        raise UserError(f"{path}: holds {len(found)} captures: give one, such as {found[0].path}")
    faces = finder.faces(found[0])  # all faces are looked for: a search for one leaves out small ones beside it
    face = max(faces, key=lambda face: (face.embedding is not None, _area(face)))
    if face.embedding is None:
        why = ": ".join(face.problem or ())
        raise UserError(f"{path}: cannot be compared: {why}: give another capture")
    if len(faces) > 1:
        more = counted(len(faces) - 1, "more face")
        echo(f"note: {path}: shows {more}; the main one alone is compared, identify looks at all", err=True)
    return face.embedding


def _area(face: SeenFace) -> float:
    """Return the area of a face's box in px², 0 where it has none."""
    return 0.0 if face.box is None else float((face.box[2:] - face.box[:2]).prod())
