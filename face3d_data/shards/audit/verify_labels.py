"""Check of a dataset's labels: ids, names and classes of its CSVs, and the file of each split's labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.names import name_of, names_of
from face3d_data.numpy_files import load_npy
from face3d_data.plurals import counted
from face3d_data.shards.audit.verify_lists import Problems
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import labels_name
from face3d_data.shards.tokens import AT_ONCE, whole_texts

if TYPE_CHECKING:
    import pandas as pd

CHECKED = ("split", "id", "name", "class", "sample_id", "identity", "dataset", "origin_id")
"""Columns whose texts have to agree."""


def check_labels(table: pd.DataFrame, same_person: Mapping[str, str]) -> Problems:
    """Yield ids used twice, names that are not those of their ids, and classes that are not the names' places.

    Args:
        table: the rows of all splits.
        same_person: the person that an id names to the one whose identity the row has, where people of several names
            were merged.
    """
    twice = _twice(table["sample_id"])
    if twice:
        yield "*.csv", f"{len(twice)} sample ids occur twice ({twice[0]} …)"
    place = {name: i for i, name in enumerate(sorted(table["name"].unique()))}
    named = {identity: name_of(identity) for identity in table["identity"].unique()}
    bad: dict[tuple[str, str], list[str]] = {}
    for start in range(0, len(table), AT_ONCE):
        _add_bad(bad, table.iloc[start : start + AT_ONCE], same_person, place, named)
    for (split, what), ids in bad.items():
        yield f"{split}.csv", f"{what} in {counted(len(ids), 'row')} ({ids[0]} …)"


def _twice(ids: pd.Series) -> list[str]:
    hashes = np.sort(whole_texts(ids.array).hashes)
    if not (hashes[1:] == hashes[:-1]).any():
        return []
    return [sample_id for sample_id, n in Counter(ids).items() if n > 1]


def _add_bad(
    bad: dict[tuple[str, str], list[str]],
    table: pd.DataFrame,
    same_person: Mapping[str, str],
    place: Mapping[str, int],
    named: Mapping[str, str],
) -> None:
    """Add the rows that are wrong, by split and what is wrong.

    Args:
        bad: what there is already; filled.
        table: some rows.
        same_person: as in `check_labels`.
        place: of each name among all names.
        named: the name of each identity.
    """
    columns = [table[name].tolist() for name in CHECKED]
    columns.append(names_of(columns[CHECKED.index("sample_id")]))
    for split, row_id, name, label, sample_id, identity, dataset, origin, right_id in zip(*columns, strict=True):
        own = "/".join(sample_id.split("/", 2)[:2])
        merged = same_person.get(own) == identity.partition("~")[0]
        wrong = {
            "id is not the name of sample_id": row_id != right_id,
            "name is not the name of identity": name != named[identity],
            "class is not the place of name among the sorted names": label != place[name],
            "identity is not of the dataset": not (own if merged else identity).startswith(f"{dataset}/"),
            "sample is not of its identity": not merged and own != identity.partition("~")[0],
            "sample is not of its origin": sample_id.partition("~")[0] != origin.partition("~")[0],
        }
        for what in (what for what, is_wrong in wrong.items() if is_wrong):
            bad.setdefault((split, what), []).append(sample_id)


def check_split_labels(dataset: Dataset, split: str, rows: pd.DataFrame) -> Problems:
    """Yield what is wrong with the file of a split's labels."""
    path = dataset.path / labels_name(split)
    try:
        labels = load_npy(path)
    except (OSError, ValueError) as error:
        yield path.name, f"cannot be read ({error})"
        return
    if labels.dtype != np.int64 or not np.array_equal(labels, rows["class"].to_numpy()):
        yield path.name, "holds other labels than the classes of the CSV"
