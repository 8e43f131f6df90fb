"""Label: tags from a CSV, for rows whose files do not have them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from face3d_data.errors import Unreadable, UserError, did_you_mean
from face3d_data.formats.text_bytes import read_text
from face3d_data.names import same_form
from face3d_data.registry import register
from face3d_data.sample import Tag
from face3d_data.table import FIXED_COLUMNS, TableContext, TableResult, TableStep
from face3d_data.tables.csv_text import csv_rows, header_text
from face3d_data.tables.lists import look_up
from face3d_data.tables.split import own_identity, person_of
from face3d_data.tables.unmatched import lines_note, nearest_names

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("sample_id", "origin_id", "identity")
"""Columns that say which rows a line is of: one sample, a capture with all its variants, or a person."""
_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][+-]?[0-9]+)?")
FLAGS: Mapping[str, bool] = {"true": True, "false": False}


@register
class Label(TableStep):
    """Set tags from a CSV: by capture (`origin_id`), sample (`sample_id`) or person (`identity`).

    A column whose cells are all `true` or `false`, whole numbers or decimal numbers has values of that type; any other
    is text, and an empty cell sets nothing. People that `combine` renamed are also found by their original name. The
    tags are visible to `where`, lists and CSVs, not to stages.
    """

    name = "label"
    version = 1
    repeatable: ClassVar[bool] = True

    file: Path = Field(description="CSV of origin_id, sample_id or identity, and a column for each tag")
    tags: tuple[str, ...] = Field(min_length=1, description="columns taken as tags")
    require: bool = Field(False, description="refuse rows without a line")

    @field_validator("tags", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("tags")
    @classmethod
    def _names(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        for name in tags:
            if name in (*FIXED_COLUMNS, *KEYS) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"{name!r} cannot be a tag: use letters, digits and _, and no column's name")
        return tags

    def declared_tags(self) -> tuple[str, ...]:
        """Return the tags that rows have from here on."""
        return self.tags

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return the rows with the tags of their lines.

        Raises:
            UserError: the file does not exist or is not valid, matches nothing, or (with `require`) not everything.
        """
        import pandas as pd

        frame = pd.concat(list(frames), ignore_index=True) if len(frames) > 1 else frames[0].reset_index(drop=True)
        path = look_up(self.file, context.base_dirs)
        if path is None:
            raise UserError(f"step {context.step!r}: file: {self.file} does not exist: correct the path")
        key, lines = read_labels(path, self.tags)
        rows = _names(frame, key, lines)
        matched = [lines.get(row) for row in rows]
        self._check(path, context.step, rows, lines, matched)
        for tag in self.tags:
            old = frame[tag].tolist() if tag in frame else [None] * len(frame)
            new = [(found or {}).get(tag, before) for found, before in zip(matched, old, strict=True)]
            frame[tag] = pd.Series(new, dtype=object)
        return TableResult(frame, None, tuple(_notes(path, rows, lines, matched)))

    def _check(
        self,
        path: Path,
        step: str,
        rows: Sequence[str],
        lines: Mapping[str, Mapping[str, Tag]],
        matched: Sequence[Mapping[str, Tag] | None],
    ) -> None:
        if rows and not any(found is not None for found in matched):
            raise UserError(
                f"step {step!r}: {path}: none of its {len(lines)} lines matches a row ({next(iter(lines))!r} …; "
                f"rows are called {rows[0]!r} …): correct its first column{nearest_names(next(iter(lines)), rows)}"
            )
        lacking = [row for row, found in zip(rows, matched, strict=True) if found is None]
        if self.require and lacking:
            raise UserError(
                f"step {step!r}: {path}: {len(lacking)} of {len(rows)} rows have no line ({lacking[0]} …): add them, "
                "or set require: false"
            )


def _names(frame: pd.DataFrame, key: str, lines: Mapping[str, object]) -> list[str]:
    """Return what a line calls each row: a person by the own name where a line has it, else by the one kept."""
    if key != "identity":
        return frame["id" if key == "sample_id" else "origin_id"].tolist()
    people = map(person_of, frame["identity"])
    own = map(own_identity, frame["origin_id"])
    return [first if first in lines else kept for first, kept in zip(own, people, strict=True)]


def _notes(
    path: Path,
    rows: Sequence[str],
    lines: Mapping[str, Mapping[str, Tag]],
    matched: Sequence[Mapping[str, Tag] | None],
) -> Iterator[str]:
    without = sum(found is None for found in matched)
    if without:
        yield f"{without} of {len(rows)} rows have no line in {path.name}"
    note = lines_note("file", path.name, lines.keys() - set(rows), len(lines), rows)
    if note:
        yield note


def read_labels(path: str | Path, tags: Sequence[str]) -> tuple[str, dict[str, dict[str, Tag]]]:
    """Return which rows the lines are of (one of `KEYS`), and row to tags.

    Args:
        path: the CSV.
        tags: columns to take.

    Raises:
        UserError: naming the file, the line and what is wrong.
    """
    path = Path(path)
    try:
        text = read_text(path)
    except (OSError, Unreadable) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text ({error}): give a CSV") from None
    table = csv_rows(text, str(path))
    header = table[0] if table else []
    key = next((name for name in KEYS if name in header), None)
    lacking = [name for name in tags if name not in header]
    if key is None or lacking or len(set(header)) < len(header):
        wanted = f"{' or '.join(KEYS)}, and {', '.join(tags)}"
        near = did_you_mean(lacking[0], header) if lacking else ""
        raise UserError(f"{path}: line 1: expected {wanted}, each once; found {header_text(header)}{near}")
    lines = [(number, row) for number, row in enumerate(table[1:], 2) if row]
    wrong = next(((number, row) for number, row in lines if len(row) != len(header)), None)
    if wrong is not None or not lines:
        what = f"line {wrong[0]} has {len(wrong[1])} fields, the header {len(header)}" if wrong else "contains no line"
        raise UserError(f"{path}: {what}: correct it")
    return key, _by_row(path, header, key, tags, lines)


def _by_row(
    path: Path, header: list[str], key: str, tags: Sequence[str], lines: list[tuple[int, list[str]]]
) -> dict[str, dict[str, Tag]]:
    columns = dict(zip(header, zip(*(row for _, row in lines), strict=True), strict=True))
    typed = {name: _typed(columns[name]) for name in tags}
    found: dict[str, dict[str, Tag]] = {}
    for place, (number, _) in enumerate(lines):
        row = same_form(columns[key][place])
        if not row or row in found:
            what = f"{row!r} appears twice" if row else f"{key} is empty"
            raise UserError(f"{path}: line {number}: {what}: correct it")
        values = {name: cells[place] for name, cells in typed.items()}
        found[row] = {name: value for name, value in values.items() if value is not None}
    return found


def _typed(cells: Sequence[str]) -> list[Tag | None]:
    """Return a column's values: flags or numbers where all cells are such, else texts; None for empty cells."""
    full = [cell for cell in cells if cell]
    if all(cell in FLAGS for cell in full):
        return [FLAGS[cell] if cell else None for cell in cells]
    if all(_WHOLE.fullmatch(cell) for cell in full):
        return [int(cell) if cell else None for cell in cells]
    if all((_WHOLE.fullmatch(cell) or _NUMBER.fullmatch(cell)) and math.isfinite(float(cell)) for cell in full):
        return [float(cell) if cell else None for cell in cells]
    return [cell or None for cell in cells]
