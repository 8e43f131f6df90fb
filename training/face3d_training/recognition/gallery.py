"""Gallery of enrolled people: their embeddings in an HDF5 file, one network's alone.

`/<name>/embedding` f4 (E,) is the mean of the person's captures, of unit length again; `/<name>/captures` f4 (n, E) are
the captures themselves and `/<name>/files` what they were called, so that people can be added to and taken from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from face3d_data.atomic import atomic_path
from face3d_data.errors import UserError
from face3d_data.h5_file import open_h5
from face3d_data.names import same_form
from face3d_training.embed_files import mean_embeddings

UNKNOWN = "unknown"
"""Answer for a face of a person who is not enrolled."""
FORMAT, FORMAT_NAME = "face3d_gallery", 1
NETWORK, DIGEST, FILE, BACK_END = "network", "network_digest", "network_file", "back_end"


@dataclass(frozen=True, eq=False)
class EnrolledPerson:
    """Captures of one person.

    Attributes:
        captures: f4 (n, E), unit length.
        files: what each was called.
    """

    captures: np.ndarray
    files: tuple[str, ...]

    @property
    def mean(self) -> np.ndarray:
        """f4 (E,), the mean, of unit length again; 0 where captures cancel each other out."""
        return mean_embeddings(np.zeros(len(self.captures), int), self.captures)[1][0]


@dataclass(frozen=True, eq=False)
class PeopleGallery:
    """Enrolled people and the network that they were enrolled with.

    Attributes:
        network: what messages call the network.
        digest: of its weights and back-end: embeddings of another network mean something else.
        file: the network's file, or `packaged`, with which faces are compared if no other is given.
        people: name to captures, in the order of names.
    """

    network: str
    digest: str
    file: str
    people: Mapping[str, EnrolledPerson] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """How many numbers an embedding has; 0 where nobody is enrolled."""
        return next((person.captures.shape[1] for person in self.people.values()), 0)

    def matrix(self) -> tuple[list[str], np.ndarray]:
        """Return the names and f4 (p, E): each person's mean."""
        names = sorted(self.people)
        return names, np.stack([self.people[name].mean for name in names]) if names else np.zeros((0, 0), np.float32)

    def check_network(self, digest: str, network: str, path: str | Path) -> None:
        """Check that embeddings of a network can be compared with the gallery's.

        Raises:
            UserError: the gallery is another network's.
        """
        if digest != self.digest:
            raise UserError(
                f"{path}: holds embeddings of {self.network}, and these are of {network}: use that network, or enrol "
                "the people again into another gallery"
            )


def read_gallery(path: str | Path) -> PeopleGallery:
    """Return the gallery in a file.

    Raises:
        UserError: there is no such file, or it is no gallery.
    """

    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such gallery: make one with face3d enroll PEOPLE --into {path}")
    try:
        with open_h5(path) as file:
            if file.attrs.get(FORMAT) != FORMAT_NAME:
                raise UserError(f"{path}: is no gallery of face3d enroll: give its file, or enrol into a new one")
            people = {name: _person(group) for name, group in file.items()}
            network, digest, made_with = (str(file.attrs[name]) for name in (NETWORK, DIGEST, FILE))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: cannot be read as a gallery ({error}): enrol the people again") from None
    if len({person.captures.shape[1] for person in people.values()}) > 1:
        raise UserError(f"{path}: cannot be read as a gallery (embeddings differ in length): enrol the people again")
    return PeopleGallery(network, digest, made_with, people)


def _person(group: object) -> EnrolledPerson:
    captures = np.asarray(group["captures"], np.float32)  # type: ignore[index]
    files = tuple(text.decode() for text in group["files"][:])  # type: ignore[index]
    if captures.ndim != 2 or not 0 < len(captures) == len(files) or not np.isfinite(captures).all():
        raise ValueError("damaged embeddings")
    if not np.allclose(np.linalg.norm(captures, axis=1), 1, atol=1e-3):
        raise ValueError("embeddings that are not of unit length")
    return EnrolledPerson(captures, files)


def write_gallery(path: str | Path, gallery: PeopleGallery) -> None:
    """Write a gallery, completely or not at all; the one that was there stays until the new one is on the disk.

    Raises:
        UserError: it cannot be written.
    """
    import h5py

    path = Path(path)
    texts = h5py.string_dtype("utf-8")
    try:
        with atomic_path(path.absolute()) as temporary, open_h5(temporary, "w") as file:
            file.attrs.update({FORMAT: FORMAT_NAME, NETWORK: gallery.network, DIGEST: gallery.digest})
            file.attrs[FILE] = gallery.file
            for name, person in sorted(gallery.people.items()):
                group = file.create_group(name)
                group.create_dataset("embedding", data=person.mean, track_times=False)
                group.create_dataset("captures", data=person.captures, track_times=False)
                group.create_dataset("files", data=np.array(person.files, object), dtype=texts, track_times=False)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}): use another file") from None


def check_person_name(name: str) -> str:
    """Return a person's name as it is in a gallery: without blanks around it, in one form of accents.

    Raises:
        UserError: nothing is left, it means nobody, or no group of an HDF5 file can be called so.
    """
    kept = same_form(name.strip())
    if not kept:
        raise UserError("a person's name is empty: give each person one")
    if kept.lower() == UNKNOWN:
        raise UserError(f"person {name!r}: is the answer for who is not enrolled: give another name")
    if kept in (".", "..") or "/" in kept or "\0" in kept:
        raise UserError(f"person {name!r}: cannot be a name in a gallery: give one without '/'")
    return kept
