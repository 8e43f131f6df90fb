"""Table of a dataset's sources: what came from where, and which people were renamed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.dataset_rows import DatasetRows
from face3d_data.store.coded import combined, distinct
from face3d_data.tables.protocol import is_mask
from face3d_data.tables.split import own_identity, person_of

if TYPE_CHECKING:
    import pandas as pd

SOURCES_FILE = "sources.csv"
COLUMNS = ("source", "dataset", "people", "captures", "samples")
LAST_COLUMNS = ("masked", "merged_people")
SOURCES_TOLD = 4
"""With more sources than this, the note names the largest."""


def own_names(identities: Iterable[str], ids: Iterable[str]) -> set[tuple[str, str]]:
    """Return own name and name of everybody in a dataset's rows: who has two is one person under both."""
    return {(own_identity(one), person_of(identity)) for identity, one in zip(identities, ids, strict=True)}


def names_apart(identities: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return the people of a dataset that the lists identify with another of its people, mapped to that one.

    Args:
        identities: of the dataset's rows.
        names: by all lists, every name that is not kept, mapped to the one that is.
    """
    together: defaultdict[str, set[str]] = defaultdict(set)
    for person in set(map(person_of, identities)):
        together[names.get(person, person)].add(person)
    found: dict[str, str] = {}
    for kept, people in sorted(together.items()):
        one = kept if kept in people else min(people)
        found |= {person: one for person in sorted(people) if person != one}
    return found


def refuse_apart(apart: Mapping[str, str], where: str) -> None:
    """Refuse a dataset that counts as two people what a list calls one person.

    Raises:
        UserError: naming the first two, and the remedy.
    """
    for one, other in apart.items():
        raise UserError(
            f"{where}: {one!r} and {other!r} are one person according to 'same_person', but two here"
            f"{f' ({len(apart)} such)' if len(apart) > 1 else ''}: give the list to a step that all of them pass"
        )


def merged_names(identities: Iterable[str], ids: Iterable[str], where: str, allowed: bool = False) -> dict[str, str]:
    """Return the people who were renamed: original name to the name that is kept.

    Args:
        identities: of the dataset's rows.
        ids: of the same rows: an id starts with the name that the person had in the source.
        where: what the message names first.
        allowed: leaks are allowed: people whose rows have several names are left out instead of refused.

    Raises:
        UserError: some rows of a person have the original name and others another.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for identity, sample_id in zip(identities, ids, strict=True):
        found[own_identity(sample_id)].add(person_of(identity))
    several = sorted(own for own, people in found.items() if len(people) > 1)
    if several and not allowed:
        one, two, *_ = sorted(found[several[0]])
        raise UserError(
            f"{where}: {several[0]!r} is {one!r} in some rows and {two!r} in others: give 'same_person' to a step that "
            "all of them pass"
        )
    return {own: min(people) for own, people in sorted(found.items()) if len(people) == 1 and own not in people}


def sources_table(rows: DatasetRows) -> pd.DataFrame:
    """Return what each source contributed to a dataset: one row per source, sorted by name.

    Columns: `source`, `dataset`, numbers of `people`, `captures` and `samples`, of samples in each split
    (`samples_train`), of `masked` samples, and of `merged_people`: those who have several names in the dataset. A
    person of two sources counts in both.
    """
    import pandas as pd

    splits, columns = rows.split_order(), [distinct(one) for one in (rows.rows.coded["source"], rows.coded["dataset"])]
    groups = combined(lambda *names: names, columns)
    people = distinct(rows.coded["identity"].mapped(person_of))
    captures = pd.factorize(rows.rows.arrays["origin_id"])[0]
    mask = rows.rows.column("mask").where(is_mask) if "mask" in rows.tag_names else np.zeros(len(rows), bool)
    own = _pairs(people.codes, rows.own_people.codes)
    merged = np.bincount(own >> 32, minlength=len(people.values)) > 1
    n = len(groups.values)
    persons = _pairs(groups.codes, people.codes)
    counts = [np.bincount(persons >> 32, minlength=n)]
    counts += [np.bincount(_pairs(groups.codes, captures) >> 32, minlength=n)]
    counts += [np.bincount(groups.codes, minlength=n)]
    counts += [np.bincount(groups.codes[rows.is_in(split)], minlength=n) for split in splits]
    counts += [np.bincount(groups.codes[mask], minlength=n)]
    counts += [np.bincount(persons[merged[persons & 0xFFFFFFFF]] >> 32, minlength=n)]
    records = sorted(zip(groups.values, zip(*(one.tolist() for one in counts), strict=True), strict=True))
    return pd.DataFrame(
        [(*names, *numbers) for names, numbers in records],
        columns=[*COLUMNS, *(f"samples_{split}" for split in splits), *LAST_COLUMNS],
    )


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return two columns of codes as pairs, each once, the first in the upper 32 bits."""
    return np.unique(first.astype(np.int64) << 32 | second)


def sources_notes(sources: pd.DataFrame, names: dict[str, str]) -> list[str]:
    """Return the line that a run prints on a dataset's sources; nothing if there is only one."""
    notes = []
    if len(sources) > 1:
        told = sources.sort_values("samples", ascending=False, kind="stable")[:SOURCES_TOLD].sort_index()
        columns = ("source", "people", "captures", "samples", "masked")
        parts = [_told(*row) for row in zip(*(told[name].tolist() for name in columns), strict=True)]
        more = len(sources) - len(told)
        notes.append("from " + "; ".join(parts) + (f"; {more} more" if more else "") + f" (see {SOURCES_FILE})")
    if names:
        notes.append(
            f"{counted(len(names), 'person is', 'people are')} listed under another name: "
            f"{_some(sorted(names.items()))}"
        )
    return notes


def _told(source: str, people: int, captures: int, samples: int, masked: int) -> str:
    worn = f" ({masked} masked)" if masked else ""
    return f"{source}: {counted(people, 'person')}, {counted(captures, 'capture')}, {counted(samples, 'sample')}{worn}"


def _some(pairs: Sequence[tuple[str, str]]) -> str:
    shown = ", ".join(f"{own} is {person}" for own, person in pairs[:2])
    return shown + (" …" if len(pairs) > 2 else "")
