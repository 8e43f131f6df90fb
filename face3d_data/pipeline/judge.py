"""Limits on dirty rows of a step or source: the run stops, or prints a note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from face3d_data.errors import RunStopped
from face3d_data.pipeline.spec import Limits
from face3d_data.store.manifest import NOT_COUNTED, Dirty

LIMITS_FROM = 50
"""Inputs from which on the limits stop a run; of fewer, one bad capture is a large share."""


def check_limits(what: str, inputs: int, dirty: Sequence[Dirty], limits: Limits, where: Path) -> None:
    """Judge a step's or source's dirty rows by the pipeline's limits.

    Raises:
        RunStopped: a limit is exceeded; later steps do not run.
    """
    if inputs < LIMITS_FROM:
        return
    counts = Counter(row.status for row in dirty)
    errors, rejects = counts["error"] + counts["crash"], counts["reject"]
    for kind, count, limit in (("error", errors, limits.max_error_rate), ("reject", rejects, limits.max_reject_rate)):
        if count > limit * inputs:
            reasons = Counter(row.reason for row in dirty if row.status != NOT_COUNTED).most_common(3)
            common = ", ".join(f"{reason} {number}" for reason, number in reasons)
            first = next(row.detail for row in dirty if row.status != NOT_COUNTED)
            common += f", first: {shortened(first)}" if first else ""
            raise RunStopped(
                f"{what}: {count} of {inputs} inputs ended as {kind}s ({common}), more than limits: max_{kind}_rate "
                f"{limit:g}: see {where}"
            )


def shortened(detail: str, most: int = 240) -> str:
    """Return a detail, the middle of a long one left out: the remedy stands at its end."""
    if len(detail) <= most:
        return detail
    return f"{detail[: most // 3].rstrip()} … {detail[-(most - most // 3 - 3) :].lstrip()}"


def small_run_note(inputs: int, dirty: Sequence[Dirty], limits: Limits) -> str | None:
    """Return a line about a step of few inputs that failed, or rejected more than the limits allow.

    Args:
        inputs: of the step or source.
        dirty: its rows.
        limits: the pipeline's.
    """
    failed = [row for row in dirty if row.status in ("error", "crash")]
    if failed and inputs < LIMITS_FROM:
        common = ", ".join(
            f"{reason} {number}" for reason, number in Counter(row.reason for row in failed).most_common(3)
        )
        return f"{len(failed)} of {inputs} failed ({common}), first: {shortened(failed[0].detail)}: see face3d dirty"
    rejects = [row for row in dirty if row.status == "reject"]
    if inputs >= LIMITS_FROM or len(rejects) <= limits.max_reject_rate * inputs:
        return None
    reasons = Counter(row.reason for row in rejects).most_common(3)
    common = ", ".join(f"{reason} {number}" for reason, number in reasons)
    first = next(row.detail for row in rejects if row.reason == reasons[0][0])
    said = f"{len(rejects)} of {inputs} rejected ({common}): are the options right?"
    return f"{said} {reasons[0][0]}: {shortened(first)}" if first else said
