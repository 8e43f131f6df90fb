"""Near-duplicates between splits: samples that may show one recording although their rows give no sign of it.

Candidates are nearest neighbours of a fixed descriptor; each is then compared closely. What is found is *suspected*:
one scan sampled twice, a photograph saved twice, or a mask put on a copy, under another name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import UserError
from face3d_data.shards.audit.look import Look
from face3d_data.shards.leaks import Suspect
from face3d_data.shards.read import Dataset

if TYPE_CHECKING:
    import pandas as pd

NOT_ASKED = "not asked for"
"""Note of a search that was not wanted."""
FEW = 20_000
"""Number of samples up to which datasets are searched by default: this takes a few minutes at most."""
NEIGHBORS = 3
"""Nearest samples of other splits that are compared closely, by each part of the face."""
QUERIES_AT_ONCE, ROWS_AT_ONCE = 1024, 8192


@dataclass(frozen=True)
class Search:
    """What a search for near-duplicates found.

    Attributes:
        suspects: pairs of samples.
        looked: what was looked at: `points of 9,812 samples`; nothing where it was not possible.
        notes: what was not looked at, and why.
        compared: pairs that were compared closely.
        seconds: how long it took.
    """

    suspects: tuple[Suspect, ...] = ()
    looked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    compared: int = 0
    seconds: float = 0.0


def find_near_duplicates(
    dataset: Dataset, table: pd.DataFrame, known: Callable[[int, int], bool] = lambda first, second: False
) -> Search:
    """Look for near-duplicates between the splits of a dataset.

    Args:
        dataset: the dataset; its shards are whole.
        table: the rows of all splits, split by split in the order of their CSVs.
        known: whether two rows are known already to be one recording, so that they are passed over.
    """
    from threadpoolctl import threadpool_limits

    started = time.monotonic()
    splits = table["split"].tolist()
    if len(set(splits)) < 2:
        return Search(looked=("there is one split",))
    with threadpool_limits(1):  # of matrices as small as these, a second thread makes nothing but waiting
        looks, notes = _looks(dataset, table)
        suspects, compared = _compare(looks, table, known)
    looked = tuple(f"{look.name} of {len(look.places):,} samples" for look in looks)
    notes += [note for look in looks for note in _partly(look, len(table))]
    return Search(tuple(suspects), looked, tuple(notes), compared, time.monotonic() - started)


def _partly(look: Look, n: int) -> Iterator[str]:
    """Yield what keeps a look from being one at every sample."""
    if len(look.places) < n:
        yield f"{look.name} of {n - len(look.places):,} of {n:,} samples show no face where the others have one"
    yield from look.notes


def _compare(
    looks: Sequence[Look], table: pd.DataFrame, known: Callable[[int, int], bool]
) -> tuple[list[Suspect], int]:
    """Return the pairs that are confirmed, and how many were compared."""
    splits = table["split"].tolist()
    found: dict[tuple[int, int], Suspect] = {}
    compared = 0
    for look in looks:
        for (first, second), parts in sorted(_candidates(look, splits).items()):
            if known(first, second) or (first, second) in found:
                continue
            compared += 1
            how = next(filter(None, (look.confirm(first, second, part) for part in parts)), None)
            if how:
                found[first, second] = _suspect(table, first, second, f"{look.name}, {how}")
    return sorted(found.values(), key=lambda suspect: suspect.samples), compared


def _looks(dataset: Dataset, table: pd.DataFrame) -> tuple[list[Look], list[str]]:
    from face3d_data.shards.audit.near_duplicates_images import look_at_images
    from face3d_data.shards.audit.near_duplicates_points import look_at_points

    looks: list[Look] = []
    notes = []
    fields = dataset.info["spec"]["fields"]
    for name, look_at in (("points", look_at_points), ("grid", look_at_points), ("color", look_at_images)):
        if name in fields and not (name == "grid" and "points" in fields):
            try:
                looks.append(look_at(dataset, table, name))
            except UserError as error:
                notes.append(str(error))
    if not looks and not notes:
        notes.append(f"that needs points, grid or color, and the fields are {', '.join(fields)}")
    return looks, notes


def _candidates(look: Look, splits: Sequence[str]) -> dict[tuple[int, int], list[int]]:
    """Return the pairs of rows that are near, with the parts by which they are."""
    mine = [splits[place] for place in look.places]
    found: dict[tuple[int, int], list[int]] = {}
    for number, part in enumerate(look.parts):
        for one, other in nearest_across(part.descriptors, mine, part.most):
            pair = sorted((int(look.places[one]), int(look.places[other])))
            found.setdefault((pair[0], pair[1]), []).append(number)
    return found


def nearest_across(
    descriptors: np.ndarray, splits: Sequence[str], most: float, neighbors: int = NEIGHBORS
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of rows of two splits of which one is among the nearest of the other.

    Each row is compared with all rows of the splits that come before its own, block by block, so that memory does not
    grow with the square of the rows.

    Args:
        descriptors: f4 (n, k).
        splits: (n,) names.
        most: Euclidean distance at most.
        neighbors: nearest rows that count.
    """
    names = list(dict.fromkeys(splits))
    rank = np.array([names.index(split) for split in splits])
    lengths = np.einsum("ij,ij->i", descriptors, descriptors)
    for number in range(1, len(names)):
        before, own = np.flatnonzero(rank < number), np.flatnonzero(rank == number)
        for start in range(0, len(own), QUERIES_AT_ONCE):
            queries = own[start : start + QUERIES_AT_ONCE]
            nearest, rows = _nearest(descriptors, lengths, queries, before, neighbors)
            for query, column in zip(*np.nonzero(nearest <= most**2), strict=True):
                yield int(queries[query]), int(rows[query, column])


def _nearest(
    descriptors: np.ndarray, lengths: np.ndarray, queries: np.ndarray, among: np.ndarray, neighbors: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the squared distances (q, k) of the nearest rows, infinite where there are fewer, and which they are."""
    nearest = np.full((len(queries), neighbors), np.inf, np.float32)
    rows = np.zeros((len(queries), neighbors), np.int64)
    for start in range(0, len(among), ROWS_AT_ONCE):
        block = among[start : start + ROWS_AT_ONCE]
        apart = lengths[block] - 2.0 * (descriptors[queries] @ descriptors[block].T) + lengths[queries, None]
        some = np.argpartition(apart, min(neighbors, len(block)) - 1, axis=1)[:, :neighbors]
        both = np.concatenate([nearest, np.take_along_axis(apart, some, 1)], axis=1)
        which = np.concatenate([rows, block[some]], axis=1)
        kept = np.argsort(both, axis=1, kind="stable")[:, :neighbors]
        nearest, rows = np.take_along_axis(both, kept, 1), np.take_along_axis(which, kept, 1)
    return nearest, rows


def _suspect(table: pd.DataFrame, first: int, second: int, how: str) -> Suspect:
    rows = table.iloc[[first, second]]
    ids, splits, people = (tuple(rows[name].tolist()) for name in ("sample_id", "split", "identity"))
    return Suspect("near_duplicate", ids, splits, people, how)
