"""Pairs as rows of a table: all possible ones, or some in folds of disjoint people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.tables.pairs import make_pairs
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 4_000_000
"""Pairs looked at at a time."""


@dataclass(frozen=True, eq=False)
class PairRows:
    """Pairs of rows.

    Attributes:
        first: i64 (n,), row of each pair's first sample.
        second: i64 (n,), row of its second.
        same: bool (n,), whether they show one person.
        fold: i64 (n,), number of its fold; None without folds.
        complete: these are all that the rows admit.
        notes: lines for the person who reads the figures.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    fold: np.ndarray | None = None
    complete: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Codes:
    """Who and what each row shows, as numbers."""

    identity: np.ndarray
    person: np.ndarray
    origin: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> _Codes:
        people = [person_of(identity) for identity in table["identity"]]
        columns = (table["identity"].to_numpy(object), np.array(people, object), table["origin_id"].to_numpy(object))
        return cls(*(np.unique(column.astype(str), return_inverse=True)[1].reshape(-1) for column in columns))

    def strange(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return which pairs show two people; a face and its mirror image do not."""
        return self.person[first] != self.person[second]


def every_pair(
    table: pd.DataFrame, first: np.ndarray, second: np.ndarray, most: int = 1_000_000, seed: int = 0
) -> PairRows:
    """Return all pairs of a row of `first` with a row of `second`: one identity in two captures, or two people.

    A face and its mirror image are neither. Where there are more than `most`, all genuine pairs stay (at most half of
    `most`, drawn), and impostor pairs are drawn, each equally likely.

    Args:
        table: columns `identity`, `origin_id`.
        first: i64 rows, ascending.
        second: i64 rows: the same rows in the same order, and each pair occurs once; or none of them.
        most: pairs at most.
        seed: decides what is drawn.
    """
    codes, alike = _Codes.of(table), np.array_equal(first, second)
    genuine = _genuine(codes, first, second, alike)
    impostors = _count(codes.person, first, second, alike)
    rng = np.random.default_rng(seed_from("every pair", seed))
    complete = len(genuine) + impostors <= most
    if complete:
        strange = _impostors(codes, first, second, alike)
    else:
        if len(genuine) > most // 2:
            genuine = genuine[np.sort(rng.permutation(len(genuine))[: most // 2])]
        strange = _draw_impostors(codes, first, second, alike, min(most - len(genuine), impostors), rng)
    pairs = np.concatenate([genuine, strange])
    same = np.arange(len(pairs)) < len(genuine)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    note = f"{len(pairs)} of more pairs, drawn: all genuine ones as far as half, the rest impostors"
    return PairRows(pairs[order, 0], pairs[order, 1], same[order], None, complete, () if complete else (note,))


def _blocks(first: np.ndarray, second: np.ndarray, alike: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    step = max(1, BLOCK // max(1, len(second)))
    for start in range(0, len(first), step):
        i, j = np.meshgrid(np.arange(start, min(start + step, len(first))), np.arange(len(second)), indexing="ij")
        keep = i < j if alike else np.ones(i.shape, bool)
        yield first[i[keep]], second[j[keep]]


def _impostors(codes: _Codes, first: np.ndarray, second: np.ndarray, alike: bool) -> np.ndarray:
    found = [np.zeros((0, 2), np.int64)]
    for a, b in _blocks(first, second, alike):
        strange = codes.strange(a, b)
        found.append(np.stack([a[strange], b[strange]], axis=1))
    return np.concatenate(found)


def _genuine(codes: _Codes, first: np.ndarray, second: np.ndarray, alike: bool) -> np.ndarray:
    """Return the genuine pairs i64 (n, 2), found identity by identity."""
    found = [np.zeros((0, 2), np.int64)]
    sorted_second = second[np.argsort(codes.identity[second], kind="stable")]
    numbers = codes.identity[sorted_second]
    for row in range(len(first)):
        own = codes.identity[first[row]]
        mates = sorted_second[np.searchsorted(numbers, own) : np.searchsorted(numbers, own, side="right")]
        mates = mates[codes.origin[mates] != codes.origin[first[row]]]
        if alike:
            mates = mates[mates > first[row]]
        found.append(np.stack([np.full(len(mates), first[row]), mates], axis=1))
    return np.concatenate(found)


def _count(person: np.ndarray, first: np.ndarray, second: np.ndarray, alike: bool) -> int:
    """Return how many pairs show two people."""
    most = int(person.max(initial=-1)) + 1
    a, b = (np.bincount(person[rows], minlength=most) for rows in (first, second))
    total = int(a.sum()) * int(b.sum()) - int((a * b).sum())
    return total // 2 if alike else total


def _draw_impostors(
    codes: _Codes, first: np.ndarray, second: np.ndarray, alike: bool, wanted: int, rng: np.random.Generator
) -> np.ndarray:
    places = np.zeros(0, np.int64)
    while len(places) < wanted:
        i, j = (rng.integers(len(rows), size=2 * wanted) for rows in (first, second))
        i, j = (np.minimum(i, j), np.maximum(i, j)) if alike else (i, j)
        strange = codes.strange(first[i], second[j])
        places = np.unique(np.concatenate([places, (i * len(second) + j)[strange]]))
    chosen = places[rng.permutation(len(places))[:wanted]]
    return np.stack([first[chosen // len(second)], second[chosen % len(second)]], axis=1)


def pairs_in_folds(
    table: pd.DataFrame, first: np.ndarray, second: np.ndarray, folds: int, per_fold: int, seed: int
) -> PairRows:
    """Return drawn pairs in folds of disjoint people, as `make_pairs` draws them.

    Args:
        table: columns `sample_id`, `identity`, `origin_id`.
        first: i64 rows that pairs take first.
        second: i64 rows that they take second: the same rows, or none of them.
        folds: folds wanted.
        per_fold: genuine pairs wanted in a fold, and impostor pairs.
        seed: decides what is drawn.
    """
    alike = np.array_equal(first, second)
    rows = first if alike else np.concatenate([first, second])
    sides = None if alike else np.repeat([0, 1], [len(first), len(second)]).tolist()
    made = make_pairs(table.iloc[rows], folds, per_fold, seed, sides)
    ids = table["sample_id"]
    row_of = dict(zip(ids.iloc[rows], rows.tolist(), strict=True))
    columns = [(row_of[pair.first.id], row_of[pair.second.id], pair.fold) for pair in made.pairs]
    numbers = np.array(columns, np.int64).reshape(-1, 3)
    same = np.array([pair.same for pair in made.pairs], bool)
    return PairRows(numbers[:, 0], numbers[:, 1], same, numbers[:, 2], False, made.notes)
