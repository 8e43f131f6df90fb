"""Chunks of rows, the work of a stage; storage locations are passed on, arrays are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from face3d_data.engine.chunk import Chunk, Item, Link
from face3d_data.reader import Reader
from face3d_data.store.manifest import Entry, Manifest
from face3d_data.store.merge import PART_BYTES
from face3d_data.store.place import SourcePlace, StorageLocation, source_of

MOST_ROWS = 256
FIRST_ROWS = 8
CHUNK_SECONDS = 5.0
NOTHING_LATER: Mapping[str, int] = {}


class ChunkSize:
    """How many rows the next chunk takes: as many as take some seconds, by what workers report.

    Args:
        fixed: use this many, whatever the rate.
        output_bytes: about as many as a row stores, which keep a part below the buffer's size.
        share: rows of an even share of the work, so that small runs use every worker.
    """

    def __init__(self, fixed: int | None, output_bytes: int, share: int) -> None:
        self._most = max(1, min(MOST_ROWS, PART_BYTES // max(1, output_bytes)))
        self._share = max(1, share)
        self.rows = min(fixed or min(FIRST_ROWS, self._share), self._most)
        self._fixed = fixed is not None

    def learn(self, inputs: int, seconds: float) -> None:
        """Update the rate from one chunk."""
        if not self._fixed and inputs:
            by_rate = int(CHUNK_SECONDS * inputs / max(seconds, 1e-6))
            self.rows = max(1, min(by_rate, self._most, self._share))


@dataclass(frozen=True, slots=True)
class RowToDo:
    """A row to work on: the number of this attempt, and of those of rows made of it, by input key, if not the first."""

    rows: Manifest
    row: int
    attempt: int
    attempts: Mapping[str, int] = field(default_factory=lambda: NOTHING_LATER)

    @property
    def entry(self) -> Entry:
        """Return the row."""
        return self.rows[self.row]


class WorkList(Sequence[RowToDo]):
    """Rows to work on, each made when it is asked for.

    Args:
        rows: the inputs.
        places: i8 (n,), those among them that are to be done.
        attempts: i8, one an input: number of the attempt.
        later: for a place the attempts of rows made of it, by input key, if not the first.
    """

    def __init__(
        self, rows: Manifest, places: np.ndarray, attempts: np.ndarray, later: Mapping[int, Mapping[str, int]]
    ) -> None:
        self._rows, self._places, self._attempts, self._later = rows, places, attempts, later

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, i: int) -> RowToDo:  # type: ignore[override]
        row = int(self._places[i])
        return RowToDo(self._rows, row, int(self._attempts[row]), self._later.get(row, NOTHING_LATER))

    def in_stored_order(self) -> WorkList:
        """Return the same rows in the order of their parts and offsets, or of their files."""
        places = self._rows.places.in_stored_order(self._places)
        return WorkList(self._rows, places, self._attempts, self._later)


def chunks(links: tuple[Link, ...], todo: WorkList, size: ChunkSize) -> Iterator[Chunk]:
    """Yield chunks over the rows to do, in the order in which they are stored."""
    ordered = todo.in_stored_order()
    start = 0
    while start < len(ordered):
        block = [ordered[i] for i in range(start, min(start + size.rows, len(ordered)))]
        start += len(block)
        yield _chunk(links, block)


def _chunk(links: tuple[Link, ...], block: Sequence[RowToDo]) -> Chunk:
    parts: dict[object, int] = {}
    readers: list[Reader] = []
    items = []
    read = {name for link in links for name in link.stage.tag_inputs}
    for row in block:
        entry, place = row.entry, row.rows.places[row.row].resolved
        source = source_of(place)
        if not any(reader is source.reader for reader in readers):
            readers.append(source.reader)
        index = next(i for i, reader in enumerate(readers) if reader is source.reader)
        stored, from_source = _located(place, parts)
        tags = {name: value for name, value in entry.tags.items() if name in read}
        items.append(Item(entry.key, tags, stored, (index, source.source), from_source, row.attempt, row.attempts))
    return Chunk(links, tuple(items), tuple(parts), tuple(readers))  # type: ignore[arg-type]


def _located(
    row_place: StorageLocation | SourcePlace, parts: dict[object, int]
) -> tuple[tuple[tuple[int, int, tuple[str, ...]], ...], tuple[str, ...]]:
    """Return which part and record hold which arrays of a row, and which are its source's."""
    settled: set[str] = set()
    stored = []
    from_source: tuple[str, ...] = ()
    for place in row_place.chain():
        if isinstance(place, StorageLocation):
            names = tuple(name for name in place.held if name not in settled)
            settled.update(place.held, place.dropped)
            if names:
                stored.append((parts.setdefault(place.part, len(parts)), place.record, names))
        else:
            from_source = tuple(name for name in place.source.arrays if name not in settled)
    return tuple(stored), from_source
