"""Leaks: what two splits of a dataset must not share, and what only looks like a leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.plurals import counted
from face3d_data.shards.tokens import texts_in, tokens_of, whole_texts
from face3d_data.store.coded import Coded, distinct
from face3d_data.store.frames import coded_texts

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


@dataclass(frozen=True)
class ComparedRows:
    """The columns by which leaks are found.

    Attributes:
        splits: of the rows.
        identities: of the rows; `d/anna~mirror` counts as `d/anna`.
        texts: `sample_id`, `origin_id`, `key`, `root` and, where it is known, `content`: objects, S (n,) or
            arrays of pandas.
        order: i4 (n,), the order in which rows are looked at; None: as they are.
    """

    splits: Coded
    identities: Coded
    texts: Mapping[str, np.ndarray]
    order: np.ndarray | None = None

    @classmethod
    def of(cls, table: pd.DataFrame) -> ComparedRows:
        """Return those of a table with these columns, `split` and `identity`."""
        texts = {name: table[name].array for name in ("sample_id", "origin_id", *LEAK_KINDS[2:])}
        return cls(coded_texts(table["split"]), coded_texts(table["identity"]), texts)

    def __len__(self) -> int:
        return len(self.splits)

    def chosen(self, wanted: np.ndarray) -> np.ndarray:
        """Return the places of rows for which a bool array (n,) is true, in the order in which they are looked at."""
        return np.flatnonzero(wanted) if self.order is None else self.order[wanted[self.order]]

    def of_rows(self, some: np.ndarray, *names: str) -> list[list[str]]:
        """Return columns of some rows as texts; `split` and `identity` are columns, too."""
        coded = {"split": self.splits, "identity": self.identities}
        columns = (coded[name].take(some).objects() if name in coded else self.texts[name][some] for name in names)
        return [[text for part in texts_in(column) for text in part] for column in columns]


def find_leaks(
    rows: ComparedRows | pd.DataFrame, closed_set: bool, same_person: Mapping[str, str] | None = None
) -> list[Leak]:
    """Return what the splits share, judged by the rows alone.

    Args:
        rows: a table, or its columns.
        closed_set: the split is by capture, so that people are in every split on purpose.
        same_person: name of a person to the one name kept of those that the same person has.
    """
    rows = rows if isinstance(rows, ComparedRows) else ComparedRows.of(rows)
    people = [] if closed_set else people_leaks(rows, same_person or {})
    return people + [leak for kind in LEAK_KINDS[1:] for leak in leaks_of_kind(rows, kind)]


def people_leaks(rows: ComparedRows, same_person: Mapping[str, str]) -> list[Leak]:
    """Return the people that splits share, in one leak or none.

    Args: see `find_leaks`.
    """
    called = rows.identities.mapped(lambda identity: identity.partition("~")[0])
    people = distinct(called.mapped(lambda name: same_person.get(name, name)))
    splits = distinct(rows.splits)
    pairs = np.unique(people.codes.astype(np.int64) * len(splits.values) + splits.codes)
    person, times = np.unique(pairs // max(1, len(splits.values)), return_counts=True)
    some = rows.chosen(np.isin(people.codes, person[times > 1]) if (times > 1).any() else np.zeros(len(rows), bool))
    values, names = (column.take(some).objects().tolist() for column in (people, called))
    splits_of, ids = rows.of_rows(some, "split", "sample_id")
    leak = leak_of("identity", values, splits_of, ids, names)
    return [leak] if leak.things else []


def leaks_of_kind(rows: ComparedRows, kind: str) -> list[Leak]:
    """Return what splits share of a kind other than people, in one leak or none.

    Args:
        rows: columns; without one of this kind nothing is shared.
        kind: `origin`, or one whose column holds, for each sample, tokens with blanks between them, or a key.
    """
    column = "origin_id" if kind == "origin" else kind
    if column not in rows.texts:
        return []
    tokens = (whole_texts if kind == "origin" else tokens_of)(rows.texts[column])
    some = rows.chosen(tokens.rows_sharing(distinct(rows.splits).codes, len(rows)))
    values, splits, ids = rows.of_rows(some, column, "split", "sample_id")
    if kind != "origin":
        held = [(value, *row) for text, *row in zip(values, splits, ids, strict=True) for value in text.split()]
        values, splits, ids = ([row[i] for row in held] for i in range(3))
    leak = leak_of(kind, values, splits, ids)
    return [leak] if leak.things else []


def suspected_copies(rows: ComparedRows | pd.DataFrame, same_person: Mapping[str, str] | None = None) -> list[Suspect]:
    """Return samples of one split that share bytes or files, of two people or of two captures of one person.

    Args:
        rows: a table, or its columns.
        same_person: as in `find_leaks`.
    """
    rows = rows if isinstance(rows, ComparedRows) else ComparedRows.of(rows)
    tokens = tokens_of(rows.texts["content"]).and_of(tokens_of(rows.texts["root"]))
    of_captures = whole_texts(rows.texts["origin_id"]).hashes
    some = rows.chosen(tokens.of_groups(distinct(rows.splits).codes).rows_sharing(of_captures, len(rows)))
    names = same_person or {}
    first: dict[tuple[str, str], tuple[str, str, str]] = {}
    suspects: dict[tuple[str, str], Suspect] = {}
    columns = rows.of_rows(some, "sample_id", "split", "identity", "origin_id", "content", "root")
    for sample, split, identity, origin, content, root in zip(*columns, strict=True):
        person = identity.partition("~")[0]
        evidence = chain(((v, "equal bytes") for v in content.split()), ((v, "the same files") for v in root.split()))
        for value, shared in evidence:
            other, someone, begun = first.setdefault((value, split), (sample, person, origin))
            if begun == origin:
                continue
            kind, how = "two_people", f"{shared} under two names, {someone} and {person}"
            if names.get(someone, someone) == names.get(person, person):
                kind, how = "two_captures", f"{shared} in two captures of a person"
            suspects.setdefault((other, sample), Suspect(kind, (other, sample), (split, split), (someone, person), how))
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
