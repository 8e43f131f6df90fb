"""Frames of manifests: rows as the DataFrames that table steps and datasets take, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.store.coded import Coded
from face3d_data.store.manifest import Manifest
from face3d_data.table import FIXED_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


def to_frame(rows: Manifest, columns: Iterable[str] | None = None, places: bool = False) -> pd.DataFrame:
    """Return rows as a DataFrame: `FIXED_COLUMNS`, then one object column a tag, None where a row lacks it.

    Args:
        rows: the manifest.
        columns: only these columns and tags, those that there are; None: all.
        places: column `place` holds places, not numbers.
    """
    import pandas as pd

    wanted = None if columns is None else {*columns}
    names = [name for name in (*FIXED_COLUMNS, *rows.tag_names) if wanted is None or name in wanted]
    found = {name: rows.values(name) if name != "place" or places else np.arange(len(rows)) for name in names}
    return pd.DataFrame({name: pd.Series(values, dtype=object, copy=False) for name, values in found.items()})


def from_frame(frame: pd.DataFrame, inputs: Manifest) -> Manifest:
    """Return the rows that a table step's rows stand for, with its identities, splits and any tags that it set."""
    ids = inputs.arrays["id"].tolist()
    wanted = frame["id"].tolist()
    if ids == wanted:
        rows = inputs
    else:
        known = dict(zip(ids, range(len(ids)), strict=True))
        rows = inputs.take(np.fromiter((known[name] for name in wanted), np.int64, len(wanted)))
    identities = Coded.of(frame["identity"].tolist())
    splits = Coded.of([split if isinstance(split, str) else "" for split in frame["split"].tolist()])
    labels = dict(rows.labels)
    for name in frame.columns:
        if name not in FIXED_COLUMNS:
            new = _changed(frame[name].tolist(), rows.values(name).tolist())
            if new is not None:
                labels[name] = new.over(labels[name]) if name in labels else new
    coded = {**rows.coded, "identity": identities, "split": splits}
    return Manifest(rows.arrays, coded, rows.tags, labels, rows.places)


def _changed(values: Sequence[Any], before: Sequence[Any]) -> Coded | None:
    """Return the values that are others than before, None where none is."""
    import pandas as pd

    if not any(value is not old for value, old in zip(values, before, strict=True)):
        return None
    found = Coded.of(
        None if value is old or pd.isna(value) or value == old else value
        for value, old in zip(values, before, strict=True)
    )
    return found if found.values else None
