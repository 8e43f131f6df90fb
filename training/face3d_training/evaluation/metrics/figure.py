"""Figure with its interval, the arrays behind figures, and the JSON form of results."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

RAW = {"raw": True}
"""Metadata of fields that stay out of the JSON."""


@dataclass(frozen=True, eq=False)
class Figure:
    """One figure.

    Attributes:
        value: the figure, a share from 0 to 1 unless its place says otherwise; None where it cannot be measured.
        low: lower end of the interval; None without one.
        high: its upper end.
        why: why there is no value, or no interval; None where there are both.
        samples: f8 (R,), raw: the figure in each resample of people, NaN where that one gives none. Resample r draws
            the same people for every method and figure of one list, so that differences are paired.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str | None = None
    samples: np.ndarray | None = field(default=None, repr=False, metadata=RAW)


@dataclass(frozen=True, eq=False)
class ScoredPairs:
    """Pairs of rows and their similarities.

    Attributes:
        first: i64 (n,), row of each pair's first sample (the probe's).
        second: i64 (n,), row of its second.
        same: bool (n,), whether they show one person.
        scores: f8 (n,), similarities.
        fold: i64 (n,), number of the fold; None without folds.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    scores: np.ndarray
    fold: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Result of each probe of an identification.

    Attributes:
        probe: i64 (n,), its row.
        rank: i64 (n,), rank of its person; ties count against it.
        own: i64 (n,), row of the most similar enrolled sample of that person.
        own_score: f8 (n,), its similarity.
        rival: i64 (n,), row of the most similar enrolled sample of another person; -1 if nobody else is enrolled.
        rival_score: f8 (n,), its similarity; -inf if nobody else is enrolled.
        precision: f8 (n,), average precision: how far ahead of all others the enrolled samples of its person are.
    """

    probe: np.ndarray
    rank: np.ndarray
    own: np.ndarray
    own_score: np.ndarray
    rival: np.ndarray
    rival_score: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (of a sample, n - 1) of n numbers; `std` is None for one alone."""

    mean: float
    std: float | None
    n: int


def as_json(value: Any) -> Any:
    """Return a result as plain values for `json.dump`, raw arrays left out; numbers that are not finite become None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = (part.name for part in dataclasses.fields(value) if not part.metadata.get("raw"))
        return {name: as_json(getattr(value, name)) for name in kept}
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
