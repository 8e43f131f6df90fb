"""Split: who is in train, eval and test, kept from run to run."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from face3d_data.digest import canonical, digest
from face3d_data.errors import UserError
from face3d_data.registry import register
from face3d_data.table import TableContext, TableResult, TableStep
from face3d_data.tables.lists import look_up

if TYPE_CHECKING:
    import pandas as pd

STATE = "split.csv"
SUM_TOLERANCE = Fraction(1, 1_000_000)
RESERVED = ("dirty", "pairs", "gallery", "probe")
"""Names that a dataset's other CSVs have."""


def person_of(identity: str) -> str:
    """Return the person behind an identity: `d/anna~mirror` is `d/anna`."""
    return identity.partition("~")[0]


@register
class Split(TableStep):
    """Put whole people (or, closed set, captures) into train, eval and test, and keep them there."""

    name = "split"
    version = 1

    by: Literal["identity", "capture"] = Field(
        "identity", description="what stays together: a person, or a capture (closed set: people are in every split)"
    )
    ratios: dict[str, float] = Field(
        default={"train": 0.7, "eval": 0.1, "test": 0.2}, description="share of people (or captures) of each split"
    )
    frozen: Path | None = Field(None, description="CSV of identity (or capture) and split that always wins")

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

    def content_files(self) -> Iterator[tuple[str, Path]]:
        """Yield the frozen file where it is there; a missing one is reported by `run`, which knows the remedy."""
        yield from ((label, path) for label, path in super().content_files() if path.exists())

    def run(self, frames: Sequence[pd.DataFrame], context: TableContext) -> TableResult:
        """Return the rows with `split` set, and the places as state for the next run.

        Args:
            frames: upstream manifests; several are put one after the other.
            context: `seed` and, for the places of the previous run, `run_dir`.

        Raises:
            UserError: the frozen file is missing or does not fit.
        """
        import pandas as pd

        frame = pd.concat(list(frames), ignore_index=True)
        units = list(map(person_of, frame["identity"])) if self.by == "identity" else list(frame["origin_id"])
        people = dict(zip(units, map(person_of, frame["identity"]), strict=True))
        header = f"# {canonical({'by': self.by, 'ratios': self.ratios, 'seed': context.seed})}"
        old_header, old = _read_state(context)
        kept = dict(old) if old_header == header else {}
        kept.update(self._read_frozen(context))
        places = assign(people, self.ratios, kept, context.seed)
        notes = [*_moved(old, places, self._unit_name), *self._balance(places)]
        state = _write_state(header, self._unit_name, {**kept, **places})
        return TableResult(frame.assign(split=[places[unit] for unit in units]), None, tuple(notes), {STATE: state})

    @property
    def _unit_name(self) -> str:
        return "identity" if self.by == "identity" else "capture"

    def _read_frozen(self, context: TableContext) -> dict[str, str]:
        if self.frozen is None:
            return {}
        path = look_up(self.frozen, context.base_dirs)
        if path is None:
            raise UserError(
                f"step {context.step!r}: frozen file {self.frozen} is not there: write it with "
                f"'face3d split --freeze {self.frozen} PIPELINE', or correct 'frozen:'"
            )
        places = read_places(path.read_text("utf-8"), self._unit_name, str(path))
        unknown = sorted(set(places.values()) - self.ratios.keys())
        if unknown:
            raise UserError(f"{path}: split {unknown[0]!r} is not among the ratios ({', '.join(self.ratios)}): add it")
        return places

    def _balance(self, places: Mapping[str, str]) -> Iterator[str]:
        counts = Counter(places.values())
        what = "people" if self.by == "identity" else "captures"
        yield f"{len(places)} {what}: " + ", ".join(f"{name} {counts[name]}" for name in self.ratios)
        empty = [name for name, ratio in self.ratios.items() if ratio and not counts[name]]
        if empty:
            yield f"no {what} left for {', '.join(empty)}: add {what}, or thaw the frozen places"


