"""Split assignments of people or captures, read from and written to CSVs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_data.names import same_form
from face3d_data.table import TableContext
from face3d_data.tables.csv_text import csv_rows, header_text

DAMAGED_STATE = "it was not written by a split step: move it away, and all people are assigned again"
SPLIT_STATE = "split.csv"
"""Ending of the file in the run's folder in which a split step keeps the places of its last run."""


def read_places(text: str, unit_name: str, where: str) -> dict[str, str]:
    """Return unit to split from a split CSV; its first line may be a `#` header.

    Args:
        text: the file's text.
        unit_name: the column of units: `identity` or `capture`.
        where: what messages name.

    Raises:
        UserError: a column is missing, or one unit has two splits.
    """
    first, _, rest = text.partition("\n")
    rows = csv_rows(rest if first.startswith("#") else text, where)
    header = rows[0] if rows else []
    if unit_name not in header or "split" not in header:
        raise UserError(
            f"{where}: needs the columns {unit_name},split (has {header_text(header)}): freeze the split again"
        )
    columns = header.index(unit_name), header.index("split")
    places: dict[str, str] = {}
    for row in rows[1:]:
        if not row:
            continue
        unit, split = (row[place] if place < len(row) else "" for place in columns)
        unit = same_form(unit)
        if places.setdefault(unit, split) != split:
            raise UserError(f"{where}: {unit!r} is in {places[unit]!r} and in {split!r}: remove one of the lines")
    return places


def read_protocol_state(context: TableContext) -> tuple[str, dict[str, str]]:
    """Return the header and the places of the previous run; nothing where there was none.

    Raises:
        UserError: the file there is not one of these.
    """
    path = context.run_dir / f"{context.step}.{SPLIT_STATE}" if context.run_dir else None
    if path is None or not path.exists():
        return "", {}
    try:
        text = path.read_text("utf-8")
        header = text.partition("\n")[0]
        unit_name = "identity" if parse_json(header.removeprefix("#"))["by"] == "identity" else "capture"
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: {DAMAGED_STATE}") from None
    try:
        places = read_places(text, unit_name, str(path))
        ratios = parse_json(header.removeprefix("#")).get("ratios", {})
    except (UserError, ValueError, AttributeError):
        raise UserError(f"{path}: {DAMAGED_STATE}") from None
    strange = sorted(set(places.values()) - set(ratios)) if isinstance(ratios, dict) and ratios else []
    if strange:
        raise UserError(f"{path}: names the split {strange[0]!r}, which its first line has not: {DAMAGED_STATE}")
    return header, places


def write_state(header: str, unit_name: str, places: Mapping[str, str]) -> str:
    """Return the text of a state: its header, and a line for each unit, sorted."""
    out = io.StringIO()
    out.write(header + "\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((unit_name, "split"))
    writer.writerows(sorted(places.items()))
    return out.getvalue()
