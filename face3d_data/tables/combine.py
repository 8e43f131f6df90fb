"""Combine: several manifests become one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.registry import register
from face3d_data.table import FIXED_COLUMNS, TableContext, TableResult, TableStep
from face3d_data.tables.same_person import look_up_names, renamed
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    import pandas as pd


@register
class Combine(TableStep):
    """Join several manifests, and give people with several names one name.

    Duplicate rows are refused. With `same_person`, a row's identity becomes the name that is kept for its person; its
    id and its capture do not change. All rows of a person have to pass through this step: a dataset in which only some
    of them have the name that is kept is refused.
    """

    name = "combine"
    version = 2
    repeatable: ClassVar[bool] = True
    checks_ids: ClassVar[bool] = True

    same_person: tuple[Path, ...] = Field(
        (), description="CSVs of identity and same_as, both <dataset>/<person>: people with several names"
    )

    @field_validator("same_person", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | Path) else () if value is None else value

    def same_person_files(self) -> tuple[Path, ...]:
        """Return `same_person`."""
        return self.same_person

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return all rows in the order of `from`; a tag that a row lacks is None.

        Raises:
            UserError: two rows have the same id, or the same origin and key; or a list of names is missing or wrong.
        """
        import pandas as pd

        tags = sorted({name for frame in frames for name in frame.columns} - set(FIXED_COLUMNS))
        columns = [*FIXED_COLUMNS, *tags]
        values: dict[str, list[Any]] = {
            name: [v for frame in frames for v in (frame[name] if name in frame else [None] * len(frame))]
            for name in columns
        }
        frame = pd.DataFrame({name: pd.Series(column, dtype=object) for name, column in values.items()})
        check_unique(frame, context.step)
        return self._one_name_each(frame, context) if self.same_person else TableResult(frame)

    def _one_name_each(self, frame: pd.DataFrame, context: TableContext) -> TableResult:
        import pandas as pd

        before = frame["identity"].tolist()
        people = set(map(person_of, before))
        names, notes = look_up_names(self.same_person, context.base_dirs, people, f"step {context.step!r}")
        now = {names.get(person, person) for person in people}
        notes.append(f"{len(people)} names are those of {counted(len(now), 'person')}")
        identity = pd.Series(renamed(before, names), dtype=object)
        return TableResult(frame.assign(identity=identity), None, tuple(notes))


def check_unique(frame: pd.DataFrame, step: str) -> None:
    """Check that no two rows have the same id, and no two of one origin the same key.

    Raises:
        UserError: naming both rows and the remedy.
    """
    ids: dict[str, int] = {}
    data: dict[tuple[str, str], int] = {}
    columns = list(zip(frame["id"], frame["origin_id"], frame["key"], strict=True))
    for place, (sample_id, origin, key) in enumerate(columns):
        first = ids.setdefault(sample_id, place)
        if first != place:
            raise UserError(f"step {step!r}: two rows have the id {sample_id!r} {_remedy(frame, first, place)}")
        first = data.setdefault((origin, key), place)
        if first != place:
            raise UserError(
                f"step {step!r}: {columns[first][0]!r} and {sample_id!r} are one capture with the same content "
                f"{_remedy(frame, first, place)}"
            )


def _remedy(frame: pd.DataFrame, first: int, second: int) -> str:
    sources = [frame["source"].iloc[place] for place in (first, second)]
    if sources[0] == sources[1]:
        return f"(both from {sources[0]!r}): it comes here by two ways: take one of them out of 'from', or 'select'"
    return (
        f"(from {sources[0]!r} and {sources[1]!r}): give one source another 'dataset:', or a 'capture_prefix:' if the "
        "people are the same"
    )
