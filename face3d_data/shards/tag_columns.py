"""Tags of a dataset's rows as columns of its CSVs, and notes on tags that are empty or were not asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from face3d_data.tables.protocol import wears_mask

if TYPE_CHECKING:
    import pandas as pd


def tag_columns(tags: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the columns that a dataset's CSVs have of tags, and each one's dtype in pandas.

    Whole numbers are `Int64`, numbers `float64`, true and false `boolean`, and whatever holds a text is `str`. A row
    without the tag has None.

    Args:
        tags: a manifest; a name that it lacks is a column of None.
        names: the tags.
    """
    import pandas as pd

    empty = [None] * len(tags)
    values = {name: tags[name].tolist() if name in tags else empty for name in names}
    known = {name: [None if pd.isna(value) else value for value in column] for name, column in values.items()}
    columns = {name: pd.Series(column, index=tags.index, dtype=object) for name, column in known.items()}
    return pd.DataFrame(columns, index=tags.index), {name: _dtype(column) for name, column in known.items()}


def empty_tags(asked: pd.DataFrame) -> list[str]:
    """Return a note for each tag that no row has.

    Args:
        asked: columns as `tag_columns` gives them.
    """
    return [f"tags: no row has {name!r}: its column is empty" for name in asked if asked[name].isna().all()]


def unwritten_masks(tags: pd.DataFrame, variants: pd.Series, asked: Collection[str]) -> list[str]:
    """Return a note where rows wear a mask and no column of the CSVs shows it.

    Args:
        tags: the rows, with their tags.
        variants: their variants, of which those that the stage `mask` made say it.
        asked: names of the tags that become columns.
    """
    if "mask" in asked:
        return []
    unsaid = wears_mask(tags) & ~variants.str.contains("mask:", regex=False).to_numpy(bool)
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
