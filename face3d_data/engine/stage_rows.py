"""Rows of the cache that a stage's outcome for one input gives: its outputs, or the reason why it has no output."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping, Sequence

import numpy as np

from face3d_data.digest import digest
from face3d_data.engine.worker import DETAIL_CHARS
from face3d_data.errors import ContractError, Reject, Unreadable, stops_the_run
from face3d_data.sample import Sample, Tag
from face3d_data.stage import ANY_STAGE, Stage, check_output
from face3d_data.store.part import BadPart, PartRow
from face3d_data.table import FIXED_COLUMNS

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def is_run_ending(outcome: object) -> bool:
    """Return whether an outcome is an exception that is no fault of its input."""
    return isinstance(outcome, Exception) and (isinstance(outcome, BadPart) or stops_the_run(outcome))


def output_rows(
    stage: Stage,
    fingerprint: str,
    input_key: str,
    sample: Sample,
    outputs: Sequence[Sample],
    detail: str = "",
    attempt: int = 1,
) -> list[PartRow]:
    """Return a row for each output of one input; where its arrays are stored is not said yet.

    Args:
        stage: made the outputs.
        fingerprint: the stage's.
        input_key: under which its work is kept.
        sample: what it was given, with the tags that it reads alone.
        outputs: what it gave, in order.
        detail: what was remarked of the files that it read.
        attempt: number of this one.

    Raises:
        Reject: there is no output.
        ContractError: the stage broke its own declaration.
    """
    if not outputs:
        raise Reject("no_output", f"{stage.name} produced no output for it")
    rows = []
    for i, output in enumerate(outputs):
        check_output(stage, sample, output)
        rows.append(
            PartRow(
                input=input_key,
                key=digest(fingerprint, input_key, i),
                detail=detail,
                variant=output.variant,
                identity_suffix=output.identity_suffix,
                tags=_changed_tags(sample.tags, output.tags),
                shapes={name: list(array.shape) for name, array in output.arrays.own.items()},
                dropped=sorted(output.arrays.dropped),
                attempt=attempt,
            )
        )
    names = [row.variant for row in rows]
    if len(rows) > 1 and len(set(names)) < len(names):
        raise ContractError(f"stage {stage.name!r} gave {len(rows)} outputs named {names}: name each draw")
    return rows


def _changed_tags(before: Mapping[str, Tag], after: Mapping[str, Tag]) -> dict[str, Tag]:
    changed: dict[str, Tag] = {}
    for name, value in after.items():
        if name in FIXED_COLUMNS:
            raise ContractError(f"tag {name!r} is the name of a column: choose another name")
        plain = value.item() if isinstance(value, np.generic) else value
        if not isinstance(plain, str | int | float | bool):
            raise ContractError(f"tag {name!r} is {type(value).__name__}: use str, int, float or bool")
        if isinstance(plain, float) and not np.isfinite(plain):
            raise ContractError(f"tag {name!r} is {plain}: tags are finite")
        if name not in before or before[name] != plain:
            changed[name] = plain
    return changed


def failed_row(stage: Stage, input_key: str, attempt: int, error: Exception) -> PartRow:
    """Return the row of an input that a stage gave no output for."""
    detail = _ADDRESS.sub("", " ".join(str(getattr(error, "detail", error)).split()))[:DETAIL_CHARS]
    if isinstance(error, Unreadable):
        return PartRow(input_key, status="unreadable", reason=error.reason, detail=detail, attempt=attempt)
    if isinstance(error, Reject):
        if error.reason in (*stage.reasons, *ANY_STAGE, "no_output") or error.reason.startswith("missing_"):
            return PartRow(input_key, status="reject", reason=error.reason, detail=detail, attempt=attempt)
        error = ContractError(f"stage {stage.name!r} rejects with {error.reason!r}, which it does not declare")
        detail = str(error)
    trace = "".join(traceback.format_exception(error))
    return PartRow(input_key, status="error", reason=type(error).__name__, detail=detail, attempt=attempt, trace=trace)
