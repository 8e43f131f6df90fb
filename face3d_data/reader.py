"""Readers: disk to samples. `scan` lists sources cheaply in the driver, `load` reads one array in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from face3d_data.component import Component
from face3d_data.digest import digest
from face3d_data.errors import TOO_LARGE, ContractError, Unreadable
from face3d_data.formats.cost import FileLimits, limits_in_force
from face3d_data.formats.pair_lists import ListedPair
from face3d_data.names import check_id_part, same_form
from face3d_data.remarks import remarks_into
from face3d_data.sample import Arrays, Sample, Tag
from face3d_data.unchanged import FileState, read_state, unchanged


@dataclass(frozen=True)
class Source:
    """One capture as a reader found it, before anything of it is read.

    Attributes:
        person: the person's name in this collection; with the dataset's name it becomes the identity.
        capture: the recording's name, unique within the person.
        files: role (`color`, `depth`) to the file that belongs to this capture alone; its content enters the key.
        record: what this capture takes from shared files (its entry of `landmarks.json`), as JSON values.
        index: place in a file that holds many captures.
        tags: what names or shared files say of it (`expression`, `mask`).
        arrays: names of the arrays that `load` can give for it.
        problem: set where the capture is bad already by its names: (reason, detail).
        stands_for: how many files a bad one stands for: those of a kind that is not read have one row in a folder.
        root: the roots of the recording, where the file says of what it was made (our own shards).
        states: role to what its file was like when it was hashed; set by the run, not by readers.
    """

    person: str
    capture: str
    files: Mapping[str, Path] = field(default_factory=dict)
    record: Any = None
    index: int = 0
    tags: Mapping[str, Tag] = field(default_factory=dict)
    arrays: tuple[str, ...] = ()
    problem: tuple[str, str] | None = None
    stands_for: int = 1
    root: str = ""
    states: Mapping[str, FileState] = field(default_factory=dict)

    def hashed(self, hash_file: Callable[[Path], FileState]) -> Source:
        """Return the source with the states of its files.

        Raises:
            OSError: a file is gone or cannot be read.
        """
        return replace(self, states={role: hash_file(path) for role, path in self.files.items()})

    def unchanged(self) -> AbstractContextManager[None]:
        """Return what holds a block to reading the files that were hashed.

        Raises:
            ChangedFile: on entry or exit, naming a file that is another now.
        """
        return unchanged(self.files, self.states)


def source_key(fingerprint: str, source: Source) -> str:
    """Return the key of a hashed source: reader, its own files' content, its record of shared files, index and arrays.

    An option that gives other arrays of the same files (`fields`) makes another capture of them: beside what a stage
    made of points alone, normals given later would not lie. Tags are not in it: a stage that reads one takes it into
    the key of its own input (`Stage.tag_inputs`), so that a corrected tag costs only what it changes.

    Args:
        fingerprint: the reader's.
        source: with the states of its files.
    """
    contents = {role: source.states[role].sha256 for role in source.files}
    return content_key(fingerprint, contents, source.record, source.index, source.arrays)


def content_key(fingerprint: str, contents: Mapping[str, str], record: Any, index: int, arrays: Sequence[str]) -> str:
    """Return what `source_key` does, of a source's parts.

    Args:
        fingerprint: the reader's.
        contents: role to the SHA-256 of the file's content.
        record: as `Source.record`.
        index: as `Source.index`.
        arrays: as `Source.arrays`.
    """
    return digest(fingerprint, contents, record, index, sorted(arrays))


def load(reader: Reader, source: Source, name: str) -> np.ndarray:
    """Return one array of a source, of the very files that were hashed.

    Raises:
        Unreadable: as `Reader.load`.
        ChangedFile: a file is another now.
    """
    with source.unchanged(), limits_in_force(reader.limits):
        return reader.load(source, name)


def load_remarked(heard: list[str], reader: Reader, source: Source, name: str) -> np.ndarray:
    """Return what `load` does; what is remarked of the file meanwhile is added to `heard`."""
    with remarks_into(heard):
        return load(reader, source, name)


SAME_NAME = "same_name"
EVERY_READER: dict[str, str] = {
    TOO_LARGE: "a file holds more pixels or points than limits allow, by its header",
    SAME_NAME: "another file has the same person and capture",
}
"""Reasons that no reader has to declare."""


def captures(reader: Reader) -> Iterator[Source]:
    """Yield what a reader's scan finds; a second capture of one name is bad, and says which the first is.

    Names are compared in the one form in which ids are made of them (`same_form`): an accented letter may be written
    in two ways, which look the same and are two files to the disk.
    """
    seen: dict[tuple[str, str], str] = {}
    for source in reader.scan():
        named = not (check_id_part(source.person, "") or check_id_part(source.capture, ""))
        if source.problem is None and named:
            path = str(next(iter(source.files.values()), f"{source.person}/{source.capture}"))
            who = (same_form(source.person), same_form(source.capture))
            if who in seen:
                source = replace(source, problem=(SAME_NAME, _same_name(path, seen[who])))
            seen.setdefault(who, path)
        yield source


def _same_name(path: str, first: str) -> str:
    if path != first and same_form(path) == same_form(first):
        return f"{path!a} and {first!a} differ only in how an accent is written: rename one"
    return f"{path} and {first} make the same capture: rename one"


class Reader(Component):
    """Disk to samples. Fields: `root` and options; `dataset`, `tags` and `capture_prefix` belong to the pipeline.

    `outputs` names every array that the reader can give; one source's `arrays` may be fewer.
    """

    kind: ClassVar[str] = "reader"
    outputs: ClassVar[tuple[str, ...]] = ()
    tag_names: ClassVar[tuple[str, ...]] = ()
    """Tags that sources may carry beside `mask`, so that a `where` on them can be checked at planning."""

    limits: FileLimits = Field(
        FileLimits(),
        exclude=True,
        description="limits on the content of one file, checked before it is decoded; lower ones count for new files",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Give every reader the reasons that the codecs below any of them have."""
        super().__pydantic_init_subclass__(**options)
        cls.reasons = {**EVERY_READER, **cls.reasons}

    def scan(self) -> Iterator[Source]:
        """Yield every source under the root in a fixed order, bad ones included (with `problem` set).

        Only names and small shared files are read: no image is opened.

        Raises:
            UserError: the root does not exist, is empty, or an option does not fit it.
        """
        raise ContractError(f"reader {self.name!r} defines no scan")

    def inspect(self, source: Source) -> None:
        """Check headers (size, bit depth) of a source whose content is new; nothing by default.

        Raises:
            Unreadable: the source cannot be read; the reason is declared in `reasons`.
        """

    def survey(self, sources: Sequence[Source]) -> None:
        """Look at a few captures that are new, before any step runs; nothing by default.

        Raises:
            UserError: the whole collection does not fit an option (a wrong unit): one line with the remedy.
        """

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array of a source, as `ARRAYS` declares it.

        Raises:
            Unreadable: the file cannot be decoded, or what it holds cannot be used.
        """
        raise ContractError(f"reader {self.name!r} defines no load")

    def _load(self, source: Source, name: str) -> np.ndarray:
        with limits_in_force(self.limits):
            return self.load(source, name)

    def provides(self) -> tuple[str, ...]:
        """Return the arrays that this instance can give, by its options; `outputs` by default."""
        return self.outputs

    def pair_lists(self) -> Mapping[str, Sequence[ListedPair]]:
        """Return the lists of pairs that the database publishes, by name; none by default.

        An image is (person, capture), as sources name it.

        Raises:
            UserError: a list cannot be read.
        """
        return {}

    def declared_tags(self) -> tuple[str, ...]:
        """Return the tags that this instance's sources may carry (patterns add some); `tag_names` by default."""
        return self.tag_names

    def sample(self, source: Source, dataset: str = "") -> Sample:
        """Return one source as a sample with lazy arrays, for notebooks and tests."""
        if source.problem:
            raise Unreadable(*source.problem)
        with limits_in_force(self.limits):
            self.inspect(source)
        lazy = {name: (lambda n=name: self._load(source, n)) for name in source.arrays}
        identity = f"{dataset or self.name}/{source.person}"
        tags = {"mask": "none", **source.tags}
        return Sample(
            Arrays(lazy),
            tags,
            id=f"{identity}/{source.capture}",
            identity=identity,
            dataset=dataset or self.name,
            key=source_key(self.fingerprint(), source.hashed(read_state)),
        )
