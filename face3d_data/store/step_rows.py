"""Rows of a step's parts in columns, by input key, and the index that keeps them; it is never believed over the parts.

The index records the state of every part's files. What it says of a part counts only while these are as they were: a
part that it does not know is read, and an index that is torn, of another version, or that names a part which is gone or
changed, is made again from the parts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import canonical, digest
from face3d_data.errors import TOO_LARGE
from face3d_data.store.coded import MISSING, Coded
from face3d_data.store.part import RETRIED, BadPart, PartRow, read_part_rows
from face3d_data.store.rows_index import (
    CODED,
    KEYS,
    OWN_NUMBERS,
    STATE,
    TEXTS,
    VALUES,
    RowColumns,
    RowTable,
    load_table,
    save_table,
)


def is_settled(row: PartRow) -> bool:
    """Return whether an input with this row needs no work.

    Errors are tried again, and files that were too large: limits are in no key, and judging by a header costs nothing.
    """
    return row.status != RETRIED and row.reason != TOO_LARGE


class StepRows:
    """The newest rows of each input key of a step.

    Args:
        folder: the step's `parts`.
        table: the rows.
    """

    def __init__(self, folder: Path, table: RowTable) -> None:
        self.paths = [folder / f"{name}.h5" for name in table.parts]
        self.states = table.states
        self._columns, self._values = table.columns, dict(table.values)
        inputs = self._columns["input"]
        self._starts = np.append(_group_starts(inputs), len(inputs))
        self._inputs = inputs[self._starts[:-1]]

    def __len__(self) -> int:
        return len(self._inputs)

    def __contains__(self, key: str) -> bool:
        return bool(self.find([key])[0] != MISSING)

    def find(self, keys: Sequence[str] | np.ndarray) -> np.ndarray:
        """Return the place of each input key, i8, `MISSING` where there are no rows of it.

        Args:
            keys: texts, or an array of their bytes.
        """
        if not len(self._inputs) or not len(keys):
            return np.full(len(keys), MISSING, np.int64)
        wanted = keys if isinstance(keys, np.ndarray) else np.array([key.encode() for key in keys], "S")
        order = np.argsort(wanted, kind="stable")  # so that the search goes through the rows once, not here and there
        places = np.empty(len(keys), np.int64)
        places[order] = np.searchsorted(self._inputs, wanted[order])
        places[places == len(self._inputs)] = 0
        return np.where(self._inputs[places] == wanted, places, MISSING)

    def to_do(
        self, keys: Sequence[str] | np.ndarray, forced: bool = False, retry: bool = False
    ) -> Iterator[tuple[int, int]]:
        """Yield the place in `keys` of each input that needs work, once for each key, with the number of this attempt.

        Args:
            keys: input keys, as `find` takes them.
            forced: all of them.
            retry: also what gave no output.
        """
        needed, attempts = self.needed(keys, forced, retry)
        seen = set()
        for i in np.flatnonzero(needed).tolist():
            if keys[i] not in seen:
                seen.add(keys[i])
                yield i, int(attempts[i]) + 1

    def needed(
        self, keys: Sequence[str] | np.ndarray, forced: bool = False, retry: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return bool, which inputs need work by their own rows, and i8, how often each was tried; one of `keys` each.

        Whether the arrays of outputs are stored does not count here. The arguments are those of `to_do`.
        """
        places = self.find(keys)
        settled = ~self._of_any(~self._settled())
        done = np.append(settled & (self.gave_output() | (not retry)), False)
        attempts = np.append(self._columns["attempt"][self._starts[:-1]], 0).astype(np.int64)
        return ~done[places] | forced, attempts[places]  # the last of both is that of `MISSING`

    def gave_output(self) -> np.ndarray:
        """Return bool, one an input: whether there is an output of it."""
        return self._of_any(self._columns["status"] == self._code("status", "ok"))

    def _settled(self) -> np.ndarray:
        """Return what `is_settled` says of each row."""
        again, too_large = self._code("status", RETRIED), self._code("reason", TOO_LARGE)
        return (self._columns["status"] != again) & (self._columns["reason"] != too_large)

    def group(self, place: int) -> tuple[Path, list[PartRow]]:
        """Return the `.h5` beside the rows of the input at a place, and the rows in the order of their outputs."""
        start, stop = int(self._starts[place]), int(self._starts[place + 1])
        return self.paths[self._columns["part"][start]], [self.row(i) for i in range(start, stop)]

    def groups(self) -> Iterator[tuple[str, Path, list[PartRow]]]:
        """Yield each input key with what `group` returns."""
        for place in range(len(self)):
            yield (self._inputs[place].decode(), *self.group(place))

    def _code(self, name: str, value: str) -> int:
        return self._values[name].index(value) if value in self._values[name] else MISSING

    def rows_of(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of inputs at some places, in their order.

        Args:
            places: i8 (n,), as `find` gives them.

        Returns:
            i8 (m,), for each row the number of its input among `places`, and i8 (m,), the rows, for `column` and `row`.
        """
        there = np.flatnonzero(places != MISSING)
        starts, stops = self._starts[:-1][places[there]], self._starts[1:][places[there]]
        counts = stops - starts
        before = np.cumsum(counts) - counts
        rows = np.arange(int(counts.sum())) - np.repeat(before, counts) + np.repeat(starts, counts)
        return np.repeat(there, counts), rows

    def column(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return a column of keys or numbers for some rows."""
        return self._columns[name][rows]

    def coded(self, name: str, rows: np.ndarray) -> Coded:
        """Return a field with few values for some rows; the values of `VALUES` are JSON texts."""
        codes = self._columns[name][rows]
        if len(rows) * 2 > len(self._columns[name]):
            return Coded(codes.astype(np.int32), self._values[name])
        used, codes = np.unique(codes, return_inverse=True)
        return Coded(codes.astype(np.int32), [self._values[name][code] for code in used.tolist()])

    def row(self, i: int) -> PartRow:
        """Return a row."""
        columns = self._columns
        fields: dict[str, Any] = {name: self._values[name][columns[name][i]] for name in TEXTS}
        fields |= {name: json.loads(self._values[name][columns[name][i]]) for name in VALUES}
        fields |= {name: int(columns[name][i]) for name in ("record", "attempt")}
        fields["stored"] = bool(columns["stored"][i])
        return PartRow(columns["input"][i].decode(), columns["key"][i].decode(), **fields)

    def _of_any(self, rows: np.ndarray) -> np.ndarray:
        return np.logical_or.reduceat(rows, self._starts[:-1]) if len(rows) else rows


def read_rows(folder: Path, index: Path, keep: bool) -> tuple[StepRows, list[BadPart]]:
    """Return the rows of a step's parts, and the parts that are bad, which count as absent.

    Args:
        folder: the parts.
        index: the file of the index beside them; a folder without parts has none.
        keep: write the index where it lacks parts.

    Raises:
        RunStopped: a part cannot be read, which says nothing of what it holds.
    """
    states = {path.stem: _state(path) for path in folder.glob("*.jsonl")}
    known = load_table(index)
    if known is not None and any(states.get(name) != tuple(state) for name, state in _states(known)):
        known = None
    there = set() if known is None else set(known.parts)
    tables, bad = [known] if known is not None else [], []
    for name in sorted(states.keys() - there):
        try:
            rows = read_part_rows(folder / f"{name}.jsonl")
        except BadPart as error:
            bad.append(error)
            continue
        tables.append(_table_of(name, states[name], rows))
    table = known if known is not None and len(tables) == 1 else _merged(tables)
    if keep and table is not known and table.parts:
        save_table(index, table)
    return StepRows(folder, table), bad


def parts_digest(folder: Path) -> str:
    """Return a digest of the state of all parts in a folder: while it is the same, so is what `read_rows` gives."""
    return digest(sorted([path.name, *_state(path)] for path in folder.glob("*.jsonl")))


def _state(rows: Path) -> tuple[int, ...]:
    """Return the state of a part's two files; a file that goes away meanwhile is found out when it is read."""
    found: list[int] = []
    for path in (rows, rows.with_suffix(".h5")):
        try:
            stat = os.stat(path)
            found += [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        except FileNotFoundError:
            found += [0] * (STATE // 2)
    return tuple(found)


def _states(table: RowTable) -> Iterator[tuple[str, list[int]]]:
    return zip(table.parts, table.states.tolist(), strict=True)


def _table_of(name: str, state: tuple[int, ...], rows: Sequence[PartRow]) -> RowTable:
    columns: RowColumns = {
        field: np.array([getattr(row, field).encode() for row in rows], "S") for field in ("input", "key")
    }
    columns |= {field: np.array([getattr(row, field) for row in rows], np.int64) for field in OWN_NUMBERS}
    columns["part"] = np.zeros(len(rows), np.int64)
    values: dict[str, list[str]] = {}
    for field in CODED:
        texts = [getattr(row, field) if field in TEXTS else canonical(getattr(row, field)) for row in rows]
        values[field] = list(dict.fromkeys(texts))
        codes = {text: code for code, text in enumerate(values[field])}
        columns[field] = np.array([codes[text] for text in texts], np.int64)
    return RowTable((name,), np.array([state], np.int64).reshape(1, STATE), columns, values)


def _merged(tables: Sequence[RowTable]) -> RowTable:
    """Return the rows of several tables; of an input the newest.

    Of equally new ones those with stored arrays count, and of these those of the first part.
    """
    order = sorted((name, t, p) for t, table in enumerate(tables) for p, name in enumerate(table.parts))
    place = {(t, p): i for i, (_, t, p) in enumerate(order)}
    parts = tuple(name for name, _, _ in order)
    states = np.array([tables[t].states[p] for _, t, p in order], np.int64).reshape(len(parts), STATE)
    values = {field: list(dict.fromkeys(one for table in tables for one in table.values[field])) for field in CODED}
    columns: RowColumns = {}
    for name in (*KEYS, *OWN_NUMBERS):
        columns[name] = _joined([table.columns[name] for table in tables], "S1" if name in KEYS else "i8")
    columns["part"] = _joined(
        [np.array([place[t, p] for p in range(len(table.parts))], np.int64)[table.columns["part"]]
         for t, table in enumerate(tables)], "i8",
    )  # fmt: skip
    for field in CODED:
        codes = {text: code for code, text in enumerate(values[field])}
        columns[field] = _joined(
            [np.array([codes[one] for one in table.values[field]], np.int64)[table.columns[field]] for table in tables],
            "i8",
        )
    chosen = _newest(columns)
    return RowTable(parts, states, {name: _small(column[chosen]) for name, column in columns.items()}, values)


def _joined(columns: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    return np.concatenate(columns) if columns else np.zeros(0, dtype)


def _small(column: np.ndarray) -> np.ndarray:
    """Return a column of numbers in the smallest type that holds them."""
    if column.dtype.kind != "i" or not len(column):
        return column
    return column.astype(np.promote_types(np.min_scalar_type(column.min()), np.min_scalar_type(column.max())))


def _group_starts(inputs: np.ndarray) -> np.ndarray:
    first = np.ones(len(inputs), bool)
    first[1:] = inputs[1:] != inputs[:-1]
    return np.flatnonzero(first)


def _newest(columns: RowColumns) -> np.ndarray:
    """Return the places of the rows that count, in the order of their input keys."""
    inputs = columns["input"]
    order = np.lexsort((np.arange(len(inputs)), columns["part"], columns["stored"] == 0, -columns["attempt"], inputs))
    starts = _group_starts(inputs[order])
    sizes = np.diff(np.append(starts, len(order)))
    part = columns["part"][order]
    return order[part == np.repeat(part[starts], sizes)]
