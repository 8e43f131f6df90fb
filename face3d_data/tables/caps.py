"""Caps: which captures stay if a person or a source has too many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from face3d_data.digest import digest


@dataclass(frozen=True)
class Capture:
    """One capture with all its variants.

    Attributes:
        origin_id: its id.
        person: the person it shows.
        source: where it came from: a source, or a dataset.
        masked: a mask is worn in every row of it.
    """

    origin_id: str
    person: str
    source: str
    masked: bool = False


def in_turn(units: Iterable[str], seed: int, masked: Iterable[str] | None = None) -> list[str]:
    """Return units in the order in which they are chosen: by digest(seed, unit).

    So a new unit is inserted among the others, which keep their order.

    Args:
        units: people or captures.
        seed: of the order.
        masked: units that wear masks. With it, both kinds are spread evenly: the first k units hold as many masked ones
            as their share in all, to within one.
    """
    order = sorted(units, key=lambda unit: (digest(seed, unit), unit))
    if masked is None:
        return order
    worn = set(masked)
    kinds = [[unit for unit in order if unit not in worn], [unit for unit in order if unit in worn]]
    spread = [
        (Fraction(2 * place + 1, 2 * len(kind)), which, unit)
        for which, kind in enumerate(kinds)
        for place, unit in enumerate(kind)
    ]
    return [unit for _, _, unit in sorted(spread)]


def over_per_person(captures: Iterable[Capture], most: int, seed: int, share: bool) -> Iterator[tuple[Capture, str]]:
    """Yield the captures that a person has beyond `most`, each with the detail for `dirty.csv`.

    Args:
        captures: of everybody.
        most: captures of each person that stay.
        seed: decides which.
        share: keep each person's share of masked captures.
    """
    for person, mine in _grouped(captures, "person").items():
        for capture in _beyond(mine, most, seed, share):
            yield capture, f"captures_per_person {most}: {person} has {len(mine)}"


def over_people(
    captures: Iterable[Capture], most: Mapping[str, int], seed: int, share: bool, cause: str
) -> Iterator[tuple[Capture, str]]:
    """Yield all captures of the people that a source has beyond its number, each with the detail for `dirty.csv`.

    Args:
        captures: of everybody.
        most: source to the people of it that stay; sources that are not in it keep everybody.
        seed: decides which.
        share: keep each source's share of people with masked captures.
        cause: the option that requires it, for the detail.
    """
    for source, mine in _grouped(captures, "source").items():
        people = _in_turn_of_people(mine, seed, share)
        kept = set(people[: most.get(source, len(people))])
        for capture in mine:
            if capture.person not in kept:
                yield capture, f"{cause} {most[source]}: {source} has {len(people)}"


def over_captures(
    captures: Iterable[Capture], most: Mapping[str, int], seed: int, share: bool, cause: str
) -> Iterator[tuple[Capture, str]]:
    """Yield the captures that a source has beyond its number, each with the detail for `dirty.csv`.

    People are kept with all their captures, in the order of `over_people`, only the last one with some: so that those
    who stay have captures to compare.

    Args: see `over_people`.
    """
    for source, mine in _grouped(captures, "source").items():
        left = most.get(source, len(mine))
        of_person = _grouped(mine, "person")
        for person in _in_turn_of_people(mine, seed, share):
            for capture in _beyond(of_person[person], left, seed, share):
                yield capture, f"{cause} {most[source]}: {source} has {len(mine)}"
            left = max(0, left - len(of_person[person]))


def people_and_captures(captures: Iterable[Capture]) -> dict[str, tuple[int, int]]:
    """Return how many people and captures each source has."""
    grouped = _grouped(captures, "source")
    return {source: (len({capture.person for capture in mine}), len(mine)) for source, mine in grouped.items()}


def _beyond(captures: list[Capture], most: int, seed: int, share: bool) -> list[Capture]:
    if len(captures) <= most:
        return []
    known = {capture.origin_id: capture for capture in captures}
    worn = [capture.origin_id for capture in captures if capture.masked] if share else None
    return [known[origin] for origin in in_turn(known, seed, worn)[most:]]


def _in_turn_of_people(captures: list[Capture], seed: int, share: bool) -> list[str]:
    worn = {capture.person for capture in captures if capture.masked} if share else None
    return in_turn({capture.person for capture in captures}, seed, worn)


def _grouped(captures: Iterable[Capture], attribute: str) -> dict[str, list[Capture]]:
    found: defaultdict[str, list[Capture]] = defaultdict(list)
    for capture in captures:
        found[getattr(capture, attribute)].append(capture)
    return dict(found)
