"""Table of a split: training rows, masks, and the visible share of each face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset
from face3d_data.tables.query_rows import matching

if TYPE_CHECKING:
    import pandas as pd

PLAIN = ("none", "")
"""Values of the tag `mask` of a face that wears none, or of which it is not known."""


PlainRatio = Literal["as_masked", "whole"]
"""What a plain face is labelled with where a network learns the visible share."""
Splits = str | tuple[str, ...]
"""A split of a dataset, or several, which count as one: their rows one after the other."""


def split_said(split: Splits) -> str:
    """Return what messages and records call a split, or several."""
    return split if isinstance(split, str) else ",".join(split)


def rows_of(
    source: Dataset, split: Splits, where: str | None, notes: list[str] | None = None, key: str = "data.where"
) -> pd.DataFrame:
    """Return the rows of a split that match, indexed by their places in it.

    Args:
        source: the dataset.
        split: one of its splits, or several.
        where: query on the columns of the CSV; None: all rows.
        notes: gets a line for each value in it that no row has.
        key: what messages call the query.

    Raises:
        UserError: there is no such split, no row is left, or the query cannot be evaluated.
    """
    several = (split,) if isinstance(split, str) else split
    unknown = next((one for one in several if one not in source.splits), None)
    if unknown is not None:
        raise UserError(f"dataset {source.name}: has no split {unknown!r}: choose one of {', '.join(source.splits)}")
    table = _joined([source.table(one) for one in several])
    if not len(table):
        there = [name for name in source.splits if len(source.table(name))]
        remedy = f"choose one of {', '.join(there)}" if there else "so is the whole dataset: look at its dirty.csv"
        raise UserError(f"dataset {source.name}: split {split_said(split)!r} is empty: {remedy}")
    if where is None:
        return table
    told: list[str] = []
    kept = table[matching(table, where, key, told)]
    if not len(kept):
        why = f" ({'; '.join(told)})" if told else ""
        raise UserError(
            f"{key}: no row of split {split_said(split)!r} of dataset {source.name} matches {where!r}{why}: change it"
        )
    if notes is not None:
        notes += told
    return kept


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return (
        tables[0] if len(tables) == 1 else pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)
    )


def people_of(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return i8 (n,) each row's person as a place among the sorted names, and the identities in that order."""
    import pandas as pd

    labels, _ = pd.factorize(table["name"], sort=True)
    first = np.unique(labels, return_index=True)[1]
    return labels.astype(np.int64), table["identity"].iloc[first].tolist()


def who_is_masked(table: pd.DataFrame) -> np.ndarray:
    """Return bool (n,) who wears a mask: as the tag tells, or the variant where the dataset has no such tag."""
    by_variant = table["variant"].str.contains("mask:", regex=False).to_numpy(bool)
    return ~table["mask"].isin(PLAIN).to_numpy(bool) | by_variant if "mask" in table else by_variant


def visible_ratios(table: pd.DataFrame) -> np.ndarray:
    """Return f4 (n,) the share of each face that is visible; NaN = not known, 1 where the tag tells of no mask."""
    known = _tagged_ratios(table)
    plain = table["mask"].eq("none").to_numpy(bool) if "mask" in table else np.zeros(len(table), bool)
    return np.where(np.isnan(known) & plain, 1.0, known).astype(np.float32)


def ratio_labels(table: pd.DataFrame, plain: PlainRatio) -> np.ndarray:
    """Return f4 (n,) the visible share that a network is to find in each face; NaN = not known.

    Args:
        table: the rows.
        plain: `whole`: what is visible, 1 of plain faces. `as_masked`: a plain face has that of its masked variants,
            their mean, so that the same part is looked for in both, as Ding et al. train (2020, doi
            10.1145/3394171.3413731; their code reads one share of an image and its masked copies from its file's name);
            where a plain face has no masked variant, and its tag says nothing, it is not known.
    """
    visible = visible_ratios(table)
    if plain == "whole":
        return visible
    masked = who_is_masked(table)
    tagged = ~np.isnan(_tagged_ratios(table))
    captures = np.unique(table["origin_id"].to_numpy(str), return_inverse=True)[1]
    counted = masked & ~np.isnan(visible)
    sums, counts = (
        np.bincount(captures[counted], values, captures.max(initial=-1) + 1) for values in (visible[counted], None)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        of_masked = (sums / counts)[captures]
    return np.where(masked | tagged, visible, of_masked).astype(np.float32)


def _tagged_ratios(table: pd.DataFrame) -> np.ndarray:
    """Return f8 (n,) the tag `visible_ratio`, NaN where there is none."""
    import pandas as pd

    if "visible_ratio" not in table:
        return np.full(len(table), np.nan)
    return pd.to_numeric(table["visible_ratio"], errors="coerce").to_numpy(np.float64, na_value=np.nan)


def shapes_of(source: Dataset) -> dict[str, tuple[int, ...]]:
    """Return the arrays of a dataset's shards and the shape of one row of each, `clouds.FRAME` among them."""
    shapes = {name: tuple(shape) for name, shape in source.info["shapes"].items()}
    return shapes | ({"centroid": (3,), "scale": ()} if source.info["spec"]["normalize"] else {})
