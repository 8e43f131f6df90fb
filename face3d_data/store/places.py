"""Places of a manifest's rows, in columns: where the arrays of each are, made into a chain where one is asked for."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from face3d_data.store.coded import Coded, joined
from face3d_data.store.place import SourcePlace, StorageLocation
from face3d_data.store.source_table import SourceTable

Chain = StorageLocation | SourcePlace
PARSED = 65_536


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

    def names(self, row: int) -> frozenset[str]:
        """Return the names of the arrays of one row."""
        ...

    def shape(self, row: int, name: str) -> tuple[int, ...] | None:
        """Return what `StorageLocation.shape` does."""
        ...

    def order(self, row: int) -> tuple[str, int]:
        """Return the sort key of a row."""
        ...


class SourcePool:
    """Places at which chains begin.

    Args:
        table: the captures.
        rows: i4 (n,), places in the table of those that are rows.
        keys: S (n,), their keys.
    """

    def __init__(self, table: SourceTable, rows: np.ndarray, keys: np.ndarray) -> None:
        self.table = table
        self.rows = rows
        self._keys = keys

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, row: int) -> SourcePlace:
        """Return the place of one capture."""
        return SourcePlace(self.table.reader, self.table.source(self.rows[row]), self._keys[row].decode())

    def name_sets(self) -> Coded:
        """Return the names of the arrays that each capture gives."""
        return self.table.array_names.take(self.rows).mapped(frozenset)

    def at_source(self) -> Coded:
        """Return the same: nothing was made."""
        return self.name_sets()

    def names(self, row: int) -> frozenset[str]:
        """Return the names of the arrays that a capture gives."""
        return frozenset(self.table.arrays(self.rows[row]))

    def shape(self, row: int, name: str) -> tuple[int, ...] | None:
        """Return None: shapes are not known before a source is read.

        Raises:
            KeyError: the source does not give the array.
        """
        if name not in self.table.arrays(self.rows[row]):
            raise KeyError(name)
        return None

    def order(self, row: int) -> tuple[str, int]:
        """Return the sort key that visits captures in the order of their files."""
        return self.table.order(self.rows[row])


class StagePool:
    """Places that a stage has made of others.

    Args:
        parents: places of the inputs.
        parent_rows: i4 (n,), the input of each row; None: one row an input, in their order.
        parts: paths of parts.
        columns: `part` (places in `parts`), `record` and `stored`, integers (n,); `key`, S (n,).
        texts: `shapes` of the arrays that the stage set, the names that it `dropped`, and shapes of those `carried` in
            its record from earlier stages, as JSON.
        step: id of the step.
    """

    def __init__(
        self,
        parents: Places,
        parent_rows: np.ndarray | None,
        parts: Sequence[Path],
        columns: Mapping[str, np.ndarray],
        texts: Mapping[str, Coded],
        step: str,
    ) -> None:
        self.parents, self.parent_rows = parents, parent_rows
        self._parts, self._columns = parts, columns
        self._shapes, self._dropped, self._carried = texts["shapes"], texts["dropped"], texts["carried"]
        self._step = step

    def __len__(self) -> int:
        return len(self._columns["record"])

    def _parent(self, row: int) -> int:
        return row if self.parent_rows is None else int(self.parent_rows[row])

    def place(self, row: int) -> StorageLocation:
        """Return the chain of one row."""
        return StorageLocation(
            self.parents[self._parent(row)].resolved,
            self._parts[self._columns["part"][row]],
            int(self._columns["record"][row]),
            _parsed(self._shapes[row]),
            _parsed(self._dropped[row]),
            self._columns["key"][row].decode(),
            self._step,
            _parsed(self._carried[row]) if self._columns["stored"][row] else None,
        )

    def name_sets(self) -> Coded:
        """Return the names of all arrays of each row, its own and inherited ones."""
        return self._after(self.parents.name_sets(), True)

    def at_source(self) -> Coded:
        """Return the names of the arrays of each row that no step has made, as sets."""
        return self._after(self.parents.at_source(), False)

    @functools.cached_property
    def _names(self) -> Coded:
        return self.name_sets()

    def names(self, row: int) -> frozenset[str]:
        """Return the names of the arrays of one row."""
        found: frozenset[str] = self._names[row]
        return found

    def _after(self, before: Coded, own_too: bool) -> Coded:
        """Return sets of names, less what the stage removed or made, and with what it made if it is to count."""
        return combined(
            lambda names, dropped, own: (names - dropped - own) | (own if own_too else frozenset()),
            (before.take(self.parent_rows), _names(self._dropped), _names(self._shapes)),
        )

    def lacking(self, of_parents: Coded) -> Coded:
        """Return, as `StorageLocation.lacking` does, which arrays of each row no record has.

        Args:
            of_parents: sets of names, one an input.
        """
        stored = Coded(self._columns["stored"].astype(np.int32), [False, True])
        columns = (of_parents.take(self.parent_rows), _names(self._dropped), _names(self._shapes))
        return combined(_lacking, (*columns, _names(self._carried), stored))

    def shape(self, row: int, name: str) -> tuple[int, ...] | None:
        """Return an array's shape, None where only its source knows.

        Raises:
            KeyError: no step made it, or one dropped it.
        """
        held = {**_parsed(self._carried[row]), **_parsed(self._shapes[row])}
        if name in held:
            return tuple(held[name])
        if name in _parsed(self._dropped[row]):
            raise KeyError(name)
        return self.parents[self._parent(row)].shape(name)

    def order(self, row: int) -> tuple[str, int]:
        """Return the sort key that visits rows in the order of their part and offset."""
        return str(self._parts[self._columns["part"][row]]), int(self._columns["record"][row])


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


def _lacking(
    of_parent: frozenset[str], dropped: frozenset[str], own: frozenset[str], carried: frozenset[str], stored: bool
) -> frozenset[str]:
    lacking = of_parent - own - carried - dropped
    return lacking if stored else lacking | own


def _names(texts: Coded) -> Coded:
    """Return the names in JSON texts as sets, each once."""
    return _distinct(texts.mapped(lambda text: frozenset(json.loads(text))))


def combined(combine: Callable[..., Any], columns: Sequence[Coded]) -> Coded:
    """Return a column of what `combine` makes of the values of several, asked once for each combination of values."""
    codes = np.stack([column.codes for column in columns], axis=1)
    if not len(codes):
        return Coded(np.zeros(0, np.int32), [])
    found, places = np.unique(codes, axis=0, return_inverse=True)
    values = [
        combine(*(column.values[code] for column, code in zip(columns, row, strict=True))) for row in found.tolist()
    ]
    return _distinct(Coded(places.reshape(-1).astype(np.int32), values))


@functools.lru_cache(PARSED)
def _parsed(text: str) -> Any:
    return json.loads(text)


def _distinct(column: Coded) -> Coded:
    """Return the column with each value once."""
    known: dict[Any, int] = {}
    codes = np.array([known.setdefault(value, len(known)) for value in column.values] or [0], np.int32)
    return Coded(codes[column.codes], list(known))
