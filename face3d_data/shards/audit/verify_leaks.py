"""Leak audit: people, captures, keys and bytes that splits share, and near-duplicates as suspected leaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.shards.audit.near_duplicates import FEW, NOT_ASKED, Search, find_near_duplicates
from face3d_data.shards.audit.verify_spellings import spelling_suspects
from face3d_data.shards.leaks import LEAK_KINDS, Leak, Suspect, find_leaks, suspected_copies
from face3d_data.shards.read import Dataset
from face3d_data.shards.sources_table import own_names
from face3d_data.shards.tokens import texts_in
from face3d_data.tables.same_person import one_name_each, read_same_person

if TYPE_CHECKING:
    import pandas as pd


def audit(
    dataset: Dataset, table: pd.DataFrame, same_person: Path | None = None
) -> tuple[dict[str, int | None], list[Leak], list[Suspect]]:
    """Return what is shared between splits.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
        same_person: a CSV of people with several names, in addition to those that the dataset lists itself.

    Returns:
        The number of shared things of each kind (None: people of a closed set, on purpose), the leaks, samples of one
        split that share bytes or files but are labelled as two people or two captures, and people whose names differ
        only in spelling.

    Raises:
        UserError: the CSV cannot be read.
    """
    texts = (chain.from_iterable(texts_in(table[name].array)) for name in ("identity", "sample_id"))
    known = own_names(*texts).union(dataset.info.get("same_person", {}).items())
    names = one_name_each([*known, *([] if same_person is None else read_same_person(same_person))])
    closed_set = dataset.info["by"] == "capture"
    leaks, suspects = find_leaks(table, closed_set, names), suspected_copies(table, names)
    counts: dict[str, int | None] = {**dict.fromkeys(LEAK_KINDS, 0), "identity": None if closed_set else 0}
    counts |= {leak.kind: len(leak.things) for leak in leaks}
    return counts, leaks, [*suspects, *spelling_suspects(table, names)]


def look_for_near_duplicates(
    dataset: Dataset,
    table: pd.DataFrame,
    suspects: Sequence[Suspect],
    wanted: bool | None,
    damaged: bool,
    jobs: int = 1,
    show_progress: bool = False,
) -> Search:
    """Return the suspects of a dataset: its near-duplicates, if these are searched for, and those known already.

    Pairs that are certain leaks, of one capture or recording, or with the same key or bytes, are skipped.

    Args:
        dataset: the dataset.
        table: the rows of all splits.
        suspects: those known already.
        wanted: search for near-duplicates; None: only if there are at most `FEW` samples.
        damaged: the stored arrays are not what they should be, so that comparing them would prove nothing.
        jobs: worker processes of the search.
        show_progress: show how far the search is.
    """
    if damaged:
        return Search(tuple(suspects), notes=("fix the faults above first",))
    if wanted is False:
        return Search(tuple(suspects), notes=(NOT_ASKED,))
    if wanted is None and len(table) > FEW:
        return Search(
            tuple(suspects), notes=(f"{len(table):,} samples are more than {FEW:,}: --near-duplicates looks",)
        )
    origins, keys = (table[name].tolist() for name in ("origin_id", "key"))
    tokens = [{*content.split(), *root.split()} for content, root in zip(table["content"], table["root"], strict=True)]

    def known(first: int, second: int) -> bool:
        if origins[first] == origins[second] or (keys[first] and keys[first] == keys[second]):
            return True
        return not tokens[first].isdisjoint(tokens[second])

    search = find_near_duplicates(dataset, table, known, jobs, show_progress)
    return replace(search, suspects=(*search.suspects, *suspects))
