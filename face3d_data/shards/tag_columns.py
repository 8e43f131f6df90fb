"""Tags of a dataset's rows as columns of its CSVs, and notes on tags that are empty or were not asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from face3d_data.store.coded import MISSING, Coded
from face3d_data.store.manifest import Manifest
from face3d_data.tables.protocol import is_mask


def tag_columns(rows: Manifest, names: Sequence[str]) -> tuple[dict[str, Coded], dict[str, str]]:
    """Return the columns that a dataset's CSVs have of tags, and each one's dtype in pandas.

    Whole numbers are `Int64`, numbers `float64`, true and false `boolean`, and whatever holds a text is `str`. A row
    without the tag has no value.

    Args:
        rows: a manifest; a name that it lacks is a column without values.
        names: the tags.
    """
    columns = {name: _known(rows.column(name)) for name in names}
    there = {name: [one.values[code] for code in np.unique(one.codes).tolist() if code != MISSING]
             for name, one in columns.items()}  # fmt: skip
    return columns, {name: _dtype(values) for name, values in there.items()}


def _known(column: Coded) -> Coded:
    """Return a column in which what pandas takes for nothing is no value."""
    import pandas as pd

    places = [MISSING if pd.isna(value) else i for i, value in enumerate(column.values)]
    return Coded(np.array([*places, MISSING], np.int32)[column.codes], column.values)


def empty_tags(asked: Mapping[str, Coded]) -> list[str]:
    """Return a note for each tag that no row has.

    Args:
        asked: columns as `tag_columns` gives them.
    """
    return [
        f"tags: no row has {name!r}: its column is empty" for name, one in asked.items() if (one.codes == MISSING).all()
    ]


def unwritten_masks(rows: Manifest, variants: Coded, asked: Collection[str]) -> list[str]:
    """Return a note where rows wear a mask and no column of the CSVs shows it.

    Args:
        rows: with their tags.
        variants: their variants, of which those that the stage `mask` made say it.
        asked: names of the tags that become columns.
    """
    if "mask" in asked:
        return []
    unsaid = rows.column("mask").where(is_mask) & ~variants.where(lambda variant: "mask:" in (variant or ""))
    if not unsaid.any():
        return []
    what = "row wears a mask" if unsaid.sum() == 1 else "rows wear a mask"
    return [
        f"tags: {unsaid.sum()} {what}, and no column shows it: add mask to tags, or evaluations take them for plain"
    ]


def _dtype(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64" if all(abs(value) < 2**63 for value in values if value is not None) else "str"
    return "float64" if kinds and kinds <= {int, float} else "str"
