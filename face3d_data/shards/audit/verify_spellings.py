"""Spelling audit: people of two spellings of one name, or of a name with and without `_masked`, are suspected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.shards.leaks import Suspect
from face3d_data.tables.same_person import read_same_person, unknown_names
from face3d_data.tables.spellings import masked_names, spellings
from face3d_data.tables.split import own_identity, person_of

if TYPE_CHECKING:
    import pandas as pd

TWO_SPELLINGS, MASKED_NAME = "two_spellings", "masked_name"


def list_notes(table: pd.DataFrame, same_person: Path | None) -> tuple[str, ...]:
    """Return a note on people in a list of `identity,same_as` who are not in the dataset under any name.

    Args:
        table: the rows of all splits.
        same_person: the list; None: no list.

    Raises:
        UserError: it cannot be read.
    """
    if same_person is None:
        return ()
    known = {*map(person_of, table["identity"]), *map(own_identity, table["origin_id"])}
    return tuple(unknown_names(same_person.name, read_same_person(same_person), known))


def spelling_suspects(table: pd.DataFrame, names: Mapping[str, str]) -> list[Suspect]:
    """Return a suspect for each two people whose names differ in case, blanks, compatibility form or `_masked` alone.

    Args:
        table: the rows of all splits.
        names: name to the one that is kept, for names that are known to be one person's.
    """
    several = table.drop_duplicates("identity")
    columns = zip(*(several[name].tolist() for name in ("identity", "sample_id", "split")), strict=True)
    first: dict[str, tuple[str, str]] = {}
    for identity, sample_id, split in columns:
        person = person_of(identity)
        first.setdefault(names.get(person, person), (sample_id, split))
    spelt = ((one, other) for one, *others in spellings(first, names) for other in others)
    return [
        *(_suspect(TWO_SPELLINGS, pair, first, "are spelt apart alone") for pair in spelt),
        *(_suspect(MASKED_NAME, pair, first, "differ by a mask alone") for pair in masked_names(first, names)),
    ]


def _suspect(kind: str, pair: tuple[str, str], first: Mapping[str, tuple[str, str]], why: str) -> Suspect:
    """Return two people as suspects, shown by the first sample and split of each."""
    samples, splits = zip(*(first[person] for person in pair), strict=True)
    how = f"{pair[0]!r} and {pair[1]!r} may be one person: their names {why}"
    return Suspect(kind, samples, splits, pair, how)
