"""Spelling audit: people with two spellings of one name are reported as suspected, for the user to decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.shards.leaks import Suspect
from face3d_data.tables.same_person import read_same_person, unknown_names
from face3d_data.tables.spellings import spellings
from face3d_data.tables.split import own_identity, person_of

if TYPE_CHECKING:
    import pandas as pd

TWO_SPELLINGS = "two_spellings"


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
    """Return a suspect for each two people whose names differ in case, blanks or compatibility form alone.

    Args:
        table: the rows of all splits.
        names: name to the one that is kept, for names that are known to be one person's.
    """
    columns = zip(*(table[name].tolist() for name in ("identity", "sample_id", "split")), strict=True)
    first: dict[str, tuple[str, str]] = {}
    for identity, sample_id, split in columns:
        person = person_of(identity)
        first.setdefault(names.get(person, person), (sample_id, split))
    found = []
    for one, *others in spellings(first, names):
        for other in others:
            samples, splits = zip(first[one], first[other], strict=True)
            how = f"{one!r} and {other!r} may be one person: their names are spelt apart alone"
            found.append(Suspect(TWO_SPELLINGS, samples, splits, (one, other), how))
    return found
