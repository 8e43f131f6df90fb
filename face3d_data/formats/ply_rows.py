"""The body of a PLY file: rows of scalars and lists, as columns, without a loop over rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.number_text import TextLines, split_lines

_BLOCK = 1 << 18
_NEEDED = ("x", "y", "z")
"""Properties without which there is no point; colours and others cost themselves alone."""


@dataclass(frozen=True)
class Property:
    """One property: `dtype` of its value or of a list's items, and `count` of the list's length (nothing: no list)."""

    name: str
    dtype: str
    count: str = ""


@dataclass(frozen=True)
class Element:
    """One element: `count` rows of the same properties."""

    name: str
    count: int
    properties: list[Property]


@dataclass
class ElementRows:
    """An element's rows: scalars as arrays (n,), lists as (items of all rows, where each row's begin, how many)."""

    columns: dict[str, np.ndarray] = field(default_factory=dict)
    lists: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)


def read_text_rows(data: bytes, lines_before: int, elements: Sequence[Element], name: str) -> list[ElementRows]:
    """Return the rows of elements in a text, a row a line.

    Args:
        data: the body of the file.
        lines_before: lines of the header.
        elements: in the order of the file.
        name: the file's name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line.
    """
    lines = split_lines(data, lines_before)
    out, first = [], 0
    for element in elements:
        if first + element.count > len(lines.starts):
            last = int(lines.numbers[-1]) if len(lines.numbers) else lines_before
            has = len(lines.starts) - first
            raise Unreadable("unreadable", f"{name}: line {last}: {has} of {element.count} rows of {element.name}")
        out.append(_text_rows(lines, slice(first, first + element.count), element, name))
        first += element.count
    return out


def _text_rows(lines: TextLines, chosen: slice, element: Element, name: str) -> ElementRows:
    values, words = lines.parse(chosen, name), lines.counts[chosen]
    at = np.cumsum(words) - words
    ends = at + words
    rows = ElementRows()
    for prop in element.properties:
        # What a row is too short for is found after the loop; until then its last word stands for it.
        found = values[np.clip(at, 0, len(values) - 1)] if len(values) else np.zeros(0)
        if prop.count:
            sizes = np.where((found >= 0) & (found <= words), found, -(2**40)).astype(np.int64)
            rows.lists[prop.name] = (values, at + 1, sizes)
            at = at + 1 + sizes
        else:
            rows.columns[prop.name] = found
            at = at + 1
    wrong = np.flatnonzero(at != ends)
    if len(wrong):
        line = lines.numbers[chosen][wrong[0]]
        raise Unreadable("unreadable", f"{name}: line {line}: {words[wrong[0]]} numbers do not make a {element.name}")
    for prop in element.properties:
        where = f"{name}: {element.name}: {prop.name}"
        if prop.count:
            flat, starts, sizes = rows.lists[prop.name]
            rows.lists[prop.name] = _list_of(flat, starts, sizes, prop.dtype, where)
        else:
            rows.columns[prop.name] = _cast_scalar(rows.columns[prop.name], prop, where)
    return rows


def _list_of(
    flat: np.ndarray, starts: np.ndarray, sizes: np.ndarray, dtype: str, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    begins = np.cumsum(sizes) - sizes
    at = np.arange(int(sizes.sum())) + np.repeat(starts - begins, sizes)
    return _cast(flat[at], dtype, where), begins, sizes


def _cast(values: np.ndarray, dtype: str, where: str) -> np.ndarray:
    """Return numbers of a text in their declared type.

    Raises:
        Unreadable: one is outside it.
    """
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return values.astype(kind)
    limits = np.iinfo(kind)
    if not ((values >= limits.min) & (values <= float(limits.max)) & (values == np.floor(values))).all():
        raise Unreadable("unreadable", f"{where}: a number is not of type {kind.name}")
    return values.astype(kind)


def _cast_scalar(values: np.ndarray, prop: Property, where: str) -> np.ndarray:
    """Return a property's numbers in their declared type, as they are where one does not fit and no point needs it."""
    try:
        return _cast(values, prop.dtype, where)
    except Unreadable:
        if prop.name in _NEEDED:
            raise
        return values


def read_binary_rows(data: bytes, offset: int, elements: Sequence[Element], order: str, name: str) -> list[ElementRows]:
    """Return the rows of elements in binary.

    Args:
        data: the file.
        offset: where the body begins.
        elements: in the order of the file.
        order: `<` or `>`.
        name: the file's name, for errors.

    Raises:
        Unreadable: `unreadable`, with the byte.
    """
    out = []
    for element in elements:
        where = f"{name}: byte {offset}"
        # A row has a byte at least, or none is needed: so no count can ask for more than the file holds.
        if element.properties and element.count > len(data) - offset:
            has = len(data) - offset
            raise Unreadable(
                "unreadable", f"{where}: {has} bytes for {element.count} rows of {element.name}: truncated?"
            )
        rows, offset = _alike_rows(data, offset, element, order, where) or _mixed_rows(
            data, offset, element, order, where
        )
        out.append(rows)
    return out


