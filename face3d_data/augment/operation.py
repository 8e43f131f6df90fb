"""Base of augmentation operations: strengths are fields, and the record of a draw decides the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from face3d_data.sample import PER_POINT, Tag

ArrayNames = tuple[str, ...]
Record = Mapping[str, Tag]

DIGITS = 4
"""Decimals of a drawn value: it is rounded before it is applied, so that what is stored is what was done."""
SEEDS = 2**32


class Operation(BaseModel):
    """One change of a face's arrays: a frozen model whose fields are its strengths and ranges, zero = identity.

    `draw` chooses every value that decides the result and `apply` does it, from the arrays and that record alone, so
    that a stored record does the same again, in a stage or in a training loader. Bulk noise enters a record by a seed.

    Names of fields and of drawn values are unique among all operations: a stage's options and tags are made of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    kind: ClassVar[str] = "augmentation"
    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    """Raised with every change of what a record does: cached results of stage `augment` rest on it."""
    after: ClassVar[str] = ""
    """Name of the shipped operation that one of another package follows; empty: it is the last."""
    needs: ClassVar[ArrayNames] = ()
    """Arrays without any one of which the operation changes nothing: see `groups` and `fits`."""
    acts_on: ClassVar[ArrayNames] = ()
    """Arrays that the operation may change; all but `pose` only where they are present."""
    reads: ClassVar[ArrayNames] = ()
    """Arrays that it looks at beside those that it needs or acts on, where present."""
    removes: ClassVar[ArrayNames] = ()
    """Arrays that no longer belong to the face once the operation has changed anything."""
    draws: ClassVar[ArrayNames] = ()
    """ArrayNames of the values in its records."""
    strengths: ClassVar[ArrayNames] = ()
    """Fields of which one at least is not zero (or empty) where the operation is on."""
    identity_suffix: ClassVar[str] = ""
    """Set where the operation makes another person of a face: see `new_identity`."""

    def is_on(self) -> bool:
        """Tell whether the operation does anything at all with these strengths."""
        return any(bool(getattr(self, name)) for name in self.strengths)

    def groups(self) -> tuple[ArrayNames, ...]:
        """Return the complete alternative groups of arrays that the operation can work on: `needs`, if only one."""
        return (self.needs,)

    def fits(self, arrays: Mapping[str, np.ndarray]) -> bool:
        """Tell whether the arrays at hand hold all that the operation needs; otherwise it changes nothing."""
        return any(all(name in arrays for name in group) for group in self.groups())

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return a record: every value that decides the result, rounded as it is stored, by the names in `draws`."""
        raise NotImplementedError

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the arrays that change, new ones; those given are not written to.

        Args:
            arrays: arrays by the names in `sample.ARRAYS`, in their declared forms.
            record: what `draw` returned; other keys are let be.
        """
        raise NotImplementedError

    def new_identity(self, record: Record) -> str:
        """Return the suffix of the identity after this draw: empty where the face is still that person's."""
        return ""


def uniform(rng: np.random.Generator, low: float, high: float, digits: int = DIGITS) -> float:
    """Return a value drawn evenly from a range, rounded as it is stored and never beyond the range by that."""
    return float(np.clip(round(float(rng.uniform(low, high)), digits), low, high))


def draw_seed(rng: np.random.Generator) -> int:
    """Return a seed for noise that is too much to record."""
    return int(rng.integers(SEEDS))


def take_rows(arrays: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return `points` and every per-point array that is present with only these rows, in this order.

    Args:
        arrays: arrays by name, `points` among them.
        rows: int or bool (N,), as NumPy indexing takes them.
    """
    names = ("points", *(name for name in PER_POINT if name in arrays))
    return {name: np.ascontiguousarray(arrays[name][rows]) for name in names}
