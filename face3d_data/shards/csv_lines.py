"""CSV texts as `csv` writes them, from rows or from columns of cells: quoted only where needed, no cell a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from face3d_data.csv_cells import guarded

QUOTED = ('"', ",", "\r", "\n")
"""What a cell with it may be quoted for."""
FORMULAS = frozenset("'=+-@\t")
"""What a cell that begins with it may be guarded for."""


def cell_text(value: Any) -> str:
    """Return a value as a cell that can follow others; None is empty."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow((guarded(value), ""))
    return out.getvalue()[: -len(",\n")]


def column_cells(values: Sequence[Any]) -> list[str]:
    """Return some values of a column as cells; None is empty."""
    types = set(map(type, values))
    if types <= {int, type(None)}:
        return ["" if value is None else str(value) for value in values]
    if types == {str}:
        text = "".join(values)
        if not any(mark in text for mark in QUOTED) and FORMULAS.isdisjoint([value[:1] for value in values]):
            return list(values)
    return list(map(cell_text, values))


def csv_lines(columns: Sequence[Sequence[str]]) -> str:
    r"""Return the lines, each with its `\n`, of columns of cells; nothing where they are empty."""
    lines = "\n".join(map(",".join, zip(*columns, strict=True)))
    return f"{lines}\n" if lines else ""


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""Return a CSV with `\n` ends, quoted only where needed; what a spreadsheet would run is written as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(map(guarded, row) for row in rows)
    return out.getvalue()
