"""Columns of few different values: a code a row, and each value once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

MISSING = -1
"""Code of a row without a value."""


class Coded:
    """A column as codes of values.

    Args:
        codes: i4 (n,), places in `values`; `MISSING` where a row has none.
        values: any values; equal ones may occur twice, so that codes are never compared.
    """

    __slots__ = ("codes", "values")

    def __init__(self, codes: np.ndarray, values: Sequence[Any]) -> None:
        self.codes = codes
        self.values = values

    @classmethod
    def same(cls, value: Any, n: int) -> Coded:
        """Return a column of n rows with one value; None: without one."""
        return cls(np.full(n, MISSING if value is None else 0, np.int32), [] if value is None else [value])

    @classmethod
    def of(cls, values: Iterable[Any]) -> Coded:
        """Return a column of these values, None where a row has none."""
        builder = CodedBuilder()
        for value in values:
            builder.append(value)
        return builder.column()

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> Any:
        code = self.codes[row]
        return None if code == MISSING else self.values[code]

    def objects(self) -> np.ndarray:
        """Return the values as an object array (n,), None where a row has none."""
        return np.fromiter([*self.values, None], object, len(self.values) + 1)[self.codes]

    def take(self, rows: np.ndarray | None) -> Coded:
        """Return the column of some rows, by their places; None: of all."""
        return self if rows is None else Coded(self.codes[rows], self.values)

    def where(self, holds: Callable[[Any], bool]) -> np.ndarray:
        """Return bool (n,): what `holds` says of each row's value, asked once for each value, None among them."""
        return np.array([*(holds(value) for value in self.values), holds(None)], bool)[self.codes]

    def mapped(self, change: Callable[[Any], Any]) -> Coded:
        """Return the column with every value changed; `change` is asked once for each."""
        return Coded(self.codes, [change(value) for value in self.values])

    def used(self) -> Coded:
        """Return the column without the values that no row has."""
        found, codes = np.unique(self.codes, return_inverse=True)
        lacking = int(len(found) and found[0] == MISSING)
        return Coded((codes - lacking).astype(np.int32), [self.values[code] for code in found[lacking:].tolist()])

    def over(self, other: Coded) -> Coded:
        """Return this column, with the values of another where a row has none here."""
        lacks = self.codes == MISSING
        if not lacks.any():
            return self
        from_other = np.where(other.codes == MISSING, MISSING, other.codes + len(self.values))
        return Coded(np.where(lacks, from_other, self.codes).astype(np.int32), [*self.values, *other.values])


def joined(columns: Sequence[Coded]) -> Coded:
    """Return the rows of several columns, one after the other; equal values of one type become one."""
    if len(columns) == 1:
        return columns[0]
    values: list[Any] = []
    known: dict[tuple[type, Any], int] = {}
    codes = []
    for column in columns:
        places = np.empty(len(column.values) + 1, np.int32)
        places[-1] = MISSING
        for i, value in enumerate(column.values):
            place = known.setdefault((type(value), value), len(values))
            if place == len(values):
                values.append(value)
            places[i] = place
        codes.append(places[column.codes])
    return Coded(np.concatenate(codes) if codes else np.zeros(0, np.int32), values)


def combined(combine: Callable[..., Any], columns: Sequence[Coded]) -> Coded:
    """Return a column of what `combine` makes of the values of several, asked once for each combination of values."""
    codes = np.zeros(len(columns[0]), np.int64)
    rows: list[tuple[Any, ...]] = [()]
    for column in columns:
        size = len(column.values) + 1
        if len(codes) and (column.codes == column.codes[0]).all():  # most columns of most steps: nothing to sort by
            values = [*column.values, None]
            rows = [(*row, values[column.codes[0]]) for row in rows]
            continue
        found, codes = np.unique(codes * size + column.codes - MISSING, return_inverse=True)
        values = [None, *column.values]
        rows = [(*rows[pair // size], values[pair % size]) for pair in found.tolist()]
    return distinct(Coded(codes.astype(np.int32), [combine(*row) for row in rows] if len(codes) else []))


def distinct(column: Coded) -> Coded:
    """Return the column with each value, which has a hash, once."""
    known: dict[Any, int] = {}
    places = [known.setdefault(value, len(known)) for value in column.values]
    return Coded(np.array([*places, MISSING], np.int32)[column.codes], list(known))


class CodedBuilder:
    """A column that grows row by row; 1, 1.0 and true are three values."""

    def __init__(self) -> None:
        self._codes = array("i")
        self._values: list[Any] = []
        self._known: dict[tuple[type, Any], int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def append(self, value: Any) -> None:
        """Add a row; None has no value."""
        if value is None:
            self._codes.append(MISSING)
            return
        key = (value.__class__, value)
        try:
            code = self._known.get(key)
        except TypeError:  # a list that a reader gives for a tag
            key = (value.__class__, repr(value))
            code = self._known.get(key)
        if code is None:
            code = self._known[key] = len(self._values)
            self._values.append(value)
        self._codes.append(code)

    def extend_to(self, n: int) -> None:
        """Add rows without a value, up to n rows."""
        self._codes.extend([MISSING] * (n - len(self._codes)))

    def column(self) -> Coded:
        """Return the column."""
        return Coded(np.frombuffer(self._codes, np.int32) if len(self._codes) else np.zeros(0, np.int32), self._values)
