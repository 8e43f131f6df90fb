"""Duplicates among faces: captures of equal content, or with embeddings that are equal but for rounding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from face3d_training.cleanup.faces import LabeledFaces

SAME_EMBEDDING = 0.9999
"""Cosine from which two captures count as one. By the packaged network, two captures of one synthetic person have at
most 0.9987, a capture whose depth was saved again in whole mm 0.9995 or more: some of these are missed."""
ROWS_AT_ONCE = 1024
SAME_CONTENT, ALIKE = "the same content as", "the same embedding as"


def duplicate_groups(
    faces: LabeledFaces, progress: Callable[[int], None] = lambda done: None
) -> list[tuple[list[int], str]]:
    """Return groups of rows that are one capture under several ids, with what they have in common.

    Rows of one capture (its variants) are no duplicates of each other. A group is everything that is connected,
    in whatever number of steps.

    Args:
        faces: the faces.
        progress: called with the number of rows that are compared.

    Returns:
        Rows in order, and `SAME_CONTENT` or, where that is not known of all of them, `ALIKE`.
    """
    parent = list(range(len(faces)))
    known = set(_of_equal_content(faces))
    for first, second in (*known, *_of_equal_embedding(faces, progress)):
        if faces.captures[first] != faces.captures[second]:
            one, other = sorted((_root(parent, first), _root(parent, second)))
            parent[other] = one
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for row in range(len(faces)):
        groups[_root(parent, row)].append(row)
    equal = {row for pair in known for row in pair}
    return [(rows, SAME_CONTENT if equal.issuperset(rows) else ALIKE) for rows in groups.values() if len(rows) > 1]


def _of_equal_content(faces: LabeledFaces) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for row, content in enumerate(faces.contents):
        for token in content.split():
            if first.setdefault(token, row) != row:
                yield first[token], row


def _of_equal_embedding(faces: LabeledFaces, progress: Callable[[int], None]) -> Iterator[tuple[int, int]]:
    for start in range(0, len(faces), ROWS_AT_ONCE):
        block = faces.vectors[start : start + ROWS_AT_ONCE] @ faces.vectors[start:].T
        for one, other in zip(*np.nonzero(block >= SAME_EMBEDDING), strict=True):
            if one < other:
                yield start + int(one), start + int(other)
        progress(min(start + ROWS_AT_ONCE, len(faces)))


def _root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row
