"""Freezing a split into a file: the steps up to the split are run, the dataset is not written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from face3d_data.errors import UserError
from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.store.manifest import Manifest
from face3d_data.table import TableStep
from face3d_data.tables.places import SPLIT_STATE, write_state
from face3d_data.tables.split import person_of


def split_of(
    pipeline: str,
    overrides: Sequence[str],
    workspace: Path,
    step_id: str | None,
    workers: Workers,
) -> tuple[Manifest, str]:
    """Return the rows of a split step, and its assignment as the text of a file for `frozen:`.

    A `frozen` file that does not exist yet is ignored: this function makes it.

    Raises:
        UserError: the pipeline has no split step, or it has several and none was chosen.
    """
    raw = load_pipeline(pipeline, overrides)
    step = _split_step(raw, step_id)
    built = replace(raw, steps=tuple(_thawed(one) if one.id == step.id else one for one in raw.steps))
    result = run(built, workspace, engine=workers, until=step.id)
    made = result.steps[step.id]
    return made.entries, made.state.get(SPLIT_STATE) or _places_of(made.entries, step.component)


def _places_of(rows: Manifest, table: object) -> str:
    """Return the places of a step that keeps none itself, as the text of a CSV."""
    unit = table.keeps_together() if isinstance(table, TableStep) else "identity"
    names = (person_of(entry.identity) if unit == "identity" else entry.origin_id for entry in rows)
    places = dict(zip(names, rows.values("split").tolist(), strict=True))
    return write_state("# places as they are", unit, places)


def _thawed(step: Step) -> Step:
    frozen = getattr(step.component, "frozen", None)
    missing = frozen is not None and not frozen.exists()
    return replace(step, component=step.component.model_copy(update={"frozen": None})) if missing else step


def _split_step(pipeline: Pipeline, step_id: str | None) -> Step:
    steps = [step for step in pipeline.steps if step.assigns_split]
    if step_id is not None:
        steps = [step for step in steps if step.id == step_id]
    if len(steps) != 1:
        known = ", ".join(step.id for step in pipeline.steps if step.assigns_split) or "none"
        raise UserError(f"pipeline {pipeline.name!r}: choose one split step with --step (split steps: {known})")
    return steps[0]
