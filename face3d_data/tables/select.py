"""Select: keep the rows that a query and lists of ids let through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_data.errors import UserError
from face3d_data.registry import register
from face3d_data.table import TableContext, TableResult, TableStep
from face3d_data.tables.lists import look_up, read_list
from face3d_data.tables.split import own_identity, person_of

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = ["key", "place"]
"""Columns that a query does not see: what they hold is nobody's business."""


@register
class Select(TableStep):
    """Keep the rows that a query on tags and lists of ids or identities let through."""

    name = "select"
    version = 1
    reasons: ClassVar[dict[str, str]] = {
        "query": "the row does not match the query, or lacks a tag that it asks for",
        "not_allowed": "the allow list names neither the sample, its capture nor its person",
        "blocked": "the block list names the sample, its capture or its person",
    }

    query: str | None = Field(None, description="pandas query on tags and columns: mask == 'none' and yaw_deg < 30")
    allow: Path | None = Field(None, description="file of ids or identities: only these")
    block: Path | None = Field(None, description="file of ids or identities: not these")

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return the rows kept; each other one is dirty with the first reason that holds.

        Raises:
            UserError: the query cannot be evaluated, or a list is missing or empty.
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
            yield "query", self.query, matching(frame, self.query, f"step {context.step!r}")
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
            raise UserError(f"step {context.step!r}: {option}: {file} is not there: correct the path")
        wanted = set(read_list(path))
        people = (map(person_of, frame["identity"]), map(own_identity, frame["origin_id"]))
        columns = (frame["id"], frame["origin_id"], frame["identity"], *people)
        rows = [wanted.intersection(names) for names in zip(*columns, strict=True)]
        unused = wanted.difference(*rows)
        if unused:
            notes.append(f"{option}: {len(unused)} of {len(wanted)} lines of {path.name} name no row ({min(unused)} …)")
        return [bool(found) for found in rows]


def matching(frame: pd.DataFrame, query: str, where: str) -> list[bool]:
    """Return for each row whether it matches a pandas query; a row that lacks a tag it asks for does not.

    Args:
        frame: a manifest.
        query: an expression on its columns.
        where: what the message names first.

    Raises:
        UserError: the query cannot be evaluated, or its result is not true or false.
    """
    import pandas as pd

    if not len(frame):
        return []
    visible = frame.drop(columns=HIDDEN, errors="ignore").convert_dtypes()
    try:
        result = visible.eval(query, engine="python")
    except Exception as error:  # the query is the user's code: whatever it raises is theirs to mend
        raise UserError(
            f"{where}: query {query!r}: {str(error).splitlines()[0]} (columns: {', '.join(visible.columns)})"
        ) from None
    if not isinstance(result, pd.Series) or not pd.api.types.is_bool_dtype(result.dtype):
        raise UserError(f"{where}: query {query!r} is not true or false for each row: compare with ==, <, in")
    return result.fillna(False).astype(bool).tolist()
