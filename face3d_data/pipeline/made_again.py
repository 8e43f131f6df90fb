"""Arrays that a fused step handed on, made again in memory from the last place on the way that has its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from face3d_data.digest import digest, seed_from
from face3d_data.pipeline.spec import Pipeline
from face3d_data.sample import Arrays, Sample, Tag
from face3d_data.store.place import NotStored, SourcePlace, StorageLocation


def arrays_at(
    pipeline: Pipeline, place: StorageLocation | SourcePlace, tags: Mapping[str, Tag]
) -> dict[str, np.ndarray]:
    """Return every array that a row had at a place, read or computed; nothing is written.

    Args:
        pipeline: made the row.
        place: one of its places.
        tags: of the row; a stage that reads tags is given these.

    Raises:
        NotStored: the row comes out otherwise now, as a later stage changed a tag that an earlier one reads.
        Reject: a file of its source cannot be used any more.
    """
    arrays = _arrays(pipeline, place, tags)
    return {name: arrays[name] for name in sorted(arrays)}


def _arrays(pipeline: Pipeline, place: StorageLocation | SourcePlace, tags: Mapping[str, Tag]) -> Arrays:
    found = [place.find(name) for name in place.names]
    if isinstance(place, SourcePlace) or all(isinstance(one, SourcePlace) or one.stored for one in found):
        return Arrays({name: partial(place.read, name) for name in sorted(place.names)})
    step, before = pipeline.step(place.step), _arrays(pipeline, place.parent, tags)
    stage, fingerprint, key = step.stage, step.fingerprint(pipeline.seed), place.parent.key
    sample = Sample(before, stage.tags_read(tags), key=key)
    rng = np.random.default_rng(seed_from(fingerprint, key)) if stage.random else None
    outputs = stage.run_batch([sample], [rng])[0]
    if isinstance(outputs, Exception):
        raise outputs
    for i, output in enumerate(outputs):
        if digest(fingerprint, stage.input_key(key, tags), i) == place.key:
            made = output.arrays
            return Arrays({name: partial(made.__getitem__, name) for name in made})
    raise NotStored(f"step {place.step!r} does not keep its arrays: give it keep: true, and run")
