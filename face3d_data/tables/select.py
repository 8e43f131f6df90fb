"""Select: keep the rows that match a query and lists of ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from face3d_data.errors import UserError
from face3d_data.registry import register
from face3d_data.table import TableContext, TableResult, TableStep
from face3d_data.tables.lists import look_up, read_list
from face3d_data.tables.query import parse_query
from face3d_data.tables.query_rows import matching
from face3d_data.tables.split import own_identity, person_of
from face3d_data.tables.unmatched import lines_note

if TYPE_CHECKING:
    import pandas as pd


@register
class Select(TableStep):
    """Keep the rows that match a query on tags and lists of ids or identities."""

    name = "select"
    version = 2
    repeatable: ClassVar[bool] = True
    reasons: ClassVar[dict[str, str]] = {
        "query": "the row does not match the query, or lacks a tag that it asks for",
        "not_allowed": "the allow list names neither the sample, its capture nor its person",
        "blocked": "the block list names the sample, its capture or its person",
    }

    query: str | None = Field(None, description="query on tags and columns: mask == 'none' and yaw_deg < 30")
    allow: Path | None = Field(None, description="file of ids or identities: only these")
    block: Path | None = Field(None, description="file of ids or identities: not these")

    @field_validator("query")
    @classmethod
    def _of_the_grammar(cls, query: str | None) -> str | None:
        if query:
            parse_query(query)
        return query

    def queries(self) -> tuple[str, ...]:
        """Return `query`."""
        return (self.query,) if self.query else ()

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return the rows that are kept; each other one is dirty with the first reason that applies.

        Raises:
            UserError: the query does not fit the rows, or a list is missing or empty.
        """
        import numpy as np
        import pandas as pd

        frame = pd.concat(list(frames), ignore_index=True) if len(frames) > 1 else frames[0].reset_index(drop=True)
        reasons: list[tuple[str, str]] = [("", "")] * len(frame)
        notes: list[str] = []
        for reason, detail, passes in self._tests(frame, context, notes):
            reasons = [old if old[0] or ok else (reason, detail) for old, ok in zip(reasons, passes, strict=True)]
        keep = np.array([not reason for reason, _ in reasons], dtype=bool)
        left_out = [(i, *why) for i, why in zip(frame["id"], reasons, strict=True) if why[0]]
        dirty = pd.DataFrame(left_out, columns=["id", "reason", "detail"], dtype=object)
        return TableResult(frame[keep].reset_index(drop=True), dirty, tuple(notes))

    def _tests(
        self, frame: pd.DataFrame, context: TableContext, notes: list[str]
    ) -> Iterator[tuple[str, str, Sequence[bool]]]:
        if self.query:
            yield "query", self.query, matching(frame, self.query, f"step {context.step!r}", notes)
        if self.allow:
            yield "not_allowed", self.allow.name, self._listed("allow", self.allow, frame, context, notes)
        if self.block:
            listed = self._listed("block", self.block, frame, context, notes)
            yield "blocked", self.block.name, [not named for named in listed]

    def _listed(
        self, option: str, file: Path, frame: pd.DataFrame, context: TableContext, notes: list[str]
    ) -> list[bool]:
        path = look_up(file, context.base_dirs)
        if path is None:
            raise UserError(f"step {context.step!r}: {option}: {file} does not exist: correct the path")
        wanted = set(read_list(path))
        people = (list(map(person_of, frame["identity"])), list(map(own_identity, frame["origin_id"])))
        columns = (frame["id"], frame["origin_id"], frame["identity"], *people)
        rows = [wanted.intersection(names) for names in zip(*columns, strict=True)]
        known = {name for column in columns for name in column}
        note = lines_note(option, path.name, wanted.difference(*rows), len(wanted), known)
        notes += [note] if note else []
        return [bool(found) for found in rows]
