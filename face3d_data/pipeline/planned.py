"""Plan of a dataset from a run: its rows, and all that dataset.json says of how they came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from face3d_data.errors import UserError
from face3d_data.pipeline.lock import pipeline_digest
from face3d_data.pipeline.measure import Sizes
from face3d_data.pipeline.people import same_person_lines
from face3d_data.pipeline.preparation import preparation_record
from face3d_data.sample import Tag
from face3d_data.shards.dataset_plan import DatasetPlan
from face3d_data.shards.origin import DatasetOrigin
from face3d_data.shards.pair_lists import PublishedPairs
from face3d_data.shards.plan import plan_dataset
from face3d_data.shards.schema import DatasetSpec
from face3d_data.stage import Stage
from face3d_data.store.manifest import Dirty, Manifest
from face3d_data.store.manifest_files import DIRTY_ROW_COLUMNS
from face3d_data.table import TableStep

if TYPE_CHECKING:
    import pandas as pd

    from face3d_data.pipeline.result import RunResult
    from face3d_data.pipeline.spec import Pipeline


def planned(
    name: str, result: RunResult, rows: Manifest, unreadable: Sequence[Dirty], sizes: Sizes, allow_leaks: bool
) -> DatasetPlan:
    """Return the plan of one of a pipeline's datasets.

    Args:
        name: of the dataset.
        result: of the run.
        rows: those that can be read.
        unreadable: the others.
        sizes: of what lies in sources.
        allow_leaks: publish a dataset whose splits leak.

    Raises:
        UserError: no row can be written, or they do not fit together.
        RunStopped: the splits leak.
    """
    pipeline = result.pipeline
    spec = pipeline.datasets[name]
    origin = DatasetOrigin(
        pipeline=pipeline.name,
        pipeline_digest=pipeline_digest(pipeline),
        by=_split_kind(pipeline, spec),
        dirty=_dirty_frame([*dirty_before(result, spec), *unreadable]),
        makers=_makers(pipeline),
        read=sizes,
        same_person=same_person_lines(pipeline),
        readers={source.id: source.reader.name for source in pipeline.sources},
        array_attributes=_array_attributes(name, pipeline, spec),
        pair_lists=published_pairs(pipeline, spec),
        preparation=preparation_record(pipeline, spec),
    )
    return plan_dataset(rows, spec, name=name, seed=pipeline.seed, allow_leaks=allow_leaks, origin=origin)


def _split_kind(pipeline: Pipeline, spec: DatasetSpec) -> str:
    """Return `capture` where a closed-set split lies upstream of the dataset, else `identity`."""
    needed = pipeline.upstream_of([spec.upstream])
    steps = [step.component for step in pipeline.steps if step.id in needed and step.assigns_split]
    kept = [table.keeps_together() for table in steps if isinstance(table, TableStep)]
    return "capture" if "capture" in kept else "identity"


def published_pairs(pipeline: Pipeline, spec: DatasetSpec) -> dict[str, PublishedPairs]:
    """Return the lists of pairs that the sources of a dataset publish; of two of one name, the second is `NAME-source`.

    Raises:
        UserError: a list cannot be read.
    """
    needed = pipeline.upstream_of([spec.upstream])
    found: dict[str, PublishedPairs] = {}
    for source in (source for source in pipeline.sources if source.id in needed):
        for name, pairs in source.reader.pair_lists().items():
            mine = name if name not in found else f"{name}-{source.id}"
            found[mine] = PublishedPairs(source.dataset, source.capture_prefix, pairs)
    return found


def _makers(pipeline: Pipeline) -> dict[str, dict[str, str]]:
    makers: dict[str, dict[str, str]] = {}
    for step in pipeline.steps:
        if isinstance(step.component, Stage):
            for name in sorted(step.component.created()):
                makers.setdefault(name, {})[step.id] = step.component.name
    return makers


def _array_attributes(name: str, pipeline: Pipeline, spec: DatasetSpec) -> dict[str, Mapping[str, Tag]]:
    """Return what the stages upstream of a dataset say of the numbers in its fields.

    Raises:
        UserError: rows whose numbers mean different things come together.
    """
    after: dict[str, dict[str, Mapping[str, Tag]]] = {}
    for step in pipeline.steps:
        found: dict[str, Mapping[str, Tag]] = {}
        for field, said in (pair for upstream in step.upstream for pair in after.get(upstream, {}).items()):
            if found.setdefault(field, said) != said and step.id in pipeline.upstream_of([spec.upstream]):
                first = found[field]
                differing = sorted(key for key in {**first, **said} if first.get(key) != said.get(key))
                shown = ", ".join(f"{key} is {first.get(key)} and {said.get(key)}" for key in differing)
                raise UserError(
                    f"dataset {name!r}: {field!r} is made in two ways that come together in step {step.id!r} "
                    f"({shown}): give the steps that make it the same options"
                )
        own = step.component.array_attributes() if isinstance(step.component, Stage) else {}
        after[step.id] = {**found, **own}
    return {field: said for field, said in after.get(spec.upstream, {}).items() if field in spec.fields}


def dirty_before(result: RunResult, spec: DatasetSpec) -> list[Dirty]:
    """Return the dirty rows of everything upstream of a dataset."""
    needed = result.pipeline.upstream_of([spec.upstream])
    return [row for step_id, step in result.steps.items() if step_id in needed for row in step.dirty]


def _dirty_frame(rows: Sequence[Dirty]) -> pd.DataFrame:
    import pandas as pd

    columns = {name: [getattr(row, name) for row in rows] for name in DIRTY_ROW_COLUMNS}
    return pd.DataFrame(columns, dtype=object)
