"""Fused steps: which stages of a pipeline run as one task each input, and which of them store their arrays.

A step is fused with the one after it where nothing but that step needs its arrays: that step is a stage that takes its
rows alone and all of them (no `where`), no other step and no dataset takes them, the step is not kept (`keep: true`),
and neither stage bounds its workers (those share a device, and the other's work would wait for it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.stage import Stage

SMALL_BYTES = 16_000
"""Stages whose outputs are smaller store them though they are fused: what follows a detector begins there again."""
FusedSteps = tuple[Step, ...]
"""Steps that follow one another; a single one where nothing is fused."""


def fused_steps(pipeline: Pipeline, wanted: Sequence[Step]) -> Mapping[str, FusedSteps]:
    """Return for each of the steps to run that is a stage the fused steps that it belongs to.

    Args:
        pipeline: all steps.
        wanted: those that run, in order; the last of them ends what is fused, whatever follows it in the pipeline.
    """
    groups: dict[str, FusedSteps] = {}
    for step in wanted:
        if not isinstance(step.component, Stage):
            continue
        before = groups.get(step.upstream[0], ())
        fused = before if before and _hands_on(pipeline, before[-1], step) else ()
        group = (*fused, step)
        groups |= dict.fromkeys((one.id for one in group), group)
    return groups


def stores(steps: FusedSteps, step: Step) -> bool:
    """Return whether the arrays of one of some fused steps are stored: of the last, and of those that store little."""
    return step is steps[-1] or step.stage.output_bytes() <= SMALL_BYTES


def _hands_on(pipeline: Pipeline, step: Step, following: Step) -> bool:
    """Return whether `following` alone needs the arrays of `step`."""
    takers = [other.id for other in pipeline.steps if step.id in other.upstream]
    published = any(spec.upstream == step.id for spec in pipeline.datasets.values())
    alone = takers == [following.id] and not published and not step.keep
    all_rows = following.upstream == (step.id,) and not following.where
    free = all(isinstance(one.component, Stage) and one.component.workers_at_once is None for one in (step, following))
    return alone and all_rows and free
