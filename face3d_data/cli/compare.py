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
    from face3d_training.recognition.faces import FaceFinder


@click.command(short_help="Tell whether two captures show the same person.")
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@threshold_options
@reader_options
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
    model: str | None,
    device: str,
    as_json: bool,
) -> None:
    """Tell whether the captures FIRST and SECOND show the same person: one face of each, with or without a mask.

    A capture is a colour image NAME_color.png with NAME_depth.png beside it, a scan, or an image for a network of
    images. The answer is yes up to the distance at which a share --fmr of all pairs of two people is taken for one.
    """
    import numpy as np

    embedder = open_network(model or "packaged", device)
    limit, known = threshold_of(embedder, calibration, fmr, threshold)
    from face3d_training.recognition.faces import FaceFinder

    finder, choice = FaceFinder(embedder), chosen_reader(reader, settings, "compare")
    one, other = (_embedded(finder, path, choice) for path in (first, second))
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
    from face3d_data.inputs.captures import captures_in

    found = list(captures_in(path, choice))
    if len(found) > 1:
        raise UserError(f"{path}: holds {len(found)} captures: give one, such as {found[0].path}")
    (face,) = finder.faces(found[0], every=False)
    if face.embedding is None:
        why = ": ".join(face.problem or ())
        raise UserError(f"{path}: cannot be compared: {why}: give another capture")
    if face.others:
        more = counted(face.others, "more face")
        echo(f"note: {path}: shows {more}; the main one alone is compared, identify looks at all", err=True)
    return face.embedding
