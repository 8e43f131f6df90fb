"""Check of a dataset's labels: ids, names and classes of its CSVs, and the file of each split's labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.names import name_of
from face3d_data.numpy_files import load_npy
from face3d_data.plurals import counted
from face3d_data.shards.audit.verify_lists import Problems
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import labels_name

if TYPE_CHECKING:
    import pandas as pd


def check_labels(table: pd.DataFrame, same_person: Mapping[str, str]) -> Problems:
    """Yield ids used twice, names that are not those of their ids, and classes that are not the names' places.

    Args:
        table: the rows of all splits.
        same_person: the person that an id names to the one whose identity the row has, where people of several names
            were merged.
    """
    twice = [sample_id for sample_id, n in Counter(table["sample_id"]).items() if n > 1]
    if twice:
        yield "*.csv", f"{len(twice)} sample ids occur twice ({twice[0]} …)"
    place = {name: i for i, name in enumerate(sorted(set(table["name"])))}
    columns = ("split", "id", "name", "class", "sample_id", "identity", "dataset", "origin_id")
    bad: dict[tuple[str, str], list[str]] = {}
    for split, row_id, name, label, sample_id, identity, dataset, origin in zip(
        *(table[column].tolist() for column in columns), strict=True
    ):
        own = "/".join(sample_id.split("/")[:2])
        merged = same_person.get(own) == identity.partition("~")[0]
        wrong = {
            "id is not the name of sample_id": row_id != name_of(sample_id),
            "name is not the name of identity": name != name_of(identity),
            "class is not the place of name among the sorted names": label != place[name],
            "identity is not of the dataset": not (own if merged else identity).startswith(f"{dataset}/"),
            "sample is not of its identity": not merged and own != identity.partition("~")[0],
            "sample is not of its origin": sample_id.partition("~")[0] != origin.partition("~")[0],
        }
        for what in (what for what, is_wrong in wrong.items() if is_wrong):
            bad.setdefault((split, what), []).append(sample_id)
    for (split, what), ids in bad.items():
        yield f"{split}.csv", f"{what} in {counted(len(ids), 'row')} ({ids[0]} …)"


def check_split_labels(dataset: Dataset, split: str, rows: pd.DataFrame) -> Problems:
    """Yield what is wrong with the file of a split's labels."""
    path = dataset.path / labels_name(split)
    try:
        labels = load_npy(path)
    except (OSError, ValueError) as error:
        yield path.name, f"cannot be read ({error})"
        return
    if labels.dtype != np.int64 or labels.tolist() != rows["class"].tolist():
        yield path.name, "holds other labels than the classes of the CSV"