def exact(ratio: float) -> Fraction:
    """Return a ratio as it was written (0.1 is 1/10), so that nothing rests on binary rounding."""
    return Fraction(repr(float(ratio)))


def assign(
    people: Mapping[str, str], ratios: Mapping[str, float], kept: Mapping[str, str], seed: int
) -> dict[str, str]:
    """Return the split of every unit; units in `kept` stay, the others go where the deficit is largest.

    The deficit of a split is its ratio times the number of units, less the units that it has; of equal deficits the
    larger share is served, so that the order of `ratios` means nothing. While there are only as many units to place as
    splits without any, these are served first: so no split is empty from as many units on as there are splits. Where a
    person has several units (captures), the whole units due to each of its splits come first, so that people are
    spread over all splits.

    Args:
        people: unit (a person, or a capture) to the person it shows.
        ratios: split to share, summing to 1.
        kept: unit to split, from before; units that are not in `people` are ignored.
        seed: orders the new units by digest(seed, unit).
    """
    whole = lcm(*(exact(ratio).denominator for ratio in ratios.values()))
    shares = {name: int(exact(ratio) * whole) for name, ratio in ratios.items() if ratio > 0}
    places = {unit: kept[unit] for unit in people if unit in kept}
    counts = Counter(places.values())
    owned = Counter(people.values())
    mine = Counter((people[unit], split) for unit, split in places.items())
    new = sorted((unit for unit in people if unit not in places), key=lambda unit: digest(seed, unit))
    targets = {name: share * len(people) for name, share in shares.items()}
    for n_placed, unit in enumerate(new):
        person = people[unit]
        empty = [name for name in shares if not counts[name]]
        due = [name for name in shares if mine[person, name] < shares[name] * owned[person] // whole]
        choice = empty if len(new) - n_placed <= len(empty) else due or list(shares)
        split = max(choice, key=lambda name: (targets[name] - counts[name] * whole, shares[name], name))
        places[unit] = split
        counts[split] += 1
        mine[person, split] += 1
    return places


def read_places(text: str, unit_name: str, where: str) -> dict[str, str]:
    """Return unit to split from a split CSV; its first line may be a `#` header.

    Args:
        text: the file's text.
        unit_name: the column of units: `identity` or `capture`.
        where: what messages name.

    Raises:
        UserError: the columns are not there, or one unit has two splits.
    """
    first, _, rest = text.partition("\n")
    reader = csv.DictReader(io.StringIO(rest if first.startswith("#") else text))
    columns = reader.fieldnames or []
    if unit_name not in columns or "split" not in columns:
        raise UserError(
            f"{where}: needs the columns {unit_name},split (has {','.join(columns)}): freeze the split again"
        )
    places: dict[str, str] = {}
    for row in reader:
        unit, split = row[unit_name], row["split"] or ""
        if places.setdefault(unit, split) != split:
            raise UserError(f"{where}: {unit!r} is in {places[unit]!r} and in {split!r}: remove one of the lines")
    return places


def _read_state(context: TableContext) -> tuple[str, dict[str, str]]:
    """Return the header and the places of the previous run; nothing where there was none."""
    path = context.run_dir / f"{context.step}.{STATE}" if context.run_dir else None
    if path is None or not path.exists():
        return "", {}
    text = path.read_text("utf-8")
    header = text.partition("\n")[0]
    try:
        unit_name = "identity" if json.loads(header.removeprefix("#"))["by"] == "identity" else "capture"
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: was not written by a split step: move it away") from None
    return header, read_places(text, unit_name, str(path))


def _write_state(header: str, unit_name: str, places: Mapping[str, str]) -> str:
    out = io.StringIO()
    out.write(header + "\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((unit_name, "split"))
    writer.writerows(sorted(places.items()))
    return out.getvalue()


def _moved(old: Mapping[str, str], places: Mapping[str, str], unit_name: str) -> Iterable[str]:
    both = [unit for unit in places if unit in old]
    moved = sum(old[unit] != places[unit] for unit in both)
    what = "people" if unit_name == "identity" else "captures"
    return [f"{moved} of {len(both)} {what} moved to another split"] if moved else []
