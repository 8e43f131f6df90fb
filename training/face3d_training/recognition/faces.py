"""Faces in captures: prepared, embedded, and with a reason where they cannot be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.inputs.captures import RawCapture
from face3d_data.inputs.preparation import Preparation, PreparedFace
from face3d_training.recognition.embedder import Embedder


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
            return self.preparation.faces(capture.sample, every)
        except Unreadable as error:
            return [PreparedFace(problem=(error.reason, error.detail))]
