"""Looks: ways of comparing the samples of a dataset by arrays that may show one recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class FacePart:
    """What of a face is described: all of it, or what masks leave free.

    Attributes:
        name: what lines call it.
        descriptors: f4 (n, k).
        most: Euclidean distance up to which two are compared closely.
    """

    name: str
    descriptors: np.ndarray
    most: float


class Look(Protocol):
    """One way to look at the samples of a dataset."""

    @property
    def name(self) -> str:
        """The array that is looked at."""

    @property
    def parts(self) -> Sequence[FacePart]:
        """The parts of each face."""

    @property
    def places(self) -> np.ndarray:
        """The rows of the table that the descriptors are of, i8 (n,)."""

    @property
    def notes(self) -> Sequence[str]:
        """What makes the look less sure than it was measured to be."""

    def confirm(self, first: int, second: int, part: int) -> str | None:
        """Return in words how near two rows are if they show one recording, None if they do not."""
