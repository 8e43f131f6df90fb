"""Enrolment of people: their captures to embeddings in a gallery."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace as replaced
from pathlib import Path

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.errors import UserError, did_you_mean
from face3d_data.inputs.captures import MARK, RawCapture, ReaderChoice, captures_in
from face3d_data.plurals import counted
from face3d_training.recognition.embedder import Embedder
from face3d_training.recognition.faces import FaceFinder, SeenFace
from face3d_training.recognition.gallery import (
    EnrolledPerson,
    PeopleGallery,
    check_person_name,
    read_gallery,
    write_gallery,
)

COLUMNS = ("name", "file")


class Enrolment:
    """A gallery that is worked on; nothing is written before `save`.

    Args:
        path: the gallery's file.
        gallery: what is in it; None: nothing yet.

    Attributes:
        people: name to what is enrolled of each.
    """

    def __init__(self, path: str | Path, gallery: PeopleGallery | None) -> None:
        self.path, self._gallery = Path(path), gallery
        self._state = digest_file(self.path) if gallery is not None else ""
        self.people: dict[str, EnrolledPerson] = dict(gallery.people) if gallery is not None else {}

    @classmethod
    def open(cls, path: str | Path) -> Enrolment:
        """Return the work on a gallery, which may not be there yet.

        Raises:
            UserError: there is something else.
        """
        return cls(path, read_gallery(path) if Path(path).exists() else None)

    @property
    def gallery(self) -> PeopleGallery:
        """The gallery as it is now; `use` has to have given it a network."""
        assert self._gallery is not None
        return replaced(self._gallery, people=self.people)

    @property
    def network_file(self) -> str:
        """The network that people were enrolled with; empty for a new gallery."""
        return self._gallery.file if self._gallery is not None else ""

    def use(self, embedder: Embedder, file: str) -> None:
        """Set the network of a new gallery, or check that it is that of the old one.

        Raises:
            UserError: it is another one.
        """
        if self._gallery is None:
            self._gallery = PeopleGallery(embedder.name, embedder.digest, file)
        self._gallery.check_network(embedder.digest, embedder.name, self.path)

    def remove(self, name: str) -> None:
        """Remove a person.

        Raises:
            UserError: nobody of that name is enrolled.
        """
        if name not in self.people:
            raise UserError(f"--remove {name}: nobody of that name is in {self.path}{did_you_mean(name, self.people)}")
        del self.people[name]

    def enrol(
        self,
        embedder: Embedder,
        captures: Sequence[RawCapture],
        replace: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> list[SeenFace]:
        """Enrol the people of captures; of each capture the main face.

        Args:
            embedder: the network.
            captures: with the person of each.
            replace: discard what these people were enrolled with before.
            progress: called with the number of captures done.

        Returns:
            What became of each capture.

        Raises:
            UserError: no face of anybody can be used.
        """
        faces: list[SeenFace] = []
        for done, found in enumerate(FaceFinder(embedder).of(captures, every=False), 1):
            faces += found
            if progress is not None:
                progress(done)
        self.take(faces, replace)
        return faces

    def take(self, faces: Sequence[SeenFace], replace: bool = False) -> None:
        """Enrol faces that are embedded already.

        Args:
            faces: one of each capture, with its person.
            replace: discard what these people were enrolled with before.

        Raises:
            UserError: no face of anybody can be used.
        """
        usable = [face for face in faces if face.embedding is not None]
        if not usable:
            first = faces[0].problem if faces else None
            why = f" (first: {faces[0].path}: {first[0]}: {first[1]})" if first else ""
            raise UserError(f"enroll: no face of {counted(len(faces), 'capture')} can be used{why}: nothing is written")
        of_person: dict[str, list[SeenFace]] = defaultdict(list)
        for face in usable:
            of_person[check_person_name(face.person)].append(face)
        for name, own in of_person.items():
            self._add(name, own, replace)

    def _add(self, name: str, faces: Sequence[SeenFace], replace: bool) -> None:
        new = {_key(face): face.embedding for face in faces}
        before = self.people.get(name)
        kept = {} if replace or before is None else dict(zip(before.files, before.captures, strict=True))
        everything = {**kept, **new}
        self.people[name] = EnrolledPerson(np.stack(list(everything.values())), tuple(everything))

    def save(self) -> None:
        """Write the gallery; where it is a link, the file that the link leads to.

        Raises:
            UserError: it cannot be written, or somebody else has changed it meanwhile.
        """
        now = digest_file(self.path) if self.path.exists() else ""
        if now != self._state:
            raise UserError(f"{self.path}: was changed meanwhile by another command: nothing is written, enrol again")
        if self._gallery is not None:
            write_gallery(self.path.resolve(), self.gallery)


def _key(face: SeenFace) -> str:
    """Return by what a capture is known again: its file wherever it was named from, or a sample's id."""
    file, mark, number = face.path.rpartition(MARK)
    name = file if mark and number.isdigit() and not Path(face.path).exists() else face.path
    return str(Path(name).resolve()) + face.path.removeprefix(name) if Path(name).exists() else face.path


def people_in(path: str | Path, name: str | None, choice: ReaderChoice) -> list[RawCapture]:
    """Return the captures of people, with the name of each.

    Args:
        path: a folder of folders, one a person; a CSV file with the columns name and file; or, with a name, a folder or
            file of captures of that person.
        name: of the only person; None: folders or the file name them.
        choice: the reader.

    Raises:
        UserError: there are no people in it, or a name cannot be in a gallery.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        if name is not None:
            raise UserError(f"--name {name}: {path} names the people itself: leave --name out")
        found = [one for person, file in _listed(path) for one in _named(captures_in(file, choice), person)]
    elif name is not None:
        found = _named(captures_in(path, choice), name)
    elif not path.is_dir():
        raise UserError(f"{path}: is no folder of people: give --name NAME for captures of one person")
    else:
        found = list(captures_in(path, choice))
        loose = next((one for one in found if not _lies_below(one, path, choice)), None)
        if loose is not None:
            raise UserError(
                f"{path}: {Path(loose.path).name} lies in no person's folder: make a folder for each person, or give "
                "--name NAME if all are of one"
            )
    return [replaced(one, person=check_person_name(one.person)) for one in found]


def _lies_below(capture: RawCapture, folder: Path, choice: ReaderChoice) -> bool:
    return choice.name is not None or Path(capture.path).parent != folder


def _named(captures: object, person: str) -> list[RawCapture]:
    return [replaced(one, person=person) for one in captures]  # type: ignore[attr-defined]


def _listed(path: Path) -> list[tuple[str, Path]]:
    """Return the people and files of a CSV file; paths are relative to it."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                there = ", ".join(rows.fieldnames or ()) or "nothing"
                raise UserError(
                    f"{path}: needs the columns {' and '.join(COLUMNS)}, with a comma between, in line 1 ({there})"
                )
            found = []
            for row in rows:
                name, value = ((row[column] or "").strip() for column in COLUMNS)
                if not name or not value:
                    raise UserError(f"{path}: line {rows.line_num}: has no {'file' if name else 'name'}: give both")
                if not (path.parent / value).exists():
                    raise UserError(f"{path}: line {rows.line_num}: {path.parent / value}: no such file or folder")
                found.append((name, path.parent / value))
            return found
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read as a list of people ({error}): write name,file lines") from None
