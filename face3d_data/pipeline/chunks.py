"""Chunks of rows, the work of a stage; storage locations are passed on, arrays are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from face3d_data.engine.part_buffer import BUFFER_BYTES
from face3d_data.engine.worker import Chunk, Item
from face3d_data.reader import Reader
from face3d_data.stage import Stage
from face3d_data.store.manifest import Manifest
from face3d_data.store.place import SourcePlace, StorageLocation, source_of
from face3d_data.store.workspace import StepCache

MOST_ROWS = 256
FIRST_ROWS = 8
CHUNK_SECONDS = 5.0


class ChunkSize:
    """How many rows the next chunk takes: as many as take some seconds, by what workers report.

    Args:
        fixed: use this many, whatever the rate.
        stage: its `output_bytes` keep a part below the buffer's size.
        share: rows of an even share of the work, so that small runs use every worker.
    """

    def __init__(self, fixed: int | None, stage: Stage, share: int) -> None:
        self._most = max(1, min(MOST_ROWS, BUFFER_BYTES // max(1, stage.output_bytes())))
        self._share = max(1, share)
        self.rows = min(fixed or min(FIRST_ROWS, self._share), self._most)
        self._fixed = fixed is not None

    def learn(self, inputs: int, seconds: float) -> None:
        """Update the rate from one chunk."""
        if not self._fixed and inputs:
            by_rate = int(CHUNK_SECONDS * inputs / max(seconds, 1e-6))
            self.rows = max(1, min(by_rate, self._most, self._share))


def chunks(
    stage: Stage,
    fingerprint: str,
    cache: StepCache,
    inputs: Manifest,
    todo: Sequence[tuple[int, int]],
    size: ChunkSize,
) -> Iterator[Chunk]:
    """Yield chunks over the rows of `todo` (place in `inputs`, attempt), in the order of their parts and offsets."""
    ordered = sorted(todo, key=lambda pair: inputs.places[pair[0]].order)
    start = 0
    while start < len(ordered):
        block = ordered[start : start + size.rows]
        start += len(block)
        yield _chunk(stage, fingerprint, cache, inputs, block)


def _chunk(
    stage: Stage, fingerprint: str, cache: StepCache, inputs: Manifest, block: Sequence[tuple[int, int]]
) -> Chunk:
    parts: dict[object, int] = {}
    readers: list[Reader] = []
    items = []
    for row, attempt in block:
        entry = inputs[row]
        place = inputs.places[row].resolved
        source = source_of(place)
        if not any(reader is source.reader for reader in readers):
            readers.append(source.reader)
        index = next(i for i, reader in enumerate(readers) if reader is source.reader)
        stored, from_source = _located(place, parts)
        input_key, tags = stage.input_key(entry.key, entry.tags), stage.tags_read(entry.tags)
        items.append(Item(entry.key, input_key, tags, stored, (index, source.source), from_source, attempt))
    return Chunk(
        stage,
        fingerprint,
        cache.parts,
        tuple(items),
        tuple(parts),  # type: ignore[arg-type]
        tuple(readers),
    )


def _located(
    row_place: StorageLocation | SourcePlace, parts: dict[object, int]
) -> tuple[tuple[tuple[int, int, tuple[str, ...]], ...], tuple[str, ...]]:
    """Return which part and record hold which arrays of a row, and which are its source's."""
    settled: set[str] = set()
    stored = []
    from_source: tuple[str, ...] = ()
    for place in row_place.chain():
        if isinstance(place, StorageLocation):
            names = tuple(name for name in place.shapes if name not in settled)
            settled.update(place.shapes, place.dropped)
            if names:
                stored.append((parts.setdefault(place.part, len(parts)), place.record, names))
        else:
            from_source = tuple(name for name in place.source.arrays if name not in settled)
    return tuple(stored), from_source
