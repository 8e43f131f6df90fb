"""CSV cells that a spreadsheet would run as formulas: written as text by a quote before them, and read back."""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")


def guarded(cell: Any) -> Any:
    """Return a cell as text in which nothing is a formula to a spreadsheet (OWASP, CSV injection): those get a `'`.

    Numbers, also as text, are not formulas. `plain` undoes it.
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _is_number(cell):
        return f"'{cell}"
    return cell


def plain(cell: Any) -> Any:
    """Return a cell as it was before `guarded`."""
    if isinstance(cell, str) and _QUOTED.match(cell) and not _is_number(cell[1:]):
        return cell[1:]
    return cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()
