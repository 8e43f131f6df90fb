"""Table of a dataset's sources: what came from where, and which people were renamed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.schema import split_order
from face3d_data.tables.protocol import wears_mask
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


def sources_table(table: pd.DataFrame, tags: pd.DataFrame) -> pd.DataFrame:
    """Return what each source contributed to a dataset: one row per source, sorted by name.

    Columns: `source`, `dataset`, numbers of `people`, `captures` and `samples`, of samples in each split
    (`samples_train`), of `masked` samples, and of `merged_people`: those who have several names in the dataset. A
    person of two sources counts in both.

    Args:
        table: the dataset's rows, columns as in `schema.DATASET_COLUMNS`.
        tags: the manifest's rows in the same order.
    """
    import pandas as pd

    splits = split_order(table["split"].tolist())
    people = list(map(person_of, table["identity"]))
    names: defaultdict[str, set[str]] = defaultdict(set)
    for person, sample_id in zip(people, table["sample_id"], strict=True):
        names[person].add(own_identity(sample_id))
    rows = table.assign(
        source=tags["source"].tolist(),
        person=people,
        masked=wears_mask(tags),
        merged=[len(names[person]) > 1 for person in people],
    )
    records = []
    for (source, dataset), mine in rows.groupby(["source", "dataset"], sort=True):
        counts = (mine["person"].nunique(), mine["origin_id"].nunique(), len(mine))
        in_splits = (int((mine["split"] == split).sum()) for split in splits)
        last = (int(mine["masked"].sum()), mine.loc[mine["merged"], "person"].nunique())
        records.append((source, dataset, *counts, *in_splits, *last))
    return pd.DataFrame(records, columns=[*COLUMNS, *(f"samples_{split}" for split in splits), *LAST_COLUMNS])


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
