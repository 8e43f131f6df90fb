"""Damage in the cache: if one part is damaged all are checked, so that one run finds them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from face3d_data.errors import DamagedCache
from face3d_data.pipeline.spec import Pipeline
from face3d_data.plurals import counted
from face3d_data.store.part import BadPart, read_part_rows
from face3d_data.store.part_arrays import check_arrays
from face3d_data.store.workspace import StepCache, Workspace

SHOWN = 5
"""Damaged parts that the message names."""


@contextmanager
def finding_all_damage(pipeline: Pipeline, workspace: Workspace) -> Iterator[None]:
    """Where a damaged part stops the block, check all parts of the pipeline's steps, and remove those that are damaged.

    Raises:
        DamagedCache: naming all of them.
    """
    try:
        yield
    except DamagedCache as error:
        caches = [workspace.step_cache(step.component.name, step.fingerprint(pipeline.seed)) for step in pipeline.steps]
        others = list(damaged_parts(caches))
        for bad in others:
            bad.discard()
        raise DamagedCache(_message(str(error).partition(": it was removed")[0], others)) from None


def damaged_parts(caches: Iterable[StepCache]) -> Iterator[BadPart]:
    """Yield every part whose rows or arrays are not what was written; each `.h5` is read whole."""
    for cache in caches:
        for path in sorted(cache.parts.glob("*.jsonl")):
            try:
                if any(row.held for row in read_part_rows(path)):
                    check_arrays(path.with_suffix(".h5"))
            except BadPart as error:
                yield error


def _message(first: str, others: list[BadPart]) -> str:
    found = [first, *map(str, others)]
    shown = "; ".join(found[:SHOWN]) + (f"; {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    what = "1 part of the cache was damaged and removed" if len(found) == 1 else (
        f"{counted(len(found), 'part of the cache was', 'parts of the cache were')} damaged and removed"
    )  # fmt: skip
    return f"{what}: {shown}: run again, and what was in them is made again"