def _alike_rows(data: bytes, offset: int, element: Element, order: str, where: str) -> tuple[ElementRows, int] | None:
    """Return the rows and where they end, if the lists of all rows are as long as those of the first; else None."""
    fields: list[tuple[str, str] | tuple[str, str, int]] = []
    lengths: dict[str, int] = {}
    at = offset
    for prop in element.properties:
        size = 1
        if prop.count:
            kind = np.dtype(order + prop.count)
            size = int(np.frombuffer(data[at : at + kind.itemsize].ljust(kind.itemsize, b"\0"), kind)[0])
            lengths[prop.name] = size
            fields.append((f"{prop.name} count", order + prop.count))
            at += kind.itemsize
        if element.count == 0 and prop.count:
            size = 0
        if not 0 <= size <= len(data) - at:
            return None
        fields.append((prop.name, order + prop.dtype, size) if prop.count else (prop.name, order + prop.dtype))
        at += size * np.dtype(prop.dtype).itemsize
    if not fields:
        return ElementRows(), offset
    layout = np.dtype(fields)
    end = offset + layout.itemsize * element.count
    if end > len(data):
        if lengths:
            return None
        whole = (len(data) - offset) // layout.itemsize
        raise Unreadable("unreadable", f"{where}: {whole} of {element.count} rows of {element.name}: truncated?")
    table = np.frombuffer(data, layout, element.count, offset)
    if any((table[f"{key} count"] != length).any() for key, length in lengths.items()):
        return None
    rows = ElementRows({prop.name: table[prop.name] for prop in element.properties if not prop.count})
    for key, length in lengths.items():
        begins = np.arange(element.count) * length
        rows.lists[key] = (table[key].reshape(-1), begins, np.full(element.count, length))
    return rows, end


def _mixed_rows(data: bytes, offset: int, element: Element, order: str, where: str) -> tuple[ElementRows, int]:
    """Return rows whose lists differ in length, and where they end."""
    array = np.frombuffer(data, np.uint8)

    def advance(at: np.ndarray) -> np.ndarray:
        for prop in element.properties:
            at, sizes, item = _step(array, at, prop, order)
            at = at + sizes * item
        return at

    starts = follow(advance, offset, len(data), element.count)
    if len(starts) < element.count or (element.count and int(advance(starts[-1:])[0]) > len(data)):
        cut = int(starts[-1]) if len(starts) else offset
        raise Unreadable(
            "unreadable", f"{where}: {element.name}: the row at byte {cut} goes beyond the end: truncated?"
        )
    rows, at = ElementRows(), starts
    for prop in element.properties:
        at, sizes, item = _step(array, at, prop, order)
        if prop.count:
            begins = np.cumsum(sizes) - sizes
            places = np.repeat(at, sizes) + (np.arange(int(sizes.sum())) - np.repeat(begins, sizes)) * item
            rows.lists[prop.name] = (_values(array, places, order + prop.dtype), begins, sizes)
        else:
            rows.columns[prop.name] = _values(array, at, order + prop.dtype)
        at = at + sizes * item
    return rows, int(at[-1]) if element.count else offset


def _step(array: np.ndarray, at: np.ndarray, prop: Property, order: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Return where a property's values begin in rows that have it at `at`, how many they are, and their size."""
    item = np.dtype(prop.dtype).itemsize
    if not prop.count:
        return at, np.ones(len(at), np.int64), item
    sizes = _values(array, at, order + prop.count).astype(np.int64)
    # One that is negative or absurd goes beyond the end, and is found there.
    sizes = np.where((sizes >= 0) & (sizes <= len(array)), sizes, len(array))
    return at + np.dtype(prop.count).itemsize, sizes, item


def _values(array: np.ndarray, at: np.ndarray, dtype: str) -> np.ndarray:
    """Return the values at some bytes; beyond the end, what is there last."""
    size = np.dtype(dtype).itemsize
    places = np.minimum(at[:, None] + np.arange(size), len(array) - 1)
    return np.ascontiguousarray(array[places]).view(dtype)[:, 0]


def follow(advance: Callable[[np.ndarray], np.ndarray], start: int, end: int, n_rows: int) -> np.ndarray:
    """Return where rows of differing length begin, each where the one before it ends.

    For each place of a block it is asked at once where a row there would end; following these jumps doubled and
    doubled again gives all rows of the block in a few steps of NumPy.

    Args:
        advance: places int (n,) to the ends of rows that would begin there; an end is beyond its beginning.
        start: of the first row.
        end: no row begins there or later.
        n_rows: how many rows there are.

    Returns:
        int (n_rows,), or fewer where the rows go beyond `end`.
    """
    found: list[np.ndarray] = []
    left, at = n_rows, start
    while left > 0 and at < end:
        stop = min(at + _BLOCK, end)
        jump = np.append(np.minimum(advance(np.arange(at, stop)), stop), stop) - at
        places = np.zeros(1, np.int64)
        while len(places) < left and at + places[-1] < stop:
            places = np.concatenate([places, jump[places]])
            jump = jump[jump]
        places = places[at + places < stop][:left] + at
        found.append(places)
        left -= len(places)
        at = int(advance(places[-1:])[0])
    return np.concatenate(found) if found else np.zeros(0, np.int64)
