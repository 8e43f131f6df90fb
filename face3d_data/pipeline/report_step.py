"""Reports on a source or step: its files in the run's folder, the lines printed of it, and limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from face3d_data.pipeline.judge import check_limits, small_run_note
from face3d_data.pipeline.recall import Records
from face3d_data.pipeline.result import RunResult, Say, StepResult
from face3d_data.store.manifest_files import manifest_path, write_dirty, write_manifest


def write_step(run_dir: Path, made: StepResult, records: Records) -> None:
    """Write the rows of a source or step, and its dirty rows; of one that is as it was, the files are there."""
    if not made.recorded:
        records.drop(made.id)  # what it says is of other rows, also if the run ends here
        write_manifest(manifest_path(run_dir, made.id), made.entries)
    write_dirty(dirty_path(run_dir, made.id), made.dirty)


def dirty_path(run_dir: Path, step: str) -> Path:
    """Return the file of a step's dirty rows in the folder of a run."""
    return run_dir / f"{step}.dirty.csv"


def step_line(made: StepResult, work: str) -> str:
    """Return the line that a run prints of a source or step.

    Args:
        made: its result.
        work: what was done, to stand at the end.
    """
    bad = len(made.dirty) + len(made.unreadable)
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(made.reasons.items()))
    dirty = f", {bad} dirty ({reasons})" if bad else ""
    return f"{made.id:>12}  {made.name}: {made.inputs} in, {made.outputs} out{dirty}{work}"


def tell_notes(notes: Sequence[str], tell: Say) -> None:
    """Print notes beneath a step's line."""
    for note in notes:
        tell(f"{'':>12}  {note}")


def judge_step(what: str, made: StepResult, result: RunResult, tell: Say) -> None:
    """Print a note on a step of few inputs that failed, and stop where limits are exceeded.

    Raises:
        RunStopped: they are.
    """
    limits, bad = result.pipeline.limits, [*made.dirty, *made.unreadable]
    note = small_run_note(made.inputs, bad, limits)
    tell_notes([note] if note is not None else [], tell)
    report_unreadable(result, made)
    where = dirty_path(result.workspace.run_dir(result.pipeline.name), made.id)
    check_limits(f"{what} {made.id!r}", made.inputs, bad, limits, where)


def report_unreadable(result: RunResult, made: StepResult) -> None:
    """Take what a stage could not read into its source's dirty rows, once for each capture."""
    run_dir = result.workspace.run_dir(result.pipeline.name)
    for source_id in {row.source for row in made.unreadable}:
        source = result.steps[source_id]
        captures = set(made.recorded["captures"] if made.recorded else source.entries.arrays["id"])
        wanted = captures - {row.sample_id for row in source.dirty}
        source.dirty += [row for row in made.unreadable if row.source == source_id and row.sample_id in wanted]
        write_dirty(dirty_path(run_dir, source_id), source.dirty)
