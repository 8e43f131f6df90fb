"""Pairs for verification: genuine only across captures, as many impostors, folds with disjoint people."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.names import name_of
from face3d_data.plurals import counted
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    import pandas as pd

FOLDS_FROM = 4
"""Fewer people cannot be divided into two folds that each have an impostor pair."""
PAIR_COLUMNS = ("fold", "same", "id1", "name1", "id2", "name2")
ALL_BELOW = 4
"""All pairs are listed, and some drawn, while there are fewer than this many times those wanted."""


@dataclass(frozen=True)
class PairMember:
    """What a pair has to know of a sample; pairs of two sides join a sample of each, that of side 0 first."""

    id: str
    identity: str
    origin: str
    side: int | None = None

    @property
    def person(self) -> str:
        """The person, a mirrored face's included."""
        return person_of(self.identity)


@dataclass(frozen=True)
class Pair:
    """Two samples, in the order in which they are written."""

    fold: int
    same: bool
    first: PairMember
    second: PairMember


@dataclass(frozen=True)
class PairList:
    """Pairs in folds, and what had to be cut.

    Attributes:
        pairs: fold by fold, the genuine ones first.
        folds: number of folds; 1 is one list without folds.
        per_fold: genuine pairs in each fold, and as many impostor pairs.
        notes: lines for the person who runs it.
    """

    pairs: tuple[Pair, ...]
    folds: int
    per_fold: int
    notes: tuple[str, ...] = ()


def make_pairs(
    test_frame: pd.DataFrame, folds: int, per_fold: int, seed: int, sides: Sequence[int] | None = None
) -> PairList:
    """Draw genuine and impostor pairs from a split.

    Genuine pairs show one identity in two captures, never two variants of one capture; impostor pairs show two people.
    Every fold has other people: k = min(folds, people // 2), fewer where not so many people have two captures; with
    fewer than four people there is one list. Genuine pairs are spread evenly over the fold's people. Where fewer pairs
    exist than wanted, all folds are cut to one number of genuine and of impostor pairs.

    Args:
        test_frame: columns `id` (or `sample_id`), `identity`, `origin_id`; the order of rows does not matter.
        folds: folds wanted.
        per_fold: genuine pairs wanted in a fold, and impostor pairs.
        seed: decides what is drawn.
        sides: 0 or 1 for each row: every pair then joins a row of side 0 and one of side 1, in this order (masked
            samples with plain ones); any two rows if not given.
    """
    ids = test_frame["sample_id" if "sample_id" in test_frame else "id"]
    of_row = [None] * len(test_frame) if sides is None else sides
    rows = zip(ids, test_frame["identity"], test_frame["origin_id"], of_row, strict=True)
    faces = sorted((PairMember(*row) for row in rows), key=lambda face: face.id)
    people: dict[str, list[PairMember]] = defaultdict(list)
    for face in faces:
        people[face.person].append(face)
    groups, notes = _folds(people, folds, np.random.default_rng(seed_from("folds", seed)))
    drawn = []
    for number, group in enumerate(groups):
        rng = np.random.default_rng(seed_from("pairs", seed, number))
        mine = [people[person] for person in group]
        drawn.append((_genuine(mine, per_fold, rng), _impostor(mine, per_fold, rng)))
    count = min((len(pairs) for both in drawn for pairs in both), default=0)
    if count < per_fold:
        notes.append(f"pairs: {count} genuine and {count} impostor per fold, {per_fold} requested: not enough exist")
    pairs = [
        Pair(number, same, *sorted(pair, key=lambda face: face.side or 0))
        for number, both in enumerate(drawn)
        for same, some in zip((True, False), both, strict=True)
        for pair in some[:count]
    ]
    return PairList(tuple(pairs), max(len(groups), 1), count, tuple(notes))


