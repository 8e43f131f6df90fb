"""Batch of samples out of shards: arrays stacked, items as views into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Batch(Sequence[dict[str, Any]]):
    """Samples gathered at once: `arrays` holds them stacked, items are views into it.

    torch's default collate takes it as a list of samples; `ShardReader.stack` as `collate_fn` costs nothing.
    """

    __slots__ = ("arrays",)

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays["label"])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Batch({name: array[index] for name, array in self.arrays.items()})
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return {name: array[index] for name, array in self.arrays.items()}
