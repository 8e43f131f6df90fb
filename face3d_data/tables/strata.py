"""Strata: properties of people (or captures) of which every split, or every choice, gets its share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from face3d_data.errors import UserError, did_you_mean
from face3d_data.table import FIXED_COLUMNS
from face3d_data.tables.protocol import wears_mask

if TYPE_CHECKING:
    import pandas as pd

MASKED = "masked"
"""A stratum without a column: whether there is a mask in any of the rows."""
COLUMNS = ("source", "dataset", "variant")
"""Columns beside tags that strata may be of."""


def strata_of(frame: pd.DataFrame, units: Sequence[str], names: Sequence[str], where: str) -> dict[str, str]:
    """Return the stratum of each unit, as text for people to read: `source d415, masked no`.

    A unit whose rows have several values is of a stratum of these: `source bosphorus+d415`.

    Args:
        frame: a manifest.
        units: the unit of each of its rows.
        names: `masked`, one of `COLUMNS`, or tags.
        where: what messages name first.

    Raises:
        UserError: a name is none of these.
    """
    tags = [name for name in frame.columns if name not in FIXED_COLUMNS]
    found: dict[str, list[str]] = {unit: [] for unit in units}
    for name in names:
        if name in tags or name in COLUMNS:
            values: Iterable[Any] = frame[name].tolist()
        elif name == MASKED:
            values = wears_mask(frame).tolist()
        else:
            known = list(dict.fromkeys((*COLUMNS, MASKED, *tags)))
            raise UserError(
                f"{where}: stratify: {name!r} is not a tag or column here (there are: {', '.join(known)}): correct it"
                f"{did_you_mean(name, known)}"
            )
        of_unit: defaultdict[str, set[str]] = defaultdict(set)
        for unit, value in zip(units, values, strict=True):
            of_unit[unit].add(_text(value))
        for unit, texts in found.items():
            mine = {"yes"} if name == MASKED and "yes" in of_unit[unit] else of_unit[unit]
            texts.append(f"{name} {'+'.join(sorted(mine))}")
    return {unit: ", ".join(texts) for unit, texts in found.items()}


def _text(value: Any) -> str:
    import pandas as pd

    if isinstance(value, bool):
        return "yes" if value else "no"
    return "?" if pd.isna(value) else str(value)
