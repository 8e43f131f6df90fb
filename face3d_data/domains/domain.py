"""Domains: how the captures of one source differ from those of another, counted over all and measured on some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.digest import digest
from face3d_data.domains.measure import Measured, measure_face
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    from face3d_data.store.manifest import Entry


@dataclass(frozen=True)
class Domain:
    """The captures of one source, of one dataset, or of all.

    Attributes:
        kind: source, dataset or all.
        datasets: the datasets that they belong to.
        samples: how many rows.
        masked: of these, with a mask.
        captures_of: captures of each person, most first.
        points: number of points of each row that has any, ascending.
        measured: some captures.
        unread: how many more could not be read, or have neither depth nor points.
    """

    kind: str
    name: str
    datasets: tuple[str, ...]
    samples: int
    masked: int
    captures_of: tuple[int, ...]
    points: tuple[int, ...]
    measured: tuple[Measured, ...]
    unread: int

    @property
    def people(self) -> int:
        """Number of people."""
        return len(self.captures_of)

    @property
    def captures(self) -> int:
        """Number of captures; their variants are samples."""
        return sum(self.captures_of)

    def values(self, attribute: str) -> list[float]:
        """Return one figure of each capture that was read and has it, ascending."""
        found = (getattr(one, attribute) for one in self.measured)
        return sorted(value for value in found if value is not None)

    def depth_mm(self) -> tuple[float, float, float] | None:
        """Return the nearest reading of any face, the median of all faces, and the farthest reading."""
        if not self.measured:
            return None
        return self.values("near_mm")[0], float(np.median(self.values("middle_mm"))), self.values("far_mm")[-1]

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON values: [least, median, most] of what differs from one to the next."""
        depth_mm = self.depth_mm()
        return {
            "kind": self.kind,
            "name": self.name,
            "datasets": list(self.datasets),
            "people": self.people,
            "captures": self.captures,
            "captures_a_person": spread(self.captures_of),
            "samples": self.samples,
            "masked": self.masked,
            "masked_share": round(self.masked / self.samples, 4),
            "points": spread(self.points),
            "captures_read": len(self.measured),
            "captures_not_read": self.unread,
            "readings": spread(self.values("readings")),
            "depth_mm": None if depth_mm is None else [round(value, 1) for value in depth_mm],
            "noise_mm": spread(self.values("noise_mm")),
        }


def spread(values: Sequence[float]) -> list[float] | None:
    """Return least, median and most, to three decimals; None of nothing."""
    return [round(float(f(values)), 3) for f in (min, np.median, max)] if len(values) else None


def domains(entries: Sequence[Entry], most: int) -> list[Domain]:
    """Return a domain for each source, for each dataset of several sources, and, of several sources, for all.

    Args:
        entries: rows of one step.
        most: captures of each source that are read.
    """
    by_source: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_source[entry.source].append(entry)
    names = sorted(by_source)
    measured = {name: [measure_face(entry) for entry in chosen(by_source[name], most)] for name in names}
    found = [_domain("source", name, by_source[name], measured[name]) for name in names]
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        for dataset in sorted({entry.dataset for entry in by_source[name]}):
            groups[dataset].append(name)
    several = {f"dataset {name}": mine for name, mine in sorted(groups.items()) if 1 < len(mine) < len(names)}
    if len(names) > 1:
        several["all"] = names
    for name, mine in several.items():
        rows = [entry for source in mine for entry in by_source[source]]
        kind = "all" if name == "all" else "dataset"
        found.append(_domain(kind, name.removeprefix("dataset "), rows, [one for s in mine for one in measured[s]]))
    return found


def chosen(entries: Iterable[Entry], most: int) -> list[Entry]:
    """Return a row of each of some captures, a plain one where there is one: the first captures by digest(id).

    So the same ones are read each time, and a capture more takes the place of one at most.
    """
    of_capture: dict[str, Entry] = {}
    for entry in entries:
        known = of_capture.setdefault(entry.origin_id, entry)
        if known.variant != "plain" and entry.variant == "plain":
            of_capture[entry.origin_id] = entry
    return [of_capture[origin] for origin in sorted(of_capture, key=digest)[:most]]


def _domain(kind: str, name: str, entries: Sequence[Entry], measured: Sequence[Measured | None]) -> Domain:
    captures: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        captures[person_of(entry.identity)].add(entry.origin_id)
    return Domain(
        kind,
        name,
        tuple(sorted({entry.dataset for entry in entries})),
        len(entries),
        sum(entry.all_tags.get("mask") not in (None, "none") for entry in entries),
        tuple(sorted(map(len, captures.values()), reverse=True)),
        tuple(sorted(entry.n_points for entry in entries if entry.n_points is not None)),
        tuple(one for one in measured if one is not None),
        sum(one is None for one in measured),
    )
