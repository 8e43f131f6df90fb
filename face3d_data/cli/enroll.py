"""`face3d enroll`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.network_options import EmbedBars
from face3d_data.cli.output import echo
from face3d_data.cli.reader_options import chosen_reader, reader_options
from face3d_data.cli.recognition_options import DEFAULT_FMR, network_name, one_network, open_network
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.schema import DESCRIPTION

if TYPE_CHECKING:
    from face3d_training.recognition.embedder import Embedder
    from face3d_training.recognition.faces import SeenFace
    from face3d_training.recognition.gallery import PeopleGallery


HDF5_ENDINGS = (".h5", ".hdf5")
MOST_NOTED = 5
"""Pairs of people who look similar that are named; there may be thousands."""


@click.command(short_help="Enrol people into a gallery, by which faces are identified.")
@click.argument("people", type=click.Path(path_type=Path), required=False)
@click.option(
    "--into", "gallery", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="GALLERY",
    help="Gallery (.h5), made if it is not there.",
)  # fmt: skip
@click.option("--name", help="Everything in PEOPLE shows this person.")
@click.option("--split", "splits", multiple=True, help="Of a dataset: only this split; repeatable [all].")
@click.option("--where", metavar="QUERY", help="Of a dataset: only rows that match a query [those without a mask].")
@click.option("--replace", is_flag=True, help="Discard what a person was enrolled with before.")
@click.option("--remove", multiple=True, metavar="NAME", help="Remove a person from the gallery; repeatable.")
@reader_options
@one_network
def command(
    people: Path | None,
    gallery: Path,
    name: str | None,
    splits: tuple[str, ...],
    where: str | None,
    replace: bool,
    remove: tuple[str, ...],
    reader: str | None,
    settings: tuple[str, ...],
    model: str | None,
    device: str,
) -> None:
    """Enrol the people in PEOPLE into a gallery, by which `face3d identify` recognises them.

    PEOPLE has a folder for each person with captures in it, such as <name>_color.png with <name>_depth.png, scans, or
    images for a network of images. Or it is a CSV file with the columns name and file; or, with --name, a folder or
    file of one person; or the folder of a dataset. Faces are aligned as the network's training data were. Somebody who
    is enrolled already gets the new captures as well; a capture of the same path replaces the old one. People who are
    nearer to one another than two people should be are noted. `face3d gallery` lists who is enrolled.
    """
    from face3d_data.cli.catalogue_output import needing_training

    if people is None and not remove:
        raise UserError("enroll: give a folder of PEOPLE, or --remove NAME")
    if gallery.suffix not in HDF5_ENDINGS:
        raise UserError(f"--into {gallery}: is written as HDF5: give it the ending {' or '.join(HDF5_ENDINGS)}")
    with needing_training("enrolling"):
        from face3d_training.recognition.enrolment import Enrolment, people_in
        from face3d_training.recognition.faces import embedded_dataset
    is_dataset = people is not None and (people / DESCRIPTION).is_file()
    if is_dataset and name is not None:
        raise UserError(f"--name {name}: dataset {people} names its people itself: leave --name out")
    if not is_dataset and (splits or where is not None):
        raise UserError("enroll: --split and --where belong to the folder of a dataset: leave them out")
    work = Enrolment.open(gallery)
    for one in remove:
        work.remove(one)
    if people is not None:
        chosen = model or work.network_file or "packaged"
        embedder = open_network(chosen, device)
        work.use(embedder, network_name(chosen))
        if is_dataset:
            faces = list(embedded_dataset(people, embedder, splits, where))
            work.take(faces, replace)
        else:
            captures = people_in(people, name, chosen_reader(reader, settings, "enroll"))
            with EmbedBars() as bars:
                faces = work.enrol(embedder, captures, replace, lambda done: bars.show("enrol", done, len(captures)))
        _report(faces, {name: len(person.files) for name, person in work.people.items()})
    work.save()
    if people is not None:
        _note_similar(work.gallery, {face.person for face in faces if face.problem is None}, embedder)
    for one in remove:
        echo(f"removed {one}")
    echo(f"gallery {gallery}: {counted(len(work.people), 'person')}")


def _note_similar(gallery: PeopleGallery, names: set[str], embedder: Embedder) -> None:
    """Say who of the enrolled is as near to somebody else as captures of one person are, if that is known."""
    from face3d_training.recognition.gallery import check_person_name
    from face3d_training.recognition.people import known_threshold
    from face3d_training.recognition.similar_people import similar_people

    limit = known_threshold(embedder.calibration(None), DEFAULT_FMR)
    if limit is None:
        return
    found = similar_people(gallery, {check_person_name(name) for name in names}, limit)
    for pair in found[:MOST_NOTED]:
        one, other = pair.names
        echo(
            f"note: {one} looks like {other} (distance {pair.distance:.3f}, faces of one person have up to "
            f"{limit:.3f}): one person under two names? --remove {shlex.quote(one)} takes one away",
            err=True,
        )
    if len(found) > MOST_NOTED:
        by_chance = DEFAULT_FMR * len(names) * (len(gallery.people) - 1)
        echo(
            f"note: so are {counted(len(found) - MOST_NOTED, 'more pair')}; "
            f"among {counted(len(gallery.people), 'person')} about {by_chance:,.0f} are by chance",
            err=True,
        )


def _report(faces: list[SeenFace], enrolled: Mapping[str, int]) -> None:
    """Print what became of each person's captures.

    Args:
        faces: one of each capture.
        enrolled: person to the number of captures in the gallery now.
    """
    lost = {face.person for face in faces} - {face.person for face in faces if face.problem is None}
    by_person: dict[str, list[SeenFace]] = {}
    for face in faces:
        by_person.setdefault(face.person, []).append(face)
    for person, own in by_person.items():
        used = [face for face in own if face.problem is None]
        left = f", {len(own) - len(used)} left out" if len(used) < len(own) else ""
        now = enrolled.get(person, 0)
        total = f", {now} in the gallery now" if used and now != len(used) else ""
        echo(f"{person}: {counted(len(used), 'capture')}{left}{total}{'' if used else ': NOT enrolled'}")
        for face in own:
            if face.problem is not None:
                echo(f"  left out: {face.path}: {face.problem[0]}: {face.problem[1]}", err=True)
            elif face.others:
                echo(
                    f"  note: {face.path}: shows {counted(face.others, 'more face')}; the main one was taken", err=True
                )
    if lost:
        echo(
            f"note: {counted(len(lost), 'person')} of {len(by_person)} NOT enrolled: {', '.join(sorted(lost))}",
            err=True,
        )
