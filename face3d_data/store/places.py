"""Places of a manifest's rows, in columns: where the arrays of each are, made into a chain where one is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from face3d_data.store.coded import Coded, joined
from face3d_data.store.place import SourcePlace, StorageLocation

Chain = StorageLocation | SourcePlace


class PlaceKind(NamedTuple):
    """What many places have in common.

    Attributes:
        names: of all arrays of a row.
        shapes: of the arrays that were asked for, None of one that is not there or whose shape only its source knows.
        steps: ids of the steps on the way to the source.
    """

    names: frozenset[str]
    shapes: tuple[tuple[int, ...] | None, ...]
    steps: frozenset[str]


class Pool(Protocol):
    """Places that one source or step has made."""

    def __len__(self) -> int: ...

    def place(self, row: int) -> Chain:
        """Return the chain of one row."""
        ...

    def name_sets(self) -> Coded:
        """Return the names of the arrays that each row has, as sets."""
        ...

    def at_source(self) -> Coded:
        """Return the names of the arrays of each row that no step has made, as sets."""
        ...

    def kinds(self, arrays: Sequence[str]) -> Coded:
        """Return the `PlaceKind` of each row, with the shapes of these arrays."""
        ...

    def names(self, row: int) -> frozenset[str]:
        """Return the names of the arrays of one row."""
        ...

    def shape(self, row: int, name: str) -> tuple[int, ...] | None:
        """Return what `StorageLocation.shape` does."""
        ...

    def order(self, row: int) -> tuple[str, int]:
        """Return the sort key of a row."""
        ...

    def orders(self) -> tuple[Coded, np.ndarray]:
        """Return text and number, i8 (n,), of the sort keys of all rows."""
        ...


class Places(Sequence["RowPlace"]):
    """Places of a manifest's rows, of one pool or of several.

    Args:
        pools: where they come from.
        which: i2 (n,), the pool of each row; None: all of the first.
        at: i4 (n,), the place in its pool; None: all of the first pool, in order.
    """

    def __init__(self, pools: tuple[Pool, ...], which: np.ndarray | None = None, at: np.ndarray | None = None) -> None:
        self.pools = pools
        self._which, self._at = which, at
        self._n = len(at) if at is not None else len(pools[0]) if pools else 0

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, row: int) -> RowPlace:  # type: ignore[override]
        pool = self.pools[0 if self._which is None else self._which[row]]
        return RowPlace(pool, row if self._at is None else int(self._at[row]))

    def __iter__(self) -> Iterator[RowPlace]:
        return (self[row] for row in range(self._n))

    def take(self, rows: np.ndarray | None) -> Places:
        """Return the places of some rows; None: of all."""
        if rows is None:
            return self
        which = None if self._which is None else self._which[rows]
        return Places(self.pools, which, rows.astype(np.int32) if self._at is None else self._at[rows])

    def name_sets(self) -> Coded:
        """Return the names of the arrays that each row has, as sets."""
        return self._gathered([pool.name_sets() for pool in self.pools])

    def at_source(self) -> Coded:
        """Return the names of the arrays of each row that no step has made, as sets."""
        return self._gathered([pool.at_source() for pool in self.pools])

    def in_stored_order(self, rows: np.ndarray) -> np.ndarray:
        """Return rows in the order in which they are stored, which `RowPlace.order` says of each."""
        several = [pool.orders() for pool in self.pools]
        if not several:
            return rows
        texts = self._gathered([text for text, _ in several]).take(rows)
        numbers = self._of_all(rows, np.concatenate([number for _, number in several]))
        ranks = np.empty(len(texts.values), np.int64)
        ranks[sorted(range(len(ranks)), key=texts.values.__getitem__)] = np.arange(len(ranks))
        return rows[np.lexsort((numbers, ranks[texts.codes]))]

    def _of_all(self, rows: np.ndarray, of_pools: np.ndarray) -> np.ndarray:
        """Return for some rows the values of a column that has those of all pools, one after the other."""
        at = rows if self._at is None else self._at[rows]
        if self._which is None:
            return of_pools[at]
        return of_pools[np.cumsum([0, *map(len, self.pools)])[self._which[rows]] + at]

    def kinds(self, arrays: Sequence[str]) -> Coded:
        """Return the `PlaceKind` of each row, with the shapes of these arrays."""
        return self._gathered([pool.kinds(arrays) for pool in self.pools])

    def _gathered(self, sets: Sequence[Coded]) -> Coded:
        if self._which is None:
            return sets[0].take(self._at) if sets else Coded(np.zeros(0, np.int32), [])
        found = joined(sets)
        starts = np.cumsum([0, *map(len, self.pools)])[:-1]
        at = self._at if self._at is not None else np.arange(self._n)
        return found.take(starts[self._which] + at)


def places_of(several: Sequence[Places]) -> Places:
    """Return the places of several manifests, one after the other."""
    if len(several) == 1:
        return several[0]
    pools: list[Pool] = []
    which, at = [], []
    for places in several:
        codes = []
        for pool in places.pools:
            place = next((i for i, one in enumerate(pools) if one is pool), len(pools))
            if place == len(pools):
                pools.append(pool)
            codes.append(place)
        n = len(places)
        mine = np.zeros(n, np.int16) if places._which is None else places._which
        which.append(np.array(codes or [0], np.int16)[mine])
        at.append(np.arange(n, dtype=np.int32) if places._at is None else places._at)
    if not pools:
        return Places(())
    return Places(tuple(pools), np.concatenate(which), np.concatenate(at))


class RowPlace:
    """The place of one row; sent to another process it is a chain."""

    __slots__ = ("_pool", "_row")

    def __init__(self, pool: Pool, row: int) -> None:
        self._pool = pool
        self._row = row

    @property
    def resolved(self) -> Chain:
        """The chain from this row back to its source."""
        return self._pool.place(self._row)

    @property
    def names(self) -> frozenset[str]:
        """Names of all arrays of the row."""
        return self._pool.names(self._row)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Return what `StorageLocation.shape` does."""
        return self._pool.shape(self._row, name)

    @property
    def order(self) -> tuple[str, int]:
        """Sort key that visits rows in the order in which they are stored."""
        return self._pool.order(self._row)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.resolved, name)

    def __reduce__(self) -> tuple[Any, tuple[Chain]]:
        return _itself, (self.resolved,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowPlace) and (self._pool, self._row) == (other._pool, other._row)

    def __hash__(self) -> int:
        return hash((id(self._pool), self._row))


def _itself(place: Chain) -> Chain:
    return place
