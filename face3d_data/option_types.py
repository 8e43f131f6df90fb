"""Option types that several components share: weights by name, and ranges with the smaller number first."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from face3d_data.component import distinct_names

Range = tuple[float, float]
Weight = Annotated[float, Field(gt=0, le=1e6)]


def equal_weights(value: Any) -> Any:
    """Return names, a list or `a,b` as on the command line, as equal weights; anything else as it is."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        return value
    try:
        return dict.fromkeys((name.strip() for name in distinct_names(names)), 1.0)
    except ValueError as error:
        raise ValueError(f"{error}; for another weight than 1 write {{name: 2}}") from None


def ordered(value: Range) -> Range:
    """Return a range, smaller number first.

    Raises:
        ValueError: it is not.
    """
    if value[0] > value[1]:
        raise ValueError("give the smaller number first")
    return value
