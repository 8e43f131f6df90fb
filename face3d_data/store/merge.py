"""Merging of parts: small ones become one of about 64 MB, however many rows the tasks took that wrote them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from face3d_data.store.add_part import add_part
from face3d_data.store.part import NO_RECORD, PartRow, read_part_rows
from face3d_data.store.part_arrays import PartArrays, check_arrays
from face3d_data.store.rows_index import index_path

PART_BYTES = 64_000_000
"""Size of a part: of one task's arrays no more are held before they are written, and smaller parts are merged to it."""
SMALL_BYTES = PART_BYTES // 2
MERGED_FROM = 8
"""With this number of small parts a step has them merged; fewer wait for more."""


def part_bytes(rows: Path) -> int:
    """Return the size of a part's files, given its `.jsonl`."""
    arrays = rows.with_suffix(".h5")
    return rows.stat().st_size + (arrays.stat().st_size if arrays.exists() else 0)


def small_parts(folder: Path) -> list[list[Path]]:
    """Return the parts of a folder that are worth merging, by their `.jsonl`: each list becomes one part."""
    sizes = {path: part_bytes(path) for path in sorted(folder.glob("*.jsonl"))}
    small = [(path, size) for path, size in sizes.items() if size < SMALL_BYTES]
    return [block for block in blocks(small) if len(block) > 1] if len(small) >= MERGED_FROM else []


def blocks(sizes: Sequence[tuple[Path, int]]) -> Iterator[list[Path]]:
    """Yield parts together that make one of about `PART_BYTES`, given the size of each."""
    block: list[Path] = []
    size = 0
    for path, more in sizes:
        if block and size + more > PART_BYTES:
            yield block
            block, size = [], 0
        block.append(path)
        size += more
    if block:
        yield block


def merge_parts(parts: Sequence[Path], counts: Callable[[str], bool] = lambda key: True) -> str:
    """Write one part with the rows of several, then remove these: nobody else may hold places in them.

    Of the rows of one input that several parts have, the newest are kept, of equally new ones those with arrays.

    Args:
        parts: the `.jsonl` of each, in one folder.
        counts: says by input key whether rows are kept.

    Returns:
        The name of the part, empty where no row is kept.

    Raises:
        BadPart: one of them is damaged; nothing was changed.
    """
    chosen: dict[str, tuple[tuple[int, bool], Path, list[PartRow]]] = {}
    for part in sorted(parts):
        for key, rows in itertools.groupby(read_part_rows(part), key=lambda row: row.input):
            group = list(rows)
            rank = (group[0].attempt, group[0].stored)
            if counts(key) and (key not in chosen or rank > chosen[key][0]):
                chosen[key] = (rank, part, group)
    written = _write(parts[0].parent, [(part, group) for _, part, group in chosen.values()]) if chosen else ""
    for part in parts:
        if part.stem != written:
            remove_part(part)
    return written


def remove_part(rows: Path) -> None:
    """Remove a part, given its `.jsonl`: first that, without which the rest does not count."""
    for path in (rows, rows.with_suffix(".h5"), index_path(rows)):
        path.unlink(missing_ok=True)


def _write(folder: Path, groups: Sequence[tuple[Path, list[PartRow]]]) -> str:
    """Write a part of groups of rows, each with the `.jsonl` of its part; those of one part follow one another."""
    rows: list[PartRow] = []
    records: list[dict[str, np.ndarray]] = []
    for part, several in itertools.groupby(groups, key=lambda group: group[0]):
        arrays: PartArrays | None = None
        for row in (row for _, group in several for row in group):
            if row.record == NO_RECORD:
                rows.append(row)
                continue
            if arrays is None:
                check_arrays(part.with_suffix(".h5"))
                arrays = PartArrays(part.with_suffix(".h5"))
            rows.append(replace(row, record=len(records)))
            records.append(arrays.record(row.record, row.held))
    return add_part(folder, rows, records)
