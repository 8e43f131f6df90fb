"""Lists of ids or identities in files: what `select` allows or blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.text_bytes import read_text
from face3d_data.names import id_of, same_form
from face3d_data.tables.csv_text import csv_rows

COLUMNS = ("sample_id", "origin_id", "identity", "id", "name")
"""Columns that a CSV may hold; the first of these that it has counts."""


def look_up(path: Path, base_dirs: Sequence[Path]) -> Path | None:
    """Return the file that a path names, looked up in `base_dirs` in order where it is relative; None if absent."""
    candidates = [path] if path.is_absolute() else [base / path for base in (*base_dirs, Path())]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def read_list(path: str | Path) -> list[str]:
    """Return the ids or identities in a file: a CSV with one of `COLUMNS`, or text with one on each line.

    In text, blank lines and lines that begin with `#` do not count. Names (`d__anna__1`) are turned into ids.

    Raises:
        UserError: the file is not UTF-8 text, or it is empty.
    """
    path = Path(path)
    try:
        text = read_text(path)
    except Unreadable:
        raise UserError(f"{path}: is not UTF-8 text: write one id or identity per line, or a CSV") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header = next(iter(csv_rows("".join(lines[:1]), str(path))), [])
    column = next((name for name in COLUMNS if name in header), None)
    if column is None:
        entries = [line.strip() for line in lines]
    else:
        place = header.index(column)
        rows = csv_rows("\n".join(lines[1:]), str(path))
        entries = [row[place] if place < len(row) else "" for row in rows if row]
    if not entries:
        raise UserError(f"{path}: contains no id or identity: remove the option, or fill the file")
    return [same_form(entry if "/" in entry else id_of(entry)) for entry in dict.fromkeys(entries)]
