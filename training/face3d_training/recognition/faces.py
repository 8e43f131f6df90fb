"""Faces in captures: prepared, embedded, and with a reason where they cannot be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.inputs.captures import RawCapture
from face3d_data.inputs.preparation import NOTHING_FITS, Preparation, PreparedFace
from face3d_data.shards.check import checked_dataset
from face3d_data.shards.read import ShardReader
from face3d_training.map_place import check_has_maps, check_same_maps, said_of_maps
from face3d_training.network_input import NetworkInput
from face3d_training.recognition.embedder import Embedder
from face3d_training.split_table import rows_of, shapes_of, who_is_masked

ROWS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class SeenFace:
    """One face of a capture.

    Attributes:
        path: the capture.
        person: the name of the capture's person.
        number: 0, 1, … among the faces of the capture.
        box: f4 (4,), x1, y1, x2, y2 px; None where the capture has no image.
        embedding: f4 (E,), unit length; None where the face cannot be used.
        problem: (reason, detail) where it cannot.
        others: how many more faces the capture shows, of which none was asked for.
        seconds: the capture took from its arrays to its embeddings.
    """

    path: str
    person: str
    number: int
    box: np.ndarray | None
    embedding: np.ndarray | None
    problem: tuple[str, str] | None
    others: int = 0
    seconds: float = 0.0


def embedded_dataset(
    folder: str | Path, embedder: Embedder, splits: Sequence[str] = (), where: str | None = None, check: bool = True
) -> Iterator[SeenFace]:
    """Yield the faces of a dataset, which are prepared already; those in masks are left out unless `where` is given.

    Args:
        folder: the dataset's.
        embedder: the network.
        splits: of it; none: all that are not empty.
        where: a query on its columns: only these rows.
        check: compare the dataset's files with their hashes first.

    Raises:
        UserError: the dataset is damaged, lacks what the network takes, or no row is left.
    """
    folder = Path(folder)
    source = checked_dataset(folder, check)
    shapes, fields = shapes_of(source), embedder.data.fields
    if "map" in fields:
        learnt = json.dumps(dict(embedder.maps))
        check_has_maps(learnt, shapes, source.name, embedder.name)
        check_same_maps(learnt, said_of_maps(source.info), source.name, embedder.name)
    made = NetworkInput.of(embedder.data, embedder.inputs, shapes, source.info, source.name)
    for split in splits or [name for name in source.splits if len(source.table(name))]:
        rows = rows_of(source, split, where, key="--where")
        rows = rows if where is not None else rows[~who_is_masked(rows)]
        reader = ShardReader(folder, split, list(made.form.names))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows.iloc[start : start + ROWS_AT_ONCE]
            arrays = made.form.restored(reader.__getitems__(some.index.tolist()).arrays)
            vectors = embedder.computed(made.stacked({name: arrays[name] for name in fields}))
            for name, sample_id, vector in zip(some["name"], some["sample_id"], vectors, strict=True):
                yield SeenFace(str(sample_id), str(name), 0, None, vector, None)


class FaceFinder:
    """Captures to embedded faces, by one network.

    Args:
        embedder: the network.

    Raises:
        UserError: the network does not say how its samples were prepared.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.preparation = Preparation.of(embedder.preparation, embedder.data.fields, embedder.name)

    def of(self, captures: Iterable[RawCapture], every: bool = True) -> Iterator[list[SeenFace]]:
        """Yield the faces of each capture, at least one each; one that cannot be used says why.

        Args:
            captures: captures.
            every: all faces of a capture, or the one that stage `detect` selects.
        """
        for capture in captures:
            yield self.faces(capture, every)

    def faces(self, capture: RawCapture, every: bool = True) -> list[SeenFace]:
        """Return the faces of one capture, as `of` does."""
        started = time.perf_counter()
        found = self._prepared(capture, every)
        usable = [face for face in found if face.problem is None]
        embedded = iter(self.embedder.embed([face.arrays for face in usable]))
        vectors = [next(embedded) if face.problem is None else None for face in found]
        seconds = time.perf_counter() - started
        return [
            SeenFace(capture.path, capture.person, i, face.box, vector, face.problem, face.others, seconds)
            for i, (face, vector) in enumerate(zip(found, vectors, strict=True))
        ]

    def _prepared(self, capture: RawCapture, every: bool) -> list[PreparedFace]:
        if capture.sample is None:
            return [PreparedFace(problem=capture.problem)]
        try:
            found = self.preparation.faces(capture.sample, every)
        except Unreadable as error:
            return [PreparedFace(problem=(error.reason, error.detail))]
        if capture.note and found[0].problem is not None and found[0].problem[0] == NOTHING_FITS:
            return [PreparedFace(problem=(NOTHING_FITS, f"{found[0].problem[1]}; {capture.note}"))]
        return found