def _folds(
    people: dict[str, list[PairMember]], folds: int, rng: np.random.Generator
) -> tuple[list[list[str]], list[str]]:
    """Return the people of each fold; those with two captures are assigned first, so that each fold has some."""
    names = sorted(people)
    if len(names) < FOLDS_FROM:
        note = (
            f"pairs: {counted(len(names), 'person is', 'people are')} too few for folds: one list" if folds > 1 else ""
        )
        return [names], [note] if note else []
    able = [name for name in names if _across(people[name], "origin")]
    count = min(folds, len(names) // 2, max(1, len(able)))
    notes = [
        f"pairs: {counted(count, 'fold')}, {folds} wanted: {counted(len(names), 'person')}, {len(able)} of "
        "them with two captures"
    ]
    unable = [name for name in names if name not in set(able)]
    dealt = [group[i] for group in (able, unable) for i in rng.permutation(len(group))]
    return [sorted(dealt[i::count]) for i in range(count)], notes if count < folds else []


def _genuine(
    people: Sequence[Sequence[PairMember]], wanted: int, rng: np.random.Generator
) -> list[tuple[PairMember, PairMember]]:
    """Draw distinct pairs of one identity in two captures, in an order in which any beginning is balanced."""
    identities: dict[str, list[PairMember]] = defaultdict(list)
    for faces in people:
        for face in faces:
            identities[face.identity].append(face)
    drawn = [_genuine_of(faces, wanted, rng) for faces in identities.values()]
    rounds = max(map(len, drawn), default=0)
    order = rng.permutation(len(drawn))
    return [drawn[i][turn] for turn in range(rounds) for i in order if turn < len(drawn[i])][:wanted]


def _genuine_of(
    faces: Sequence[PairMember], wanted: int, rng: np.random.Generator
) -> list[tuple[PairMember, PairMember]]:
    total = _across(faces, "origin")
    if total > ALL_BELOW * wanted:
        return _draw_across_captures(faces, min(wanted, total), rng)
    every = [(a, b) for a, b in combinations(faces, 2) if a.origin != b.origin and _meet(a, b)]
    return [every[i] for i in rng.permutation(len(every))[:wanted]]


def _impostor(
    people: Sequence[Sequence[PairMember]], wanted: int, rng: np.random.Generator
) -> list[tuple[PairMember, PairMember]]:
    """Draw distinct pairs of two people, every two people equally likely while all pairs are not needed."""
    total = _across([face for faces in people for face in faces], "person")
    if total <= ALL_BELOW * wanted:
        every = [(a, b) for one, other in combinations(people, 2) for a in one for b in other if _meet(a, b)]
        return [every[i] for i in rng.permutation(len(every))[:wanted]]
    if people[0][0].side is not None:
        return _draw_across_sides(people, wanted, rng)
    found: dict[tuple[str, str], tuple[PairMember, PairMember]] = {}
    while len(found) < wanted:
        one, other = sorted(rng.choice(len(people), 2, replace=False))
        a, b = (people[i][int(rng.integers(len(people[i])))] for i in (one, other))
        found.setdefault((a.id, b.id), (a, b))
    return list(found.values())


def _draw_across_sides(
    people: Sequence[Sequence[PairMember]], wanted: int, rng: np.random.Generator
) -> list[tuple[PairMember, PairMember]]:
    sides = [[[face for face in faces if face.side == side] for faces in people] for side in (0, 1)]
    able = [[i for i, faces in enumerate(side) if faces] for side in sides]
    found: dict[tuple[str, str], tuple[PairMember, PairMember]] = {}
    while len(found) < wanted:
        one, other = (mine[int(rng.integers(len(mine)))] for mine in able)
        if one != other:
            a, b = (side[i][int(rng.integers(len(side[i])))] for side, i in zip(sides, (one, other), strict=True))
            found.setdefault((a.id, b.id), (a, b))
    return list(found.values())


def _across(faces: Sequence[PairMember], what: str) -> int:
    """Return the number of possible pairs of samples that differ in the attribute `what`."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for face in faces:
        counts[getattr(face, what)][face.side or 0] += 1
    first, second = (sum(count[side] for count in counts.values()) for side in (0, 1))
    if not faces or faces[0].side is None:
        return (first**2 - sum(a * a for a, _ in counts.values())) // 2
    return first * second - sum(a * b for a, b in counts.values())


def _meet(a: PairMember, b: PairMember) -> bool:
    return a.side is None or a.side != b.side


def _draw_across_captures(
    faces: Sequence[PairMember], wanted: int, rng: np.random.Generator
) -> list[tuple[PairMember, PairMember]]:
    found: dict[tuple[int, int], tuple[PairMember, PairMember]] = {}
    while len(found) < wanted:
        i, j = sorted(int(k) for k in rng.integers(len(faces), size=2))
        if faces[i].origin != faces[j].origin and _meet(faces[i], faces[j]):
            found.setdefault((i, j), (faces[i], faces[j]))
    return list(found.values())


def pairs_csv(pairs: PairList) -> str:
    """Return pairs.csv: `fold,same,id1,name1,id2,name2`, ids and names as in the split CSVs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(PAIR_COLUMNS)
    for pair in pairs.pairs:
        sides = [name_of(text) for face in (pair.first, pair.second) for text in (face.id, face.identity)]
        writer.writerow((pair.fold, int(pair.same), *sides))
    return out.getvalue()


def pairs_txt(pairs: PairList) -> str:
    """Return the LFW text form, ids where LFW has image numbers; without folds the header is the count alone.

    A line is `name<TAB>id1<TAB>id2` for one person, `name1<TAB>id1<TAB>name2<TAB>id2` for two
    (http://vis-www.cs.umass.edu/lfw/README.txt).
    """
    header = f"{pairs.folds}\t{pairs.per_fold}" if pairs.folds > 1 else f"{pairs.per_fold}"
    return "\n".join([header, *map("\t".join, _lines(pairs)), ""])


def _lines(pairs: PairList) -> Iterator[tuple[str, ...]]:
    for pair in pairs.pairs:
        first, second = name_of(pair.first.id), name_of(pair.second.id)
        name1, name2 = name_of(pair.first.identity), name_of(pair.second.identity)
        yield (name1, first, second) if pair.same else (name1, first, name2, second)
