"""Matcher: anything that gives the similarity of two rows of a table; it is what an evaluation judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from face3d_data.errors import UserError
from face3d_data.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

BLOCK_PAIRS = 4_000_000
"""Pairs whose similarities are held at a time."""
DENSE = 8
"""Pairs are read from the whole matrix if they are at least one in this number of its entries."""


class Matcher(Protocol):
    """Gives the similarity of faces; rows are indices into `table`.

    Attributes:
        name: what reports call it.
        table: the rows of one split, as `Dataset.table` gives them.
    """

    name: str
    table: pd.DataFrame

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (A, B): the similarity of each of the rows i64 (A,) to each of i64 (B,); larger is more similar."""

    def pair_similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (n,): the similarities of the rows i64 (n,) to the rows i64 (n,), pair by pair."""


class EmbeddingMatcher:
    """Minus the Euclidean distance of embeddings.

    Args:
        name: what reports call it.
        table: the rows.
        vectors: (n, E), the embedding of each row.

    Raises:
        UserError: the embeddings are not as many as the rows, or one of them is not finite.
    """

    def __init__(self, name: str, table: pd.DataFrame, vectors: np.ndarray) -> None:
        if len(vectors) != len(table):
            raise UserError(
                f"{name}: {counted(len(vectors), 'embedding')} for {counted(len(table), 'row')}: embed the same split"
            )
        wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(wrong):
            where = table["id"].iloc[int(wrong[0])]
            raise UserError(
                f"{name}: the embeddings of {counted(len(wrong), 'row')} are not finite ({where} …): "
                "the network has diverged, or the sample contains NaN"
            )
        self.name, self.table = name, table
        self.vectors = np.asarray(vectors, np.float64)
        self._squares = np.einsum("ne,ne->n", self.vectors, self.vectors)

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (A, B): minus the distances, exact to about 1e-7 of the vectors' length."""
        squared = self.vectors[first] @ self.vectors[second].T
        squared *= -2
        squared += self._squares[first][:, None]
        squared += self._squares[second]
        np.maximum(squared, 0, out=squared)
        np.sqrt(squared, out=squared)
        return np.negative(squared, out=squared)

    def pair_similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (n,): minus the distances."""
        return pairs_in_parts(self._distances, first, second, max(1, BLOCK_PAIRS // max(1, self.vectors.shape[1])))

    def _distances(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        apart = self.vectors[first] - self.vectors[second]
        return -np.sqrt(np.einsum("ne,ne->n", apart, apart))


def pairs_in_parts(
    score: Callable[[np.ndarray, np.ndarray], np.ndarray], first: np.ndarray, second: np.ndarray, step: int
) -> np.ndarray:
    """Return f8 (n,): the scores of pairs, computed for a part of them at a time.

    Args:
        score: gives the scores f8 (m,) of rows i64 (m,) with rows i64 (m,).
        first: i64 (n,), rows.
        second: i64 (n,), rows.
        step: pairs that are scored at a time.
    """
    out = np.empty(len(first))
    for start in range(0, len(first), step):
        part = slice(start, start + step)
        out[part] = score(first[part], second[part])
    return out


def similarity_blocks(
    matcher: Matcher, first: np.ndarray, second: np.ndarray, pairs: int = BLOCK_PAIRS
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield parts of `first`, in order, and their similarities f8 (a, B) to all of `second`.

    Args:
        matcher: what is asked.
        first: i64 (A,), rows.
        second: i64 (B,), rows.
        pairs: similarities held at a time; at least one row of them is.

    Raises:
        UserError: a similarity is not finite.
    """
    step = max(1, pairs // max(1, len(second)))
    for start in range(0, len(first), step):
        part = slice(start, min(start + step, len(first)))
        yield part, checked(matcher, matcher.similarity(first[part], second))


def score_pairs(matcher: Matcher, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return f8 (n,): the similarities of the rows i64 (n,) to the rows i64 (n,), computed the cheaper way.

    Raises:
        UserError: a similarity is not finite.
    """
    left, at_left = np.unique(first, return_inverse=True)
    right, at_right = np.unique(second, return_inverse=True)
    if len(first) * DENSE < len(left) * len(right):
        return checked(matcher, matcher.pair_similarity(first, second))
    out = np.empty(len(first))
    order = np.argsort(at_left, kind="stable")
    starts = np.searchsorted(at_left[order], np.arange(len(left) + 1))
    for part, block in similarity_blocks(matcher, left, right):
        mine = order[starts[part.start] : starts[part.stop]]
        out[mine] = block[at_left[mine] - part.start, at_right[mine]]
    return out


def checked(matcher: Matcher, similarities: np.ndarray) -> np.ndarray:
    """Return similarities that are all finite.

    Raises:
        UserError: one is not.
    """
    wrong = int((~np.isfinite(similarities)).sum())
    if wrong:
        raise UserError(f"{matcher.name}: {wrong} similarities are not finite: check its embeddings and the samples")
    return similarities
