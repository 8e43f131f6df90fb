"""Leaks: what two splits of a dataset must not share, and what only looks like a leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from face3d_data.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

    from face3d_data.shards.read import Dataset

SHOWN = 3
LEAK_KINDS = ("identity", "origin", "root", "key", "content")
NAMED = {"identity": "person", "origin": "capture"}
"""Kinds whose things have names of their own; of the others the samples are named that share them."""


def counted_things(number: int, kind: str) -> str:
    """Return a number of things of a kind of leak: people, captures, or samples that share something."""
    if kind in NAMED:
        return counted(number, NAMED[kind])
    shared = "of the same files" if kind == "root" else f"with equal {kind}"
    return f"{counted(number, 'sample')} {shared}"


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
        kind: identity (a person), origin (a capture), root (the files of a recording), key or content (equal bytes).
        things: what is shared, sorted: people, captures, or the ids of all samples that share files, key or bytes.
        shared: the same with the samples that show it, where these are known.
    """

    kind: str
    things: tuple[str, ...]
    shared: tuple[Shared, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(self.things[:SHOWN]) + (" …" if len(self.things) > SHOWN else "")
        return f"{counted_things(len(self.things), self.kind)} in more than one split: {shown}"


@dataclass(frozen=True)
class Suspect:
    """Two samples that may show one recording, or one person, although their rows give no sign of it.

    Attributes:
        kind: near_duplicate; of equal bytes in one split two_people, or two_captures of one person;
            two_spellings of what may be one name, or a masked_name: the other one and `_masked`.
        samples: the two ids.
        splits: where they are.
        people: the people that they are labelled with.
        how: the evidence.
    """

    kind: str
    samples: tuple[str, ...]
    splits: tuple[str, ...]
    people: tuple[str, ...]
    how: str

    def __str__(self) -> str:
        who = " and ".join(f"{split} {sample}" for split, sample in zip(self.splits, self.samples, strict=True))
        return f"{who}: {self.how}"


def _in_several(values: Sequence[str], splits: Sequence[str]) -> set[str]:
    first: dict[str, str] = {}
    return {
        value for value, split in zip(values, splits, strict=True) if value and first.setdefault(value, split) != split
    }


def leak_of(
    kind: str, values: Sequence[str], splits: Sequence[str], ids: Sequence[str], names: Sequence[str] = ()
) -> Leak:
    """Return the leak of one kind, empty where no value is in two splits.

    Args:
        kind: what the values are.
        values: (n,) people, captures, tokens or keys; empty ones do not count.
        splits: (n,) where each is.
        ids: (n,) samples that show them; one sample may come several times.
        names: (n,) what each value is called where that is not itself: a person of several names has them all.
    """
    several = _in_several(values, splits)
    samples: dict[str, dict[str, list[str]]] = {}
    called: dict[str, set[str]] = {}
    rows = zip(values, splits, ids, names or [""] * len(ids), strict=True)
    for value, split, sample, name in (row for row in rows if row[0] in several):
        samples.setdefault(value, {}).setdefault(split, []).append(sample)
        called.setdefault(value, set()).add(name)
    found = {}
    for value, by_split in samples.items():
        first = next(iter(by_split.values()))[0] if kind not in NAMED else value
        thing = " = ".join(sorted(called[value])) if names else first
        one = Shared(thing, {split: tuple(mine) for split, mine in by_split.items()})
        found[thing, str(one)] = one  # samples that share several arrays are told once
    holders = tuple(found[key] for key in sorted(found))
    if kind in NAMED:
        return Leak(kind, tuple(one.thing for one in holders), holders)
    things = {sample for one in holders for mine in one.samples.values() for sample in mine}
    return Leak(kind, tuple(sorted(things)), holders)


def find_leaks(table: pd.DataFrame, closed_set: bool, same_person: Mapping[str, str] | None = None) -> list[Leak]:
    """Return what the splits share, judged by the rows alone.

    Args:
        table: columns `sample_id`, `split`, `identity`, `origin_id`, `key`, `root`, `content`; `d/anna~mirror` counts
            as `d/anna`.
        closed_set: the split is by capture, so that people are in every split on purpose.
        same_person: name of a person to the one name kept of those that the same person has.
    """
    ids, splits, identities, origins = (
        table[name].tolist() for name in ("sample_id", "split", "identity", "origin_id")
    )
    called = [identity.partition("~")[0] for identity in identities]
    people = [(same_person or {}).get(name, name) for name in called]
    found = [
        Leak("identity", ()) if closed_set else leak_of("identity", people, splits, ids, called),
        leak_of("origin", origins, splits, ids),
        *(_leak_of_samples(table, kind) for kind in LEAK_KINDS[2:]),
    ]
    return [leak for leak in found if leak.things]


def _leak_of_samples(table: pd.DataFrame, kind: str) -> Leak:
    """Return the leak of a kind whose column holds, for each sample, tokens with blanks between them, or a key."""
    columns = (table[name].tolist() for name in (kind, "split", "sample_id"))
    rows = [(value, split, sample) for text, split, sample in zip(*columns, strict=True) for value in text.split()]
    return leak_of(kind, *([row[i] for row in rows] for i in range(3)))


def suspected_copies(table: pd.DataFrame, same_person: Mapping[str, str] | None = None) -> list[Suspect]:
    """Return samples of one split that share bytes or files, of two people or of two captures of one person.

    Args:
        table: columns `sample_id`, `split`, `identity`, `origin_id`, `root`, `content`.
        same_person: as in `find_leaks`.
    """
    names = same_person or {}
    first: dict[tuple[str, str], tuple[str, str, str]] = {}
    suspects: dict[tuple[str, str], Suspect] = {}
    columns = (table[name].tolist() for name in ("sample_id", "split", "identity", "origin_id", "content", "root"))
    for sample, split, identity, origin, content, root in zip(*columns, strict=True):
        person = identity.partition("~")[0]
        told = chain(((v, "equal bytes") for v in content.split()), ((v, "the same files") for v in root.split()))
        for value, shared in told:
            other, whom, begun = first.setdefault((value, split), (sample, person, origin))
            if begun == origin:
                continue
            kind, how = "two_people", f"{shared} under two names, {whom} and {person}"
            if names.get(whom, whom) == names.get(person, person):
                kind, how = "two_captures", f"{shared} in two captures of a person"
            suspects.setdefault((other, sample), Suspect(kind, (other, sample), (split, split), (whom, person), how))
    return list(suspects.values())


def told_leaks(dataset: Dataset) -> list[str]:
    """Return in words what the splits of a dataset share: by its rows, and by what was found when it was published.

    Cheap: no shard is read. `face3d verify` also compares the rows with the shards.
    """
    import pandas as pd

    table = pd.concat([dataset.table(split) for split in dataset.splits], ignore_index=True)
    names = dataset.info.get("same_person", {})
    leaks = find_leaks(table, dataset.info.get("by") == "capture", names) if len(table) else []
    known = {leak.kind for leak in leaks}
    # People whose second name no row has were seen when it was published.
    recorded = (Leak(kind, tuple(things)) for kind, things in dataset.info.get("leaks", {}).items() if things)
    return [str(leak) for leak in (*leaks, *(leak for leak in recorded if leak.kind not in known))]
