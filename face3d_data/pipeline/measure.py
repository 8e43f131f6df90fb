"""Image sizes that a dataset takes straight from a source: measured once, in workers, and stored by content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from face3d_data.pipeline.fused import run_fused
from face3d_data.pipeline.result import RunSettings, StepResult
from face3d_data.pipeline.spec import Step
from face3d_data.sample import ARRAYS, Sample
from face3d_data.shards.schema import DatasetSpec, is_fixed
from face3d_data.stage import Stage
from face3d_data.store.manifest import Manifest
from face3d_data.store.place import read
from face3d_data.store.places import RowPlace

if TYPE_CHECKING:
    from face3d_data.pipeline.result import RunResult


class Measure(Stage):
    """Read arrays, so that those that cannot be are known, and keep their shapes as tags."""

    name = "measure_rows"
    version = 1
    arrays: tuple[str, ...] = Field(description="arrays to read, those that are there")

    def run(self, sample: Sample, rng: np.random.Generator | None) -> Iterator[Sample]:
        """Yield the sample with a tag `size_<array>` for each array, such as `480x640x3`."""
        shapes = {name: sample.arrays[name].shape for name in self.arrays if name in sample.arrays}
        yield sample.with_tags(**{f"size_{name}": "x".join(map(str, shape)) for name, shape in shapes.items()})


class Sizes:
    """Stands in for reading arrays where only their shape is asked for."""

    def __init__(self, measured: StepResult | None, rows: Manifest) -> None:
        entries = measured.entries if measured is not None else []
        self._tags = {entry.id: entry.tags for entry in entries}
        self._ids = dict(zip(rows.places, rows.arrays["id"], strict=True)) if self._tags else {}

    def __call__(self, place: RowPlace, name: str) -> np.ndarray:
        """Return an array of the right shape that takes no memory; an array that nobody measured is read."""
        size = self._tags.get(self._ids.get(place, ""), {}).get(f"size_{name}")
        if not isinstance(size, str):
            return read(place.resolved, name)
        return np.broadcast_to(np.zeros((), ARRAYS[name].dtype), tuple(map(int, size.split("x"))))


def measure_rows(name: str, spec: DatasetSpec, result: RunResult, settings: RunSettings) -> StepResult | None:
    """Measure the rows of a dataset whose fields lie in their source; None where there are none.

    Raises:
        RunStopped: no memory or no disk.
    """
    fields = tuple(field for field in spec.fields if not is_fixed(field))
    rows = result.entries(spec.upstream)
    inputs = rows.where(rows.places.at_source().where(lambda names: bool(names) and not names.isdisjoint(fields)))
    if not len(inputs):
        return None
    stage = Measure(arrays=fields)
    step = Step(f"dataset:{name}", stage, (spec.upstream,))
    return run_fused((step,), result.pipeline, result.workspace, inputs, settings)[step.id]
