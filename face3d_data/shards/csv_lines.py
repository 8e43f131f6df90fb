"""Lines of a CSV from columns of cells, as `csv` writes them: quoted only where needed, no cell a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from face3d_data.csv_cells import guarded

_SPECIAL = re.compile(r"""[",\r]|^['=+\-@\t]""", re.MULTILINE)
"""What may have to be quoted or guarded in one of several cells, a line each."""


def cell_text(value: Any) -> str:
    """Return a value as a cell that can follow others; None is empty."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow((guarded(value), ""))
    return out.getvalue()[: -len(",\n")]


def value_cells(values: Iterable[Any]) -> np.ndarray:
    """Return the distinct values of a column as cells, objects (n,)."""
    return np.fromiter(map(cell_text, values), object)


def column_cells(values: Sequence[Any]) -> list[str]:
    """Return some values of a column as cells: all of them texts, or whole numbers, or None."""
    if not all(isinstance(value, str) for value in values):
        return ["" if value is None else str(value) for value in values]
    text = "\n".join(values)
    if _SPECIAL.search(text) or text.count("\n") != len(values) - 1:
        return list(map(cell_text, values))
    return list(values)


def csv_lines(columns: Sequence[Sequence[str]]) -> str:
    r"""Return the lines, each with its `\n`, of columns of cells; nothing where they are empty."""
    lines = "\n".join(map(",".join, zip(*columns, strict=True)))
    return f"{lines}\n" if lines else ""
