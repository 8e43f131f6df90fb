"""Leaks: what two splits of a dataset must not share, and what only looks like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from face3d_data.shards.read import Dataset

SHOWN = 3
KINDS = ("identity", "origin", "key", "content")
NOUNS = {"identity": "people", "origin": "captures"}


@dataclass(frozen=True)
class Shared:
    """One thing that several splits have.

    Attributes:
        thing: a person, a capture, or the first of the samples whose bytes or keys are equal.
        samples: split to the ids of its samples that show it.
    """

    thing: str
    samples: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        parts = []
        for split, ids in self.samples.items():
            more = f" … {len(ids)} in all" if len(ids) > SHOWN else ""
            parts.append(f"{split} has {', '.join(ids[:SHOWN])}{more}")
        return f"{self.thing}: {'; '.join(parts)}"


@dataclass(frozen=True)
class Leak:
    """Things that are in two splits or more.

    Attributes:
        kind: identity (a person), origin (a capture), key or content (equal bytes).
        things: what is shared, sorted: people, captures, or the ids of all samples of equal key or bytes.
        shared: the same with the samples that show it, where these are known.
    """

    kind: str
    things: tuple[str, ...]
    shared: tuple[Shared, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(self.things[:SHOWN]) + (" …" if len(self.things) > SHOWN else "")
        noun = NOUNS.get(self.kind, f"samples with equal {self.kind}")
        return f"{len(self.things)} {noun} in more than one split: {shown}"


@dataclass(frozen=True)
class Suspect:
    """Two samples that may show one recording, or one person, though nothing in their rows says so.

    Attributes:
        kind: near_duplicate; of equal bytes in one split two_people, or two_captures of one person;
            two_spellings of what may be one name.
        samples: the two ids.
        splits: where they are.
        people: whom they are said to show.
        how: how it is known.
    """

    kind: str
    samples: tuple[str, ...]
    splits: tuple[str, ...]
    people: tuple[str, ...]
    how: str

    def __str__(self) -> str:
        who = " and ".join(f"{split} {sample}" for split, sample in zip(self.splits, self.samples, strict=True))
        return f"{who}: {self.how}"


def shared(values: Sequence[str | bytes], splits: Sequence[str], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels, sorted, of the values that occur in more than one split; empty values do not count."""
    several = _in_several(values, splits)
    return tuple(sorted({label for value, label in zip(values, labels, strict=True) if value in several}))


def _in_several(values: Sequence[str | bytes], splits: Sequence[str]) -> set[str | bytes]:
    first: dict[str | bytes, str] = {}
    return {
        value for value, split in zip(values, splits, strict=True) if value and first.setdefault(value, split) != split
    }


def leak_of(
    kind: str, values: Sequence[str | bytes], splits: Sequence[str], ids: Sequence[str], names: Sequence[str] = ()
) -> Leak:
    """Return the leak of one kind, empty where no value is in two splits.

    Args:
        kind: what the values are.
        values: (n,) people, captures, keys or hashes; empty ones do not count.
        splits: (n,) where each is.
        ids: (n,) samples that show them; one sample may come several times.
        names: (n,) what each value is called where that is not itself: a person of several names has them all.
    """
    several = _in_several(values, splits)
    samples: dict[str | bytes, dict[str, list[str]]] = {}
    called: dict[str | bytes, set[str]] = {}
    rows = zip(values, splits, ids, names or [""] * len(ids), strict=True)
    for value, split, sample, name in (row for row in rows if row[0] in several):
        samples.setdefault(value, {}).setdefault(split, []).append(sample)
        called.setdefault(value, set()).add(name)
    found = {}
    for value, by_split in samples.items():
        first = next(iter(by_split.values()))[0] if kind not in NOUNS else str(value)
        thing = " = ".join(sorted(called[value])) if names else first
        one = Shared(thing, {split: tuple(mine) for split, mine in by_split.items()})
        found[thing, str(one)] = one  # samples that share several arrays are told once
    holders = tuple(found[key] for key in sorted(found))
    if kind in NOUNS:
        return Leak(kind, tuple(one.thing for one in holders), holders)
    things = {sample for one in holders for mine in one.samples.values() for sample in mine}
    return Leak(kind, tuple(sorted(things)), holders)


def find_leaks(table: pd.DataFrame, closed_set: bool, same_person: Mapping[str, str] | None = None) -> list[Leak]:
    """Return what the splits share, judged by the rows alone.

    Args:
        table: columns `sample_id`, `split`, `identity`, `origin_id`, `key`; `d/anna~mirror` counts as `d/anna`.
        closed_set: the split is by capture, so that people are in every split on purpose.
        same_person: name of a person to the one name kept of those that the same person has.
    """
    names = ("sample_id", "split", "identity", "origin_id", "key")
    ids, splits, identities, origins, keys = (table[name].tolist() for name in names)
    called = [identity.partition("~")[0] for identity in identities]
    people = [(same_person or {}).get(name, name) for name in called]
    found = [
        Leak("identity", ()) if closed_set else leak_of("identity", people, splits, ids, called),
        leak_of("origin", origins, splits, ids),
        leak_of("key", keys, splits, ids),
    ]
    return [leak for leak in found if leak.things]


def same_bytes(
    hashes: Mapping[str, Sequence[bytes]], table: pd.DataFrame, same_person: Mapping[str, str] | None = None
) -> tuple[Leak, list[Suspect]]:
    """Return samples of equal bytes: a leak in two splits, suspected of two people or two captures in one split.

    Args:
        hashes: sample id to the hashes of its arrays; empty ones do not count.
        table: columns `sample_id`, `split`, `identity`, `origin_id`.
        same_person: as in `find_leaks`.
    """
    names = same_person or {}
    columns = ("sample_id", "split", "identity", "origin_id")
    rows = [
        (value, split, sample, identity.partition("~")[0], origin)
        for sample, split, identity, origin in zip(*(table[name] for name in columns), strict=True)
        for value in hashes.get(sample, ())
        if value
    ]
    first: dict[tuple[bytes, str], tuple[str, str, str]] = {}
    suspects: dict[tuple[str, str], Suspect] = {}
    for value, split, sample, person, origin in rows:
        other, whom, begun = first.setdefault((value, split), (sample, person, origin))
        kind, how = "two_people", f"equal bytes under two names, {whom} and {person}"
        if names.get(whom, whom) == names.get(person, person):
            kind, how = "two_captures", "equal bytes in two captures of a person"
        if kind == "two_people" or begun != origin:
            suspects[other, sample] = Suspect(kind, (other, sample), (split, split), (whom, person), how)
    leak = leak_of("content", [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])
    return leak, list(suspects.values())


def told_leaks(dataset: Dataset) -> list[str]:
    """Return in words what the splits of a dataset share: by its rows, and by what was found when it was published.

    Cheap: no shard is read. `face3d verify` looks at the shards too.
    """
    import pandas as pd

    table = pd.concat([dataset.table(split) for split in dataset.splits], ignore_index=True)
    names = dataset.info.get("same_person", {})
    leaks = find_leaks(table, dataset.info.get("by") == "capture", names) if len(table) else []
    known = {leak.kind for leak in leaks}
    # Equal bytes, and people whose second name no row has, were seen when it was published.
    recorded = (Leak(kind, tuple(things)) for kind, things in dataset.info.get("leaks", {}).items() if things)
    return [str(leak) for leak in (*leaks, *(leak for leak in recorded if leak.kind not in known))]
