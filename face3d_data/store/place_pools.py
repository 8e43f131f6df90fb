"""Pools of places: the captures of a source, and what a stage has made of other places, in columns."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.store.coded import Coded, combined, distinct
from face3d_data.store.place import SourcePlace, StorageLocation
from face3d_data.store.places import PlaceKind, Places
from face3d_data.store.source_table import SourceTable

PARSED = 65_536
"""Texts of shapes that are kept parsed."""


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

    def kinds(self, arrays: Sequence[str]) -> Coded:
        """Return what the captures give; no shape is known."""
        unknown = (None,) * len(arrays)
        return self.name_sets().mapped(lambda names: PlaceKind(names, unknown, frozenset()))

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

    def orders(self) -> tuple[Coded, np.ndarray]:
        """Return text and number of `order` for every capture."""
        return self.table.orders(self.rows)


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

    def kinds(self, arrays: Sequence[str]) -> Coded:
        """Return the names, shapes and steps of each row, its own and inherited ones."""

        def kind(before: PlaceKind, *texts: str) -> PlaceKind:
            dropped, own, carried = map(_parsed, texts)
            held = {**dict(zip(arrays, before.shapes, strict=True)), **dict.fromkeys(dropped), **carried, **own}
            shapes = tuple(None if held[name] is None else tuple(held[name]) for name in arrays)
            return PlaceKind(before.names.difference(dropped).union(own), shapes, before.steps | {self._step})

        before = self.parents.kinds(arrays).take(self.parent_rows)
        return combined(kind, (before, self._dropped, self._shapes, self._carried))

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

    def orders(self) -> tuple[Coded, np.ndarray]:
        """Return text and number of `order` for every row."""
        return Coded(self._columns["part"].astype(np.int32), list(map(str, self._parts))), self._columns["record"]


def _lacking(
    of_parent: frozenset[str], dropped: frozenset[str], own: frozenset[str], carried: frozenset[str], stored: bool
) -> frozenset[str]:
    lacking = of_parent - own - carried - dropped
    return lacking if stored else lacking | own


def _names(texts: Coded) -> Coded:
    """Return the names in JSON texts as sets, each once."""
    return distinct(texts.mapped(lambda text: frozenset(json.loads(text))))


@functools.lru_cache(PARSED)
def _parsed(text: str) -> Any:
    return json.loads(text)
