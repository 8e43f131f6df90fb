"""CSV lists from other programs: rows with their line numbers, or one line on what is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from face3d_data.errors import UserError

SHOWN = 12
SHOWN_CHARS = 40


def csv_rows(text: str, where: str) -> list[list[str]]:
    """Return the rows of a CSV text, blank ones as empty lists.

    Args:
        text: the whole text.
        where: what messages name.

    Raises:
        UserError: naming the line.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        return list(reader)
    except csv.Error as error:
        raise UserError(f"{where}, line {reader.line_num + 1}: is not a CSV ({error}): correct it") from None


def header_text(names: Sequence[str]) -> str:
    """Return the names of columns as messages show them: on one line, and not more than that takes."""
    shown = [name if name.isprintable() else repr(name)[1:-1] for name in names[:SHOWN]]
    cut = [name if len(name) <= SHOWN_CHARS else f"{name[:SHOWN_CHARS]}…" for name in shown]
    return ",".join(cut) + (",…" if len(names) > SHOWN else "") or "nothing"
