"""Split: who is in train, eval and test, kept from run to run."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from face3d_data.digest import canonical
from face3d_data.registry import register
from face3d_data.table import TableContext, TableResult, TableStep
from face3d_data.tables.assign import assign, exact
from face3d_data.tables.frozen import Frozen, assign_listed, by_any_name, read_frozen
from face3d_data.tables.places import SPLIT_STATE, read_protocol_state, write_state
from face3d_data.tables.strata import strata_of

if TYPE_CHECKING:
    import pandas as pd

SUM_TOLERANCE = Fraction(1, 1_000_000)
RESERVED = ("dirty", "pairs", "gallery", "probe", "sources")
"""Names that a dataset's other CSVs have."""
RATIOS = {"train": 0.7, "eval": 0.1, "test": 0.2}
STRATA_TOLD = 6
"""With more strata than this, notes do not list each one."""


def person_of(identity: str) -> str:
    """Return the person behind an identity: `d/anna~mirror` is `d/anna`."""
    return identity.partition("~")[0]


def own_identity(sample_id: str) -> str:
    """Return the person in the id of a sample or capture, by the original name: `d/anna/7` is `d/anna`."""
    return sample_id.partition("~")[0].rpartition("/")[0]


def fold_name(number: int) -> str:
    """Return the name of the split that is a fold of a cross-validation, counted from 1."""
    return f"fold-{number}"


