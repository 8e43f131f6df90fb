"""Frames of points in planning: a stage that needs one frame gets no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from face3d_data.errors import UserError
from face3d_data.stage import Stage

if TYPE_CHECKING:
    from face3d_data.pipeline.spec import Pipeline

REMEDIES = {"face": "put align_3d before it", "camera": "put it before the stage that moves them"}


def check_frames(pipeline: Pipeline) -> None:
    """Check that every stage that declares a frame is given points in it.

    Points of a source are in the camera frame, unless it gives `pose` with them: where that leads is known of each
    capture alone, so that nothing is refused.

    Raises:
        UserError: naming the step, its upstream and the stage that is lacking.
    """
    known = {source.id: "" if "pose" in source.reader.provides() else "camera" for source in pipeline.sources}
    for step in pipeline.steps:
        stage = step.component
        wanted = stage.frame if isinstance(stage, Stage) else ""
        for upstream in step.upstream:
            if wanted and known[upstream] not in ("", wanted):
                raise UserError(
                    f"step {step.id!r} ({stage.name}) takes points in the {wanted} frame, and those of {upstream!r} "
                    f"are in the {known[upstream]} frame: {REMEDIES[wanted]}"
                )
        frames = {known[upstream] for upstream in step.upstream}
        given = stage.gives_frame if isinstance(stage, Stage) else ""
        known[step.id] = given or (frames.pop() if len(frames) == 1 else "")
