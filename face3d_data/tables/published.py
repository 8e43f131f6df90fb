"""Published protocols of databases as rows of a table: gallery, and probes by category."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.plurals import counted
from face3d_data.tables.protocol import Protocol, natural, wears_mask
from face3d_data.tables.published_rules import RULES, ProtocolRole

if TYPE_CHECKING:
    import pandas as pd

PLAIN = "plain"


@dataclass(frozen=True, eq=False)
class Published:
    """A published protocol on the rows of a table.

    Attributes:
        name: the protocol's, as in `RULES`.
        gallery: i64, the row that enrols each person: its first capture that may.
        probe: i64, rows to be recognised, one per capture, of people who are enrolled.
        categories: category of each probe, `YR/R10` within `YR`.
        notes: what was left out, and what differs from the published numbers.
    """

    name: str
    gallery: np.ndarray
    probe: np.ndarray
    categories: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Title of the protocol, in words."""
        return RULES[self.name].title

    def counts(self) -> dict[str, int]:
        """Return the probes of each category, sums of parted ones (`YR`) included."""
        return dict(Counter(part for category in self.categories for part in parents(category)))

    def protocols(self) -> dict[str, Protocol]:
        """Return the list of all probes, named as the protocol, and that of each category: `bosphorus-YR-R10`."""
        wanted: dict[str, list[int]] = {}
        for row, category in zip(self.probe.tolist(), self.categories, strict=True):
            for part in parents(category):
                wanted.setdefault(part, []).append(row)
        made = {self.name: self._protocol(self.name, self.title, self.probe)}
        for category in sorted(wanted, key=self._order):
            name = "-".join((self.name, *category.split("/")))
            title = f"{self.title.partition(':')[0]}: {category}"
            made[name] = self._protocol(name, title, np.array(wanted[category], np.int64), self.name)
        return made

    def _order(self, category: str) -> tuple[int, list[tuple[int, int, str]]]:
        known = list(RULES[self.name].counts)
        return (known.index(category) if category in known else len(known)), natural(category)

    def _protocol(self, name: str, title: str, probe: np.ndarray, part_of: str = "") -> Protocol:
        notes = () if part_of else self.notes
        return Protocol(name, title, self.gallery, probe, probe, self.gallery, notes, part_of)


def parents(category: str) -> Iterator[str]:
    """Yield a category and those that it is part of: `YR/R10` after `YR`."""
    names = category.split("/")
    yield from ("/".join(names[:n]) for n in range(1, len(names) + 1))


def make_published(table: pd.DataFrame, tags: pd.DataFrame, name: str) -> Published:
    """Return a published protocol on a table's rows: of each capture the plain one, without a mask.

    Args:
        table: rows of one split, columns `sample_id`, `identity`, `origin_id`, `variant`.
        tags: all tags of the same rows in the same order.
        name: the protocol.
    """
    rule = RULES[name]
    usable = np.flatnonzero((table["variant"] == PLAIN).to_numpy(bool) & ~wears_mask(tags))
    columns = {tag: _texts(tags, tag) for tag in rule.tags}
    places = {row: rule.place({tag: texts[row] for tag, texts in columns.items()}) for row in usable.tolist()}
    identity, origin = table["identity"].tolist(), table["origin_id"].tolist()
    first = _first(places, identity, origin)
    taken = {_recording(places[row], identity[row], origin[row]) for row in first.values()}
    ids = table["sample_id"].tolist()
    left_out = Counter(place.left_out for place in places.values() if place.left_out)
    probe, unknown = [], 0
    for row in sorted(places, key=lambda row: natural(ids[row])):
        place = places[row]
        if not place.category or _recording(place, identity[row], origin[row]) in taken:
            continue
        if identity[row] in first:
            probe.append(row)
        else:
            unknown += 1
    gallery = sorted(first.values(), key=lambda row: natural(ids[row]))
    if len(usable) < len(table):
        left_out["masked or varied"] = len(table) - len(usable)
    if unknown:
        left_out["of people who have no capture that can be enrolled"] = unknown
    notes = [f"{name}: {counted(n, 'row')} left out: {why}" for why, n in left_out.items()]
    asked = {_recording(places[row], identity[row], origin[row]) for row in probe}
    notes += differences(name, len(gallery), len(asked) if rule.of_videos else len(probe))
    rows = (np.array(gallery, np.int64), np.array(probe, np.int64))
    return Published(name, *rows, tuple(places[row].category for row in probe), tuple(notes))


def _first(places: Mapping[int, ProtocolRole], identity: list[str], origin: list[str]) -> dict[str, int]:
    """Return person to the first row that can be enrolled."""
    found: dict[str, int] = {}

    def order(row: int) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        return natural(places[row].before), natural(origin[row])

    for row in sorted((row for row, place in places.items() if place.enrols), key=order):
        found.setdefault(identity[row], row)
    return found


def _recording(place: ProtocolRole, identity: str, origin: str) -> tuple[str, str]:
    return identity, place.recording or origin


def differences(name: str, people: int, probes: int | None) -> list[str]:
    """Return a note where the numbers are not the published ones.

    Args:
        name: the protocol.
        people: people enrolled.
        probes: probes, or videos of probes where the published number is one of videos; None: not known.
    """
    rule = RULES[name]
    probes = rule.probes if probes is None else probes
    if (people, probes) == (rule.people, rule.probes):
        return []
    what = "videos as probes" if rule.of_videos else "probes"
    return [
        f"{name}: {counted(people, 'person')} enrolled and {probes} {what}, published are {rule.people} and "
        f"{rule.probes}: "
        "figures are not those of papers"
    ]


def _texts(tags: pd.DataFrame, name: str) -> list[str]:
    """Return a tag of all rows as texts, empty where a row has none."""
    if name not in tags:
        return [""] * len(tags)
    column = tags[name].astype(object)
    return column.where(column.notna(), "").map(str).tolist()
