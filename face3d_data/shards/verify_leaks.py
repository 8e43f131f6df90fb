"""Verifying that splits share nothing: people, captures, keys and bytes for certain, near-duplicates as suspected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.shards.leaks import KINDS, Leak, Suspect, find_leaks, same_bytes
from face3d_data.shards.near_duplicates import FEW, Search, find_near_duplicates
from face3d_data.shards.read import Dataset
from face3d_data.shards.sources_table import own_names
from face3d_data.shards.verify_spellings import spelling_suspects
from face3d_data.tables.same_person import one_name_each, read_same_person

if TYPE_CHECKING:
    import pandas as pd


def audit(
    dataset: Dataset, table: pd.DataFrame, hashes: Mapping[str, Sequence[bytes]], same_person: Path | None = None
) -> tuple[dict[str, int | None], list[Leak], list[Suspect]]:
    """Return what splits share.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
        hashes: sample id to the hashes of its arrays that show a face.
        same_person: a CSV of people known under several names, beside those of whom the dataset itself says it.

    Returns:
        Kind to how many things are shared (None: people of a closed set, on purpose), the leaks, and samples of equal
        bytes within one split that are said to be of two people, or of two captures; and people whose names are spelt
        apart alone.

    Raises:
        UserError: the list cannot be read.
    """
    known = own_names(table["identity"], table["sample_id"]).union(dataset.info.get("same_person", {}).items())
    names = one_name_each([*known, *([] if same_person is None else read_same_person(same_person))])
    closed_set = dataset.info["by"] == "capture"
    content, suspects = same_bytes(hashes, table, names)
    leaks = [*find_leaks(table, closed_set, names), *([content] if content.things else [])]
    counts: dict[str, int | None] = {**dict.fromkeys(KINDS, 0), "identity": None if closed_set else 0}
    counts |= {leak.kind: len(leak.things) for leak in leaks}
    return counts, leaks, [*suspects, *spelling_suspects(table, names)]


def look_for_near_duplicates(
    dataset: Dataset,
    table: pd.DataFrame,
    hashes: Mapping[str, Sequence[bytes]],
    suspects: Sequence[Suspect],
    wanted: bool | None,
    damaged: bool,
) -> Search:
    """Return the suspects of a dataset: its near-duplicates where these are looked for, and those known already.

    Pairs that are a leak for certain, of one capture or equal in key or bytes, are passed over.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
        hashes: sample id to the hashes of its arrays.
        suspects: those known already.
        wanted: look for near-duplicates; None: if there are `FEW` samples at most.
        damaged: what is stored is not what it should be, so that nothing can be told by it.
    """
    if damaged:
        return Search(tuple(suspects), notes=("first mend what is wrong above",))
    if wanted is False:
        return Search(tuple(suspects), notes=("not asked for",))
    if wanted is None and len(table) > FEW:
        return Search(
            tuple(suspects), notes=(f"{len(table):,} samples are more than {FEW:,}: --near-duplicates looks",)
        )
    ids, origins, keys = (table[name].tolist() for name in ("sample_id", "origin_id", "key"))

    def known(first: int, second: int) -> bool:
        if origins[first] == origins[second] or (keys[first] and keys[first] == keys[second]):
            return True
        return bool({one for one in hashes.get(ids[first], ()) if one}.intersection(hashes.get(ids[second], ())))

    search = find_near_duplicates(dataset, table, known)
    return replace(search, suspects=(*search.suspects, *suspects))
