"""Rows of a step's parts in columns, by input key, read from the indexes of parts where these fit, or from the parts.

An index is never believed over its part: it records the state of the part's files, and one that is missing, torn, of
another version, or of files that changed since, is passed over and made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import digest
from face3d_data.errors import TOO_LARGE, RunStopped
from face3d_data.store.coded import MISSING, Coded
from face3d_data.store.newest_rows import group_starts, newest_rows, order_of
from face3d_data.store.part import RETRIED, BadPart, PartRow, read_part_rows
from face3d_data.store.rows_index import (
    STATE,
    TEXTS,
    VALUES,
    RowTable,
    index_path,
    load_table,
    part_state,
    save_table,
    table_of,
)

LISTED = 5
"""How often a folder is listed whose parts go away while they are read, because another process merges them."""
INDEXED_ROWS = 1024
INDEXED_BYTES = 16_000_000
"""A part with as many rows, or with as many bytes, has an index; a smaller one is read quickly."""


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
        self._starts = np.append(group_starts(inputs), len(inputs))
        self._inputs = inputs[self._starts[:-1]]
        self._order = order_of(self._inputs)

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
        numbers = order_of(wanted)
        order = np.argsort(numbers)  # so that the search goes through the rows once, not here and there
        places = np.empty(len(keys), np.int64)
        places[order] = np.searchsorted(self._order, numbers[order])
        places[places == len(self._inputs)] = 0
        found = np.where(self._inputs[places] == wanted, places, MISSING)
        # Among the rows of a number that several keys have, the first alone was compared.
        for i in np.flatnonzero((found == MISSING) & (self._order[places] == numbers)).tolist():
            stop = np.searchsorted(self._order, numbers[i], "right")
            equal = np.flatnonzero(self._inputs[places[i] : stop] == wanted[i])
            found[i] = places[i] + equal[0] if len(equal) else MISSING
        return found

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

    def by_input(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the input keys, S (n,), and for each the place in `paths` of its rows' part, and how many they are."""
        return self._inputs, self._columns["part"][self._starts[:-1]], np.diff(self._starts)

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
        if len(self._values[name]) == 1:
            return Coded(np.broadcast_to(np.int32(0), len(rows)), self._values[name])  # takes no room
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


def read_rows(folder: Path, keep: bool, written: Iterable[str] = ()) -> tuple[StepRows, list[BadPart]]:
    """Return the rows of a step's parts, and the parts that are bad, which count as absent.

    Args:
        folder: the parts.
        keep: write the indexes that large parts lack.
        written: names of parts that must be there, whether or not the folder's listing has them yet.

    Raises:
        RunStopped: a part cannot be read, which says nothing of what it holds, or one that was written is not here.
    """
    named = {folder / f"{name}.jsonl" for name in written}
    for _ in range(LISTED):
        tables, bad = [], []
        for path in sorted(named.union(folder.glob("*.jsonl"))):
            try:
                tables.append(_read(path, keep))
            except BadPart as error:
                bad.append(error)
        gone = [error.path for error in bad if not error.path.with_suffix(".jsonl").exists()]
        if not gone:
            break
        if named.intersection(gone):
            raise RunStopped(
                f"{gone[0]} was written by a worker and is not here: let all workers mount the workspace under one "
                "path, and run again"
            )
    return StepRows(folder, newest_rows(tables)), bad


def _read(path: Path, keep: bool) -> RowTable:
    """Return the rows of a part, given its `.jsonl`."""
    state, index = part_state(path), index_path(path)
    table = load_table(index, state)
    if table is None:
        table = table_of(path.stem, state, read_part_rows(path))
        if keep and is_indexed(table):
            save_table(index, table)
    return table


def is_indexed(table: RowTable) -> bool:
    """Return whether a part is large enough to have an index."""
    sizes = table.states[0][:: STATE // 2]
    return len(table.columns["input"]) >= INDEXED_ROWS or int(sizes.sum()) >= INDEXED_BYTES


def parts_digest(folder: Path) -> str:
    """Return a digest of the state of all parts in a folder: while it is the same, so is what `read_rows` gives."""
    return digest(sorted([path.name, *part_state(path)] for path in folder.glob("*.jsonl")))