@register
class Split(TableStep):
    """Assign whole people (or captures, for a closed set) to train, eval and test, and keep them there.

    With `stratify`, each split gets its share of every stratum, for example of every source and of the people with
    masked captures. Earlier assignments are kept; another `stratify` is another draw. With `folds` there are equal
    splits, each of which is the test of one network: `face3d train --fold`.
    """

    name = "split"
    version = 4
    repeatable: ClassVar[bool] = True
    assigns: ClassVar[tuple[str, ...]] = ("split",)
    reasons: ClassVar[dict[str, str]] = {"too_few_captures": "the person has fewer captures than min_captures"}

    by: Literal["identity", "capture"] = Field(
        "identity",
        description="unit that stays together: a person, or a capture (closed set: people are in every split)",
    )
    ratios: dict[str, float] = Field(default=RATIOS, description="share of people (or captures) of each split")
    frozen: Path | None = Field(None, description="CSV of identity (or capture) and split, which takes precedence")
    only_listed: bool = Field(
        False, description="splits named by frozen contain only those listed; all others go to other splits"
    )
    stratify: tuple[str, ...] = Field(
        (), description="attributes to balance over splits: source, dataset, masked (people with masked captures), tags"
    )
    min_captures: int = Field(1, ge=1, description="minimum captures per person; people with fewer are left out")
    folds: int | None = Field(
        None, ge=2, le=100, description="equal splits fold-1 … fold-N instead of ratios, for cross-validation"
    )

    @field_validator("stratify", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else () if value is None else value

    @field_validator("ratios")
    @classmethod
    def _shares(cls, ratios: dict[str, float]) -> dict[str, float]:
        for name, ratio in ratios.items():
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name) or name in RESERVED:
                raise ValueError(f"{name!r} cannot be a split's name: letters, digits and '-', not {RESERVED}")
            if not 0 <= ratio <= 1:
                raise ValueError(f"the ratio of {name!r} is {ratio}: give shares from 0 to 1")
        total = sum((exact(ratio) for ratio in ratios.values()), Fraction())
        if abs(total - 1) > SUM_TOLERANCE:
            raise ValueError(f"the ratios sum to {float(total):g}: make them sum to 1")
        return ratios

    @model_validator(mode="after")
    def _folds_or_ratios(self) -> Self:
        if self.folds is not None and "ratios" in self.model_fields_set and self.ratios != RATIOS:
            raise ValueError("folds and ratios exclude each other: folds are equal splits: leave out 'ratios'")
        if self.folds is not None and self.by == "capture":
            raise ValueError("folds: of a cross-validation are of whole people: use 'by: identity'")
        return self

    @model_validator(mode="after")
    def _a_list_to_keep_to(self) -> Self:
        if self.only_listed and self.frozen is None:
            raise ValueError("only_listed: true needs a list: give 'frozen'")
        return self

    @property
    def shares(self) -> dict[str, Fraction]:
        """Share of the people (or captures) of each split."""
        if self.folds is not None:
            return {fold_name(number): Fraction(1, self.folds) for number in range(1, self.folds + 1)}
        return {name: exact(ratio) for name, ratio in self.ratios.items()}

    def keeps_together(self) -> str:
        """Return `by`."""
        return self.by

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the frozen file where it is there; a missing one is reported by `run`, which knows the remedy."""
        yield from ((label, path) for label, path in super().content_files() if path.exists())

    def columns_read(self) -> tuple[str, ...] | None:
        """Return what places rest on; with `stratify` all columns, of which it names some."""
        return None if self.stratify else ("id", "identity", "origin_id", "split")

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return the rows with `split` set, and the places as state for the next run.

        Args:
            frames: upstream manifests; several are put one after the other.
            context: `seed` and, for the places of the previous run, `run_dir`.

        Raises:
            UserError: the frozen file is missing or does not fit, or a name in `stratify` is not a column.
        """
        import pandas as pd

        frame, dirty, notes = self._enough(pd.concat(list(frames), ignore_index=True))
        people = _people_of(frame)
        units = people if self.by == "identity" else frame["origin_id"].tolist()
        names = self._names(frame, units)
        header = self._header(context.seed)
        old_header, old = read_protocol_state(context)
        kept = {**old, **by_any_name(old, names)} if old_header == header else {}
        frozen = self._frozen(context, names)
        kept |= {**frozen.lines, **frozen.found} if frozen is not None else {}
        strata = strata_of(frame, units, self.stratify, f"step {context.step!r}") if self.stratify else {}
        groups, even = self._groups(people, units, strata), bool(strata)
        if frozen is not None and self.only_listed:
            places = assign_listed(groups, self.shares, kept, context.seed, even, frozen, context.step)
        else:
            places = assign(groups, self.shares, kept, context.seed, even)
        notes += [*_moved(old, places, names, self._unit_name), *self._balance(places, strata)]
        notes += [*frozen.notes, *frozen.topped_up(places)] if frozen is not None else []
        state = write_state(header, self._unit_name, {**kept, **places})
        return TableResult(
            frame.assign(split=[places[unit] for unit in units]), dirty, tuple(notes), {SPLIT_STATE: state}
        )

    def _header(self, seed: int) -> str:
        """Return the line that says by what places were drawn: with another one they are drawn again."""
        shares = {"ratios": self.ratios} if self.folds is None else {"folds": self.folds}
        drawn_by: dict[str, Any] = {"by": self.by, **shares, "seed": seed}
        drawn_by |= {"stratify": self.stratify} if self.stratify else {}
        return f"# {canonical(drawn_by | ({'only_listed': True} if self.only_listed else {}))}"

    def _enough(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame | None, list[str]]:
        """Return the rows of people with captures enough, the others as dirty rows, and a note on these."""
        import numpy as np
        import pandas as pd

        if self.min_captures == 1:
            return frame, None, []
        people = _people_of(frame)
        captures: defaultdict[str, set[str]] = defaultdict(set)
        for person, origin in zip(people, frame["origin_id"], strict=True):
            captures[person].add(origin)
        few = {person: len(mine) for person, mine in captures.items() if len(mine) < self.min_captures}
        lost = [
            (sample_id, "too_few_captures", f"{person} has {few[person]}, min_captures is {self.min_captures}")
            for sample_id, person in zip(frame["id"], people, strict=True)
            if person in few
        ]
        dirty = pd.DataFrame(lost, columns=["id", "reason", "detail"], dtype=object)
        note = f"{len(few)} of {len(captures)} people left out: fewer than {self.min_captures} captures"
        enough = frame[np.array([person not in few for person in people], dtype=bool)].reset_index(drop=True)
        return enough, dirty, [note] if few else []

    def _names(self, frame: pd.DataFrame, units: Sequence[str]) -> dict[str, list[str]]:
        """Return the names under which each unit may have got a place: a person's own ones after the one kept."""
        found: dict[str, set[str]] = {unit: set() for unit in units}
        if self.by == "identity":
            for unit, own in set(zip(units, map(own_identity, frame["origin_id"].tolist()), strict=True)):
                found[unit].add(own)
        return {unit: [unit, *sorted(names - {unit})] for unit, names in found.items()}

    def _groups(self, persons: Sequence[str], units: Sequence[str], strata: Mapping[str, str]) -> Mapping[str, str]:
        """Return what each unit is one of: its stratum, or of captures (also) the person."""
        people = dict(zip(units, persons, strict=True))
        if not strata:
            return people
        return strata if self.by == "identity" else {unit: f"{people[unit]}\n{strata[unit]}" for unit in people}

    @property
    def _unit_name(self) -> str:
        return "identity" if self.by == "identity" else "capture"

    @property
    def _units(self) -> str:
        return "people" if self.by == "identity" else "captures"

    def _frozen(self, context: TableContext, names: Mapping[str, Sequence[str]]) -> Frozen | None:
        if self.frozen is None:
            return None
        return read_frozen(self.frozen, context.base_dirs, self._unit_name, self.shares, names, context.step)

    def _balance(self, places: Mapping[str, str], strata: Mapping[str, str]) -> Iterator[str]:
        counts = Counter(places.values())
        yield f"{len(places)} {self._units}: " + ", ".join(f"{name} {counts[name]}" for name in self.shares)
        groups = sorted(set(strata.values()))
        for group in groups if len(groups) <= STRATA_TOLD else ():
            mine = Counter(split for unit, split in places.items() if strata[unit] == group)
            yield f"  {group}: " + ", ".join(f"{name} {mine[name]}" for name in self.shares)
        if len(groups) > STRATA_TOLD:
            yield f"  in {len(groups)} strata of {', '.join(self.stratify)}"
        empty = [name for name, share in self.shares.items() if share and not counts[name]]
        if empty:
            yield (f"no {self._units} left for {', '.join(empty)}: add {self._units}, or thaw the frozen places")


def _people_of(frame: pd.DataFrame) -> list[str]:
    """Return the person behind each row's identity; one text for all rows of a person."""
    identities = frame["identity"].tolist()
    people = {identity: person_of(identity) for identity in set(identities)}
    return list(map(people.__getitem__, identities))


def _moved(
    old: Mapping[str, str], places: Mapping[str, str], names: Mapping[str, Sequence[str]], unit_name: str
) -> Iterable[str]:
    before = {unit: {old[name] for name in names[unit] if name in old} for unit in places}
    both = [unit for unit in places if before[unit]]
    moved = sum(before[unit] != {places[unit]} for unit in both)
    what = "people" if unit_name == "identity" else "captures"
    return [f"{moved} of {len(both)} {what} moved to another split"] if moved else []
