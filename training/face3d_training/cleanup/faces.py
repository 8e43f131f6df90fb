"""Faces to be cleaned up: an embedding each, with the person that the label says, capture and content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from face3d_data.errors import UserError

LEAST_LENGTH = 1e-6
"""Shorter embeddings have no direction."""


@dataclass(frozen=True)
class LabeledFaces:
    """Embeddings with their labels, sorted by person and id, so that no result depends on the order of the input.

    Attributes:
        ids: id of each, which no other has.
        people: identity of each, as its label says.
        vectors: f4 (n, E), unit length.
        captures: the capture that each shows; several of one capture (a plain and a masked variant) are no duplicates.
        contents: tokens of the content of each, separated by blanks; equal tokens are equal bytes. Empty: not known.
        files: file of each, relative to some root; empty: it has none.
        source: what messages call the input.
        facts: further facts on the input, for records.
    """

    ids: tuple[str, ...]
    people: tuple[str, ...]
    vectors: np.ndarray
    captures: tuple[str, ...]
    contents: tuple[str, ...]
    files: tuple[str, ...]
    source: str
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.ids)


def labeled_faces(
    source: str,
    ids: Sequence[str],
    people: Sequence[str],
    vectors: np.ndarray,
    captures: Sequence[str] | None = None,
    contents: Sequence[str] | None = None,
    files: Sequence[str] | None = None,
    facts: dict[str, Any] | None = None,
) -> LabeledFaces:
    """Return faces in order, their embeddings at unit length.

    Args:
        source: what messages call the input.
        ids: id of each.
        people: identity of each.
        vectors: (n, E), of any length but 0.
        captures: the capture that each shows; None: each shows one of its own.
        contents: tokens of content; None: not known.
        files: file of each; None: there are none.
        facts: facts for records.

    Raises:
        UserError: there are fewer than two, two have one id, or an embedding is not finite or 0.
    """
    if len(ids) < 2:
        raise UserError(f"{source}: contains {len(ids)} embeddings: a clean-up compares at least 2")
    if len(set(ids)) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise UserError(f"{source}: two embeddings have the id {twice!r}: give each its own")
    vectors = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > LEAST_LENGTH)))
    if len(bad):
        raise UserError(
            f"{source}: {len(bad)} embeddings are 0 or not finite, the first of {ids[bad[0]]!r}: embed these again, or "
            "leave them out"
        )
    nothing = [""] * len(ids)
    order = sorted(range(len(ids)), key=lambda row: (people[row], ids[row]))

    def ordered(values: Sequence[str] | None) -> tuple[str, ...]:
        return tuple(str((nothing if values is None else values)[row]) for row in order)

    units = (vectors / lengths[:, None])[order].astype(np.float32)
    return LabeledFaces(
        *(ordered(ids), ordered(people), units, ordered(ids if captures is None else captures)),
        *(ordered(contents), ordered(files), source, dict(facts or {})),
    )
