"""Nearest rows of other splits by their descriptors: all of them exactly, or very many by Faiss' index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

NEIGHBORS = 3
"""Nearest samples of other splits that are compared closely, by each part of the face."""
QUERIES_AT_ONCE, ROWS_AT_ONCE = 1024, 8192
"""Distances that are held at once, by each thread: 32 MiB."""
ROWS_A_LIST = 64
"""Rows that train a centre of Faiss' index."""
FIRST_PROBES = 16
"""Lists of the index that are searched at first; twice as many until enough is found."""
LEAST_FOUND = 0.99
CHECKED = 512
"""Rows whose neighbours are searched for exactly, too, to know what the index finds."""


@dataclass(frozen=True)
class NearRows:
    """Pairs of rows of two splits of which one is among the nearest of the other.

    Attributes:
        pairs: i8 (p, 2), the later row first.
        checked: pairs of some rows that an exact search found; 0 where the search was exact.
        found: how many of these the index found.
    """

    pairs: np.ndarray
    checked: int = 0
    found: int = 0


def nearest_across(descriptors: np.ndarray, ranks: np.ndarray, most: float, jobs: int = 1) -> NearRows:
    """Return the pairs of rows of two splits of which one is among the nearest of the other, all of them.

    Each row is compared with all rows of the splits that come before its own, block by block, so that memory does not
    grow with the square of the rows.

    Args:
        descriptors: f4 (n, k).
        ranks: int (n,), ascending: the split of each row.
        most: Euclidean distance at most.
        jobs: threads.
    """
    lengths = np.einsum("ij,ij->i", descriptors, descriptors)
    blocks = [
        (np.arange(start, min(start + QUERIES_AT_ONCE, stop)), before)
        for before, stop in _spans(ranks)
        for start in range(before, stop, QUERIES_AT_ONCE)
    ]

    def search(block: tuple[np.ndarray, int]) -> np.ndarray:
        return _exact(descriptors, lengths, *block, most)

    if jobs == 1:
        return NearRows(_joined(map(search, blocks)))
    with ThreadPoolExecutor(jobs) as threads:  # NumPy leaves the interpreter to others while it multiplies
        return NearRows(_joined(threads.map(search, blocks)))


def nearest_by_index(descriptors: np.ndarray, ranks: np.ndarray, most: float) -> NearRows:
    """Return nearly all of the pairs that `nearest_across` does, by Faiss' index of lists, the same ones each time.

    Jégou, Douze and Schmid 2011, Product Quantization for Nearest Neighbor Search: its inverted file, with whole
    descriptors. Each row is compared with the lists whose centres are nearest; an exact search for some of the rows
    decides how many.

    Args:
        descriptors: f4 (n, k), n of some thousands.
        ranks: int (n,), ascending: the split of each row.
        most: Euclidean distance at most.
    """
    import faiss

    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # more of them would sum in another order each time
    try:
        return _by_index(faiss, descriptors, ranks, most)
    finally:
        faiss.omp_set_num_threads(threads)


def _by_index(faiss: Any, descriptors: np.ndarray, ranks: np.ndarray, most: float) -> NearRows:
    n, k = descriptors.shape
    n_lists = max(1, min(int(4 * np.sqrt(n)), n // ROWS_A_LIST))
    centres = faiss.IndexFlatL2(k)
    index = faiss.IndexIVFFlat(centres, k, n_lists)
    index.train(np.ascontiguousarray(descriptors[:: max(1, n // (n_lists * ROWS_A_LIST))]))
    lengths = np.einsum("ij,ij->i", descriptors, descriptors)
    spans = list(_spans(ranks))
    index.nprobe = FIRST_PROBES
    pairs, sure, found = [], 0, 0
    for before, stop in spans:
        index.add(np.ascontiguousarray(descriptors[index.ntotal : before]))
        some = np.arange(before, stop, max(1, (stop - before) * len(spans) // CHECKED))
        exact = _exact(descriptors, lengths, some, before, most)
        while True:
            told = _told_by(index, descriptors, some, most)
            same = len(_both(exact, told))
            if same >= LEAST_FOUND * len(exact) or index.nprobe >= n_lists:
                break
            index.nprobe = min(2 * index.nprobe, n_lists)
        sure, found = sure + len(exact), found + same
        pairs += [
            _told_by(index, descriptors, np.arange(start, min(start + QUERIES_AT_ONCE, stop)), most)
            for start in range(before, stop, QUERIES_AT_ONCE)
        ]
    return NearRows(_joined(pairs), sure, found)


def _spans(ranks: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield where each split but the first starts and stops."""
    starts = [*(np.flatnonzero(np.diff(ranks)) + 1).tolist(), len(ranks)]
    yield from pairwise(starts)


def _exact(descriptors: np.ndarray, lengths: np.ndarray, queries: np.ndarray, before: int, most: float) -> np.ndarray:
    """Return the pairs i8 (p, 2) of some rows with the nearest of those before a row, at most so far away."""
    mine = descriptors[queries]
    nearest = np.full((len(queries), NEIGHBORS), np.inf, np.float32)
    rows = np.zeros((len(queries), NEIGHBORS), np.int64)
    for start in range(0, before, ROWS_AT_ONCE):
        block = slice(start, min(start + ROWS_AT_ONCE, before))
        apart = mine @ descriptors[block].T
        apart *= -2.0
        apart += lengths[block]
        apart += lengths[queries, None]
        # Few are nearer than the nearest so far, and to sort all would take as long as to measure them.
        limit = np.minimum(nearest[:, -1:], np.nextafter(np.float32(most**2), np.float32(np.inf)))
        query, column = np.nonzero(apart < limit)
        if len(query):
            _take_nearer(nearest, rows, query, apart[query, column], column + start)
    query, column = np.nonzero(np.isfinite(nearest))
    return np.column_stack([queries[query], rows[query, column]])


def _take_nearer(
    nearest: np.ndarray, rows: np.ndarray, query: np.ndarray, apart: np.ndarray, found: np.ndarray
) -> None:
    """Put rows that were found for queries among the nearest of these, f4 and i8 (q, k), in place."""
    every = np.concatenate([np.repeat(np.arange(len(nearest)), NEIGHBORS), query])
    distance, which = np.concatenate([nearest.ravel(), apart]), np.concatenate([rows.ravel(), found])
    order = np.lexsort((distance, every))
    best = order[np.searchsorted(every[order], np.arange(len(nearest)))[:, None] + np.arange(NEIGHBORS)]
    nearest[:], rows[:] = distance[best], which[best]


def _told_by(index: Any, descriptors: np.ndarray, queries: np.ndarray, most: float) -> np.ndarray:
    squares, rows = index.search(np.ascontiguousarray(descriptors[queries]), NEIGHBORS)
    query, column = np.nonzero((rows >= 0) & (squares <= most**2))
    return np.column_stack([queries[query], rows[query, column]])


def _both(first: np.ndarray, second: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, first.tolist())) & set(map(tuple, second.tolist()))


def _joined(pairs: Iterator[np.ndarray] | Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty((0, 2), np.int64), *pairs])
