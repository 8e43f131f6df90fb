"""Verification of a dataset's lists: pairs, gallery and probe."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.pair_lists import check_pair_lists
from face3d_data.shards.published_lists import check_published
from face3d_data.shards.read import Dataset
from face3d_data.tables.pairs import PAIR_COLUMNS as PAIR_COLUMNS
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    import pandas as pd

Problems = Iterator[tuple[str, str]]


def check_pairs(dataset: Dataset, table: pd.DataFrame) -> Problems:
    """Yield pairs that are not what they say, and folds that share people.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
    """
    yield from check_pair_lists(dataset, table)
    spec = dataset.info["spec"]["pairs"]
    if spec is None:
        return
    try:
        pairs = dataset.pairs
        text = (dataset.path / "pairs.txt").read_text("utf-8")
    except (OSError, ValueError, UserError) as error:
        yield "pairs.csv", f"cannot be read ({error})"
        return
    if tuple(pairs.columns) != PAIR_COLUMNS:
        yield "pairs.csv", f"has the columns {','.join(pairs.columns)}"
        return
    rows = table[table["split"] == spec["split"]]
    for detail in (*_wrong_pairs(pairs, rows), *_wrong_folds(pairs, rows)):
        yield "pairs.csv", detail
    if text != _as_text(pairs):
        yield "pairs.txt", "holds other pairs than pairs.csv"


def _wrong_pairs(pairs: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    columns = ("id", "name", "identity", "origin_id")
    known = {row[0]: row for row in zip(*(rows[name].tolist() for name in columns), strict=True)}
    wrong: Counter[str] = Counter()
    first: dict[str, str] = {}
    seen: set[frozenset[str]] = set()
    for same, id1, name1, id2, name2 in zip(*(pairs[name].tolist() for name in PAIR_COLUMNS[1:]), strict=True):
        what = _wrong_pair(bool(same), known.get(id1), name1, known.get(id2), name2)
        if frozenset((id1, id2)) in seen:
            what = "occur twice"
        seen.add(frozenset((id1, id2)))
        if what:
            wrong[what] += 1
            first.setdefault(what, f"{id1} {id2}")
    yield from (f"pairs {what}: {n}, first {first[what]}" for what, n in wrong.items())


def _wrong_pair(
    same: bool, one: tuple[str, ...] | None, name1: str, other: tuple[str, ...] | None, name2: str
) -> str | None:
    if one is None or other is None:
        return "name a sample that is not in their split"
    if (one[1], other[1]) != (name1, name2):
        return "have other names than their samples"
    if same and one[2] != other[2]:
        return "are called genuine but show two people"
    if same and one[3] == other[3]:
        return "are genuine within one capture"
    if not same and person_of(one[2]) == person_of(other[2]):
        return "are called impostors but show one person"
    return None


def _wrong_folds(pairs: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    counts = Counter(zip(pairs["fold"].tolist(), pairs["same"].tolist(), strict=True))
    folds = sorted(set(pairs["fold"].tolist()))
    if folds != list(range(len(folds))):
        yield f"the folds are {folds}"
    if any(counts[fold, 0] != counts[fold, 1] or counts[fold, 1] != counts[0, 1] for fold in folds):
        yield "folds have unequal numbers of genuine and impostor pairs"
    person = dict(zip(rows["id"].tolist(), map(person_of, rows["identity"].tolist()), strict=True))
    of_person: dict[str, set[int]] = defaultdict(set)
    for fold, id1, id2 in zip(*(pairs[name].tolist() for name in ("fold", "id1", "id2")), strict=True):
        for sample_id in (id1, id2):
            of_person[person.get(sample_id, sample_id)].add(fold)
    several = sorted(name for name, mine in of_person.items() if len(mine) > 1)
    if several:
        yield f"{counted(len(several), 'person is', 'people are')} in several folds ({several[0]} …)"


def _as_text(pairs: pd.DataFrame) -> str:
    """Return what pairs.txt has to hold, worked out from pairs.csv alone."""
    n_folds = pairs["fold"].nunique()
    per_fold = len(pairs) // (2 * n_folds) if n_folds else 0
    lines = [f"{n_folds}\t{per_fold}" if n_folds > 1 else str(per_fold)]
    for _, same, id1, name1, id2, name2 in zip(*(pairs[name].tolist() for name in PAIR_COLUMNS), strict=True):
        lines.append("\t".join((name1, id1, id2) if same else (name1, id1, name2, id2)))
    return "\n".join(lines) + "\n"


def _rows(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    known = table.astype(object)
    return list(known.where(known.notna(), None).itertuples(index=False, name=None))


def check_protocol(dataset: Dataset, table: pd.DataFrame) -> Problems:
    """Yield rows of gallery.csv, probe.csv and published protocols that are not of their split, and captures in both.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
    """
    yield from check_published(dataset, table)
    spec = dataset.info["spec"]
    if spec["gallery"] is None and spec["probe"] is None:
        return
    lists = {}
    for name in ("gallery", "probe"):
        try:
            lists[name] = getattr(dataset, name)
        except (OSError, ValueError, UserError) as error:
            yield f"{name}.csv", f"cannot be read ({error})"
            return
        if list(lists[name].columns) != list(table.columns):
            yield f"{name}.csv", f"has the columns {','.join(lists[name].columns)}"
            return
        split = (spec[name] or {}).get("split", "test")
        rows = set(_rows(table[table["split"] == split]))
        strange = [row for row in _rows(lists[name]) if row not in rows]
        if strange:
            yield (
                f"{name}.csv",
                f"{counted(len(strange), 'row is not one', 'rows are not those')} of {split}.csv ({strange[0][0]} …)",
            )
    both = set(lists["gallery"]["origin_id"]) & set(lists["probe"]["origin_id"])
    if both:
        yield "probe.csv", f"{counted(len(both), 'capture is', 'captures are')} in the gallery too ({min(both)} …)"
