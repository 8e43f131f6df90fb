"""Limit on the captures per person and the people or captures per source, or as many from each source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from face3d_data.errors import UserError, did_you_mean
from face3d_data.registry import register
from face3d_data.table import TableContext, TableResult, TableStep
from face3d_data.tables.caps import Capture, over_captures, over_people, over_per_person, people_and_captures
from face3d_data.tables.protocol import wears_mask
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    import pandas as pd

Most = int | dict[str, int] | None
SOURCES_TOLD = 6
"""With more sources than this, notes do not list each one."""


@register
class Limit(TableStep):
    """Limit the captures per person and the people or captures per source, or keep as many from each source.

    A capture stays or goes with all its variants. Who stays depends only on digest(seed, name): one new person replaces
    at most one other of the source, and with `captures_per_source` as many captures as they have. First the captures of
    each person are limited, then the people and the captures of each source, and what is left is balanced.
    """

    name = "limit"
    version = 1
    repeatable: ClassVar[bool] = True
    reasons: ClassVar[dict[str, str]] = {
        "over_the_cap": "its person or source has more captures, or its source more people, than are wanted",
        "over_the_balance": "its source has more people or captures than the one that has the fewest",
    }

    captures_per_person: int | None = Field(None, ge=1, description="maximum captures per person, over all sources")
    people_per_source: Most = Field(None, description="maximum people per source: a number, or {source: number}")
    captures_per_source: Most = Field(None, description="maximum captures per source: a number, or {source: number}")
    balance: Literal["none", "people", "captures"] = Field(
        "none", description="take as many people, or captures, from every source as from the smallest"
    )
    by: Literal["source", "dataset"] = Field("source", description="what counts as a source")
    keep_masked_share: bool = Field(
        False, description="keep the share of masked captures, or of people with masked captures"
    )

    @field_validator("people_per_source", "captures_per_source", mode="before")
    @classmethod
    def _whole_numbers(cls, value: Any) -> Any:
        numbers = value.values() if isinstance(value, dict) else [] if value is None else [value]
        if any(isinstance(number, bool) or not isinstance(number, int) or number < 1 for number in numbers):
            raise ValueError("give a whole number from 1 on, or one for each source: {source: 50}")
        return value

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return the rows of the captures that stay; each other one is dirty.

        Args:
            frames: upstream manifests; several are put one after the other.
            context: its seed decides who stays.

        Raises:
            UserError: a cap is for a source that no row is from.
        """
        import numpy as np
        import pandas as pd

        frame = pd.concat(list(frames), ignore_index=True)
        captures = captures_of(frame, self.by)
        left_out: dict[str, tuple[str, str]] = {}
        for reason, beyond in self._caps(captures, left_out, context):
            left_out |= {capture.origin_id: (reason, detail) for capture, detail in beyond}
        origins = frame["origin_id"].tolist()
        keep = np.array([origin not in left_out for origin in origins], dtype=bool)
        lost = [(i, *left_out[o]) for i, o in zip(frame["id"], origins, strict=True) if o in left_out]
        dirty = pd.DataFrame(lost, columns=["id", "reason", "detail"], dtype=object)
        notes = _kept(captures, [capture for capture in captures if capture.origin_id not in left_out])
        return TableResult(frame[keep].reset_index(drop=True), dirty, tuple(notes))

    def _caps(
        self, captures: Sequence[Capture], left_out: Mapping[str, Any], context: TableContext
    ) -> Iterator[tuple[str, Iterator[tuple[Capture, str]]]]:
        """Yield reason and captures that go, cap by cap, each judged by what the ones before have left."""
        seed, share = context.seed, self.keep_masked_share
        sources = sorted({capture.source for capture in captures})

        def left() -> list[Capture]:
            return [capture for capture in captures if capture.origin_id not in left_out]

        if self.captures_per_person is not None:
            yield "over_the_cap", over_per_person(left(), self.captures_per_person, seed, share)
        if self.people_per_source is not None:
            most = _of_each(self.people_per_source, sources, context.step, "people_per_source")
            yield "over_the_cap", over_people(left(), most, seed, share, "people_per_source")
        if self.captures_per_source is not None:
            most = _of_each(self.captures_per_source, sources, context.step, "captures_per_source")
            yield "over_the_cap", over_captures(left(), most, seed, share, "captures_per_source")
        if self.balance != "none" and sources:
            counts = people_and_captures(left())
            over, which = {"people": (over_people, 0), "captures": (over_captures, 1)}[self.balance]
            most = dict.fromkeys(sources, min(count[which] for count in counts.values()))
            yield "over_the_balance", over(left(), most, seed, share, f"balance of {self.balance}")


def captures_of(frame: pd.DataFrame, by: str) -> list[Capture]:
    """Return the captures of a manifest in the order of its rows.

    Args:
        frame: a manifest.
        by: `source` or `dataset`: what counts as a source.
    """
    unmasked = {origin for origin, masked in zip(frame["origin_id"], wears_mask(frame), strict=True) if not masked}
    columns = zip(*(frame[name].tolist() for name in ("origin_id", "identity", by)), strict=True)
    found = {
        origin: Capture(origin, person_of(identity), source, origin not in unmasked)
        for origin, identity, source in columns
    }
    return list(found.values())


def _of_each(most: int | dict[str, int], sources: Sequence[str], step: str, option: str) -> dict[str, int]:
    if isinstance(most, int):
        return dict.fromkeys(sources, most)
    unknown = sorted(set(most) - set(sources))
    if unknown:
        raise UserError(
            f"step {step!r}: {option}: no row is from {unknown[0]!r} (there are: {', '.join(sources) or 'none'}): "
            f"correct it, or leave it out{did_you_mean(unknown[0], sources)}"
        )
    return most


def _kept(before: Sequence[Capture], after: Sequence[Capture]) -> Iterator[str]:
    """Yield a line for each source that lost something."""
    had, have = people_and_captures(before), people_and_captures(after)
    fewer = [source for source in sorted(had) if have.get(source) != had[source]]
    for source in fewer if len(fewer) <= SOURCES_TOLD else ():
        (people, captures), (of_people, of_captures) = have.get(source, (0, 0)), had[source]
        yield f"{source}: {people} of {of_people} people, {captures} of {of_captures} captures stay"
    if len(fewer) > SOURCES_TOLD:
        yield f"{len(fewer)} of {len(had)} sources: {len(after)} of {len(before)} captures stay"
