"""Preparation of a dataset's samples: the stages that made them of captures, as a record that a network keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from face3d_data.digest import canonical
from face3d_data.pipeline.spec import Pipeline
from face3d_data.shards.schema import DatasetSpec
from face3d_data.stage import Stage

Way = tuple[Stage, ...]


def preparation_record(pipeline: Pipeline, spec: DatasetSpec) -> dict[str, Any]:
    """Return how captures become samples of a dataset, so that others can be prepared in the same way.

    Stages that make variants of a face (masks, augmentation) are no preparation: where rows come without them too, only
    those ways count; where none does, these stages are left out.

    Args:
        pipeline: all steps.
        spec: the dataset.

    Returns:
        `ways`: each a list of {`stage`, `version`, `with`: its parameters}, from a source to the dataset, the shortest
        first; `dtype` and `normalize`: how the dataset stores arrays.
    """
    ways = _ways(pipeline)[spec.upstream]
    plain = [way for way in ways if not any(stage.variants for stage in way)]
    kept = plain or [tuple(stage for stage in way if not stage.variants) for way in ways]
    records = [[_record(stage) for stage in way] for way in _different(kept)]
    return {
        "ways": sorted(records, key=lambda record: (len(record), canonical(record))),
        "dtype": spec.dtype,
        "normalize": spec.normalize,
    }


def _ways(pipeline: Pipeline) -> dict[str, list[Way]]:
    """Return for each source and step the stages by which rows come to it."""
    ways: dict[str, list[Way]] = {source.id: [()] for source in pipeline.sources}
    for step in pipeline.steps:
        own = (step.component,) if isinstance(step.component, Stage) else ()
        ways[step.id] = _different((*way, *own) for upstream in step.upstream for way in ways[upstream])
    return ways


def _different(ways: Iterable[Way]) -> list[Way]:
    """Return each way once."""
    return list({canonical([_record(stage) for stage in way]): way for way in ways}.values())


def _record(stage: Stage) -> dict[str, Any]:
    placing = {name for name, info in type(stage).model_fields.items() if info.exclude}
    return {"stage": stage.name, "version": stage.version, "with": stage.model_dump(mode="json", exclude=placing)}
