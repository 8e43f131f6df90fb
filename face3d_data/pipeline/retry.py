"""Retry of rejected inputs: rows of the last run are marked as errors, which the next run retries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from face3d_data.errors import UserError
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.look import look
from face3d_data.pipeline.result import RunResult
from face3d_data.pipeline.run import PIPELINE
from face3d_data.stage import Stage
from face3d_data.store.coded import MISSING
from face3d_data.store.manifest import Dirty
from face3d_data.store.part import RETRIED, PartRow
from face3d_data.store.workspace import StepCache, Workspace


def retry_rows(root: str | Path, pipeline: str, step: str | None = None, reason: str | None = None) -> int:
    """Mark this pipeline's rows without output so that the next run does them again.

    Works on runs that stopped early, too. Rows of other pipelines that share a step are left alone.

    Args:
        root: the workspace.
        pipeline: its name.
        step: only rows that `face3d dirty` lists under this step or source.
        reason: only rows with this reason.

    Returns:
        How many rows were marked.

    Raises:
        UserError: the pipeline has no such step.
    """
    root = Path(root)
    workspace = Workspace(root)
    built = load_pipeline(workspace.run_dir(pipeline) / PIPELINE)
    if step is not None and step not in built.ids:
        raise UserError(f"pipeline {pipeline!r} has no step or source {step!r} ({', '.join(built.ids)})")
    with workspace.running(pipeline):
        result = look(built, root)
        return sum(_mark(cache, rows, step, reason) for cache, rows in _cached(result))


def _cached(result: RunResult) -> Iterator[tuple[StepCache, list[Dirty]]]:
    """Yield each cache of the pipeline with the rows in it that gave no output."""
    tables = {step.id for step in result.pipeline.steps if not isinstance(step.component, Stage)}
    for name, made in result.steps.items():
        if name not in tables:
            yield result.workspace.step_cache(made.name, made.fingerprint), [*made.dirty, *made.unreadable]


def _mark(cache: StepCache, dirty: list[Dirty], step: str | None, reason: str | None) -> int:
    rows = cache.rows()
    known = rows.find([row.key for row in dirty]) != MISSING
    again = [
        PartRow(row.key, status=RETRIED, reason="retry_asked", detail=f"was {row.reason}", attempt=row.attempt + 1)
        for row, there in zip(dirty, known.tolist(), strict=True)
        if there and row.status != RETRIED and step in (None, row.step) and reason in (None, row.reason)
    ]
    if again:
        cache.add(list({row.input: row for row in again}.values()))
    return len(again)
