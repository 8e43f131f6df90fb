"""Lineage: every step that produced a sample, with the arrays that it had there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from face3d_data.store.manifest import Entry
from face3d_data.store.place import SourcePlace, StorageLocation


@dataclass(frozen=True)
class Stop:
    """One station of a sample's way.

    Attributes:
        step: id of the source or step.
        key: the row's key there.
        place: where its arrays live; `place.names` and `place.read(name)`.
        changed: arrays that this step set; all arrays, for the source.
    """

    step: str
    key: str
    place: StorageLocation | SourcePlace
    changed: tuple[str, ...]

    def arrays(self) -> dict[str, np.ndarray]:
        """Read every array that the sample had after this step."""
        return {name: self.place.read(name) for name in sorted(self.place.names)}


def trace(entry: Entry) -> Iterator[Stop]:
    """Yield the stops of a row, from its source on."""
    for place in reversed(list(entry.place.chain())):
        if isinstance(place, StorageLocation):
            yield Stop(place.step, place.key, place, tuple(sorted(place.shapes)))
        else:
            yield Stop(entry.source, place.key, place, tuple(sorted(place.names)))
