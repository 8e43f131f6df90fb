"""Looks: ways of comparing the samples of a dataset by arrays that may show one recording."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from face3d_data.shards.batch import Batch
from face3d_data.shards.read import Dataset, ShardReader

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FacePart:
    """What of a face is described: all of it, or what masks leave free.

    Attributes:
        name: what lines call it.
        length: numbers of a descriptor.
        most: Euclidean distance of two descriptors up to which samples are compared closely.
    """

    name: str
    length: int
    most: float


@dataclass(frozen=True)
class Described:
    """Descriptors of some samples.

    Attributes:
        shown: bool (n,), whether a sample shows a face.
        poor: bool (n,), whether it shows so little of it that copies may not be found.
        descriptors: f4 (n, k) of each part.
        laid: (n, …), what comparing two samples closely needs beside their arrays.
    """

    shown: np.ndarray
    poor: np.ndarray
    descriptors: tuple[np.ndarray, ...]
    laid: np.ndarray


class Comparison(Protocol):
    """Close comparison of samples; keeps what it has read."""

    def confirm(self, first: int, second: int, part: int) -> str | None:
        """Return in words how near two rows are if they show one recording, None if they do not."""


class Look(Protocol):
    """One way to look at the samples of a dataset; it can be sent to workers."""

    @property
    def name(self) -> str:
        """The array that is looked at."""

    @property
    def parts(self) -> Sequence[FacePart]:
        """The parts of each face."""

    @property
    def laid_shape(self) -> tuple[int, ...]:
        """The shape of what is kept of each sample for comparing it, f8."""

    @property
    def poor_note(self) -> str:
        """What poor samples are, and what of it."""

    def describe(self, start: int, stop: int) -> Described:
        """Describe the rows from `start` to `stop` of the table."""

    def comparison(self, laid: Mapping[int, np.ndarray]) -> Comparison:
        """Return the comparison of rows; `laid` has what was kept of each."""


@dataclass(frozen=True)
class SplitRows:
    """Samples of a dataset by the rows of its table, which has them split by split.

    Attributes:
        path: the dataset's folder.
        sizes: splits, and how many rows each has.
        fields: what is read.
        search: name of the search that reads: a dataset that was made again meanwhile is opened again.
    """

    path: Path
    sizes: tuple[tuple[str, int], ...]
    fields: tuple[str, ...]
    search: str = field(default_factory=lambda: uuid.uuid4().hex)

    @staticmethod
    def of(dataset: Dataset, table: pd.DataFrame, fields: Sequence[str]) -> SplitRows:
        """Return the rows of a table."""
        sizes = ((str(split), len(rows)) for split, rows in table.groupby("split", sort=False))
        return SplitRows(dataset.path, tuple(sizes), tuple(fields))

    def __len__(self) -> int:
        return sum(size for _, size in self.sizes)

    def batches(self, start: int, stop: int, at_once: int) -> Iterator[tuple[int, Batch]]:
        """Yield the first row of each batch, and its arrays."""
        first = 0
        for split, size in self.sizes:
            low, high = max(start - first, 0), min(stop - first, size)
            for at in range(low, high, at_once):
                yield first + at, _reader(self, split).__getitems__(range(at, min(at + at_once, high)))
            first += size

    def at(self, row: int) -> dict[str, Any]:
        """Return the arrays of one row."""
        return dict(next(self.batches(row, row + 1, 1))[1][0])


@lru_cache(maxsize=8)
def _reader(rows: SplitRows, split: str) -> ShardReader:
    return Dataset(rows.path).reader(split, list(rows.fields))
