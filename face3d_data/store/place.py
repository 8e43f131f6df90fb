"""Storage location of a row's arrays: a chain from the row's own part up to its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from face3d_data.errors import RunStopped, UserError
from face3d_data.reader import Reader, Source, load
from face3d_data.store.part_arrays import read_array
from face3d_data.unchanged import ChangedFile

NOTHING: Mapping[str, Sequence[int]] = {}


class NotStored(UserError):
    """An array was handed on in memory, and nothing keeps it."""


class SourcePlace:
    """The start of every chain: one source of one reader."""

    __slots__ = ("key", "reader", "source")

    def __init__(self, reader: Reader, source: Source, key: str) -> None:
        self.reader = reader
        self.source = source
        self.key = key

    @property
    def names(self) -> frozenset[str]:
        """Names of the arrays that the source gives."""
        return frozenset(self.source.arrays)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return None: a source's shapes are not known before it is read."""
        return None

    def find(self, name: str) -> SourcePlace:
        """Return the place that holds an array.

        Raises:
            KeyError: the source does not give it.
        """
        if name not in self.source.arrays:
            raise KeyError(name)
        return self

    def read(self, name: str) -> np.ndarray:
        """Return an array, decoded by the reader.

        Raises:
            RunStopped: a file changed after it was hashed.
        """
        try:
            return load(self.reader, self.source, name)
        except ChangedFile as error:
            raise RunStopped(str(error)) from None

    def chain(self) -> Iterator[StorageLocation | SourcePlace]:
        """Yield this place; it is the last of every chain."""
        yield self

    @property
    def order(self) -> tuple[str, int]:
        """Sort key that visits sources in the order of their files."""
        return (min((str(path) for path in self.source.files.values()), default=""), self.source.index)


class StorageLocation:
    """One step's record and, behind it, the place of the row that it was made from.

    Args:
        parent: the input's place.
        part: path of the part's `.h5`.
        record: index in the part.
        shapes: arrays that the step set, with their shapes.
        dropped: arrays that the step removed.
        key: the output key of the row.
        step: id of the step, for messages and lineage.
        carried: arrays that earlier steps set, with their shapes, and that are in this record too; None where the
            record of a later step has all of them.
    """

    __slots__ = ("carried", "dropped", "key", "parent", "part", "record", "shapes", "step", "stored")

    def __init__(
        self,
        parent: StorageLocation | SourcePlace,
        part: Path,
        record: int,
        shapes: Mapping[str, Sequence[int]],
        dropped: Sequence[str],
        key: str,
        step: str,
        carried: Mapping[str, Sequence[int]] | None = NOTHING,
    ) -> None:
        self.parent = parent
        self.part = part
        self.record = record
        self.shapes = shapes
        self.dropped = dropped
        self.key = key
        self.step = step
        self.stored = carried is not None
        self.carried = carried or NOTHING

    @property
    def names(self) -> frozenset[str]:
        """Names of all arrays of the row, its own and inherited ones."""
        return (self.parent.names - frozenset(self.dropped)) | self.shapes.keys()

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return an array's shape, None where only its source knows."""
        place = self.find(name)
        return tuple(place.held[name]) if isinstance(place, StorageLocation) else None

    @property
    def held(self) -> Mapping[str, Sequence[int]]:
        """Name to shape of the arrays that the step set, and of those that are in its record too."""
        return {**self.carried, **self.shapes} if self.carried else self.shapes

    def lacking(self, of_parent: frozenset[str]) -> frozenset[str]:
        """Return which arrays of the row no record has, given those of its input."""
        lacking = of_parent - self.held.keys() - set(self.dropped) if of_parent else of_parent
        return lacking if self.stored else lacking | self.shapes.keys()

    def find(self, name: str) -> StorageLocation | SourcePlace:
        """Return the place in the chain that holds an array.

        Raises:
            KeyError: no step made it, or one dropped it.
        """
        if name in self.shapes or name in self.carried:
            return self
        if name in self.dropped:
            raise KeyError(name)
        return self.parent.find(name)

    def read(self, name: str) -> np.ndarray:
        """Return an array, from whichever part or source holds it.

        Raises:
            NotStored: none does: a later step of the same task took it over.
        """
        place = self.find(name)
        if not isinstance(place, StorageLocation):
            return place.read(name)
        if not place.stored:
            raise NotStored(f"step {place.step!r} does not keep {name}: give it keep: true, and run")
        return read_array(place.part, place.record, name)

    def chain(self) -> Iterator[StorageLocation | SourcePlace]:
        """Yield the places from this row back to its source."""
        yield self
        yield from self.parent.chain()

    @property
    def order(self) -> tuple[str, int]:
        """Sort key that visits rows in the order of their part and offset."""
        return (str(self.part), self.record)


def read(place: StorageLocation | SourcePlace, name: str) -> np.ndarray:
    """Return one array of the row at `place`."""
    return place.read(name)


def source_of(place: StorageLocation | SourcePlace) -> SourcePlace:
    """Return the source at the end of a place's chain."""
    while isinstance(place, StorageLocation):
        place = place.parent
    return place
