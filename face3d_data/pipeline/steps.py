"""Step of a run: what has to be computed, computing it, and joining the results from the cache."""

from __future__ import annotations

import functools
import json
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d_data.digest import seed_from
from face3d_data.errors import Face3dError, RunStopped
from face3d_data.pipeline.result import StepResult
from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.stage import Stage
from face3d_data.store.manifest import (
    NOT_COUNTED,
    Dirty,
    Entry,
    check_unique,
    dirty_of,
    from_frame,
    join,
    matches,
    to_frame,
)
from face3d_data.store.place import StorageLocation
from face3d_data.store.step_rows import MISSING, StepRows
from face3d_data.table import TableContext, TableResult, TableStep

if TYPE_CHECKING:
    import pandas as pd

RECORDED_PACKAGES = (
    "numpy",
    "scipy",
    "opencv-python-headless",
    "torch",
    "open3d-cpu",
    "open3d",
    "fpsample",
    "small_gicp",
    "trimesh",
)


def step_inputs(step: Step, done: Mapping[str, Sequence[Entry]]) -> list[Entry]:
    """Return the rows of a step's upstreams that its `where` lets through."""
    return [entry for upstream in step.upstream for entry in done[upstream] if matches(entry, step.where)]


def join_rows(
    step: Step,
    stage: Stage,
    fingerprint: str,
    inputs: Sequence[Entry],
    rows: StepRows,
) -> StepResult:
    """Join a step's inputs with the cached rows; inputs without any are left out (they are still to do)."""
    result = StepResult(step.id, stage.name, fingerprint, len(inputs), [])
    result.keys = tuple(stage.input_key(entry.key, entry.tags) for entry in inputs)
    for entry, place in zip(inputs, rows.find(result.keys).tolist(), strict=True):
        part, group = rows.group(place) if place != MISSING else (Path(), [])
        for row in group:
            if row.status == "ok":
                result.entries.append(join(entry, row, part, step.id))
                if row.detail:
                    result.remarks[result.entries[-1].id] = row.detail
            elif row.status == "unreadable":
                found = dirty_of(entry, row, entry.source)
                result.unreadable.append(replace(found, sample_id=entry.origin_id, status="reject"))
            else:
                result.dirty.append(dirty_of(entry, row, step.id))
    check_unique(result.entries, step.id)
    result.notes = (*_counts_notes(stage, result.entries), *_remarks_note(result.remarks))
    return result


def _counts_notes(stage: Stage, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return a line for each of the stage's counted tags: its values, and how many outputs have each."""
    notes = []
    for tag in stage.counted_tags:
        values = Counter(str(entry.tags[tag]) for entry in entries if tag in entry.tags)
        if values:
            notes.append(f"{tag}: {', '.join(f'{value} {count}' for value, count in values.most_common())}")
    return tuple(notes)


def _remarks_note(remarks: Mapping[str, str]) -> tuple[str, ...]:
    """Return the line that says how many outputs have a remark, with the first."""
    if not remarks:
        return ()
    name, first = next(iter(remarks.items()))
    more = f"{len(remarks)} with a remark, first {name}: {first[:160]}"
    return (f"{more}; face3d show ID says each",)


def check_balance(result: StepResult) -> None:
    """Check that every input left a trace.

    Raises:
        RunStopped: inputs are neither among the origins of outputs nor dirty: a defect of this program.
    """
    made_from = len({entry.place.parent for entry in result.entries if isinstance(entry.place, StorageLocation)})
    accounted = made_from + len(result.dirty) + len(result.unreadable)
    if accounted != result.inputs:
        raise RunStopped(
            f"step {result.id!r}: {result.inputs} inputs but {made_from} with outputs + {len(result.dirty)} dirty + "
            f"{len(result.unreadable)} unreadable: please report this"
        )


def run_table(
    step: Step, table: TableStep, pipeline: Pipeline, run_dir: Path, upstreams: Sequence[Sequence[Entry]]
) -> StepResult:
    """Run a table step over its upstreams' manifests.

    Raises:
        UserError: an option does not fit the rows.
        RunStopped: rows were neither kept nor left out with a reason.
    """
    chosen = [[entry for entry in entries if matches(entry, step.where)] for entries in upstreams]
    seed = seed_from(pipeline.seed, step.seed) if step.seed else pipeline.seed
    context = TableContext(step.id, run_dir, pipeline.base_dirs, seed)
    inputs = [entry for entries in chosen for entry in entries]
    if not table.checks_ids:
        check_unique(inputs, step.id)
    outcome = _outcome(step.id, table, [to_frame(entries) for entries in chosen], context)
    known = {entry.id: entry for entry in inputs}
    result = StepResult(step.id, table.name, step.fingerprint(pipeline.seed), len(inputs), [])
    result.entries = from_frame(outcome.frame, known)
    if outcome.dirty is not None:
        columns = zip(*(outcome.dirty[name].tolist() for name in ("id", "reason", "detail")), strict=True)
        result.dirty = [
            Dirty(i, known[i].source, step.id, NOT_COUNTED, reason, detail, known[i].path, key=known[i].key)
            for i, reason, detail in columns
        ]
    result.notes, result.state = outcome.notes, outcome.state or {}
    if len(result.entries) + len(result.dirty) != result.inputs:
        raise RunStopped(
            f"step {step.id!r}: {result.inputs} rows in, {len(result.entries)} out, {len(result.dirty)} left out: "
            f"table step {table.name!r} "
            + ("lost rows without a reason" if len(result.entries) < result.inputs else "added rows")
        )
    return result


def _outcome(step: str, table: TableStep, frames: list[pd.DataFrame], context: TableContext) -> TableResult:
    """Run a table step; what a plugin's own does wrong is one line that names the step.

    Raises:
        RunStopped: it raised, returned something else, or left rows out with a reason that it does not declare.
    """
    where = f"step {step!r} (table step {table.name!r})"
    try:
        outcome = table.run(frames, context)
    except SystemExit as stop:
        raise RunStopped(f"{where}: called sys.exit({stop.code!r}): raise UserError instead") from None
    except (Face3dError, OSError, MemoryError):
        raise
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:300]
        raise RunStopped(f"{where}: {type(error).__name__}: {text} ({at.filename}, line {at.lineno})") from error
    if not isinstance(outcome, TableResult):
        raise RunStopped(f"{where}: returned {type(outcome).__name__}: return a TableResult")
    reasons = set() if outcome.dirty is None else set(outcome.dirty["reason"])
    if undeclared := sorted(reasons - set(table.reasons)):
        raise RunStopped(f"{where}: left rows out with the reason {undeclared[0]!r}: declare it in 'reasons'")
    return outcome


def describe_step(step: Step, pipeline_seed: int) -> dict[str, Any]:
    """Return what a step is, for the lock, `--explain` and `stage.json`."""
    component = step.component
    draws = isinstance(component, TableStep) or component.random
    return {
        "kind": component.kind,
        "name": component.name,
        "version": component.version,
        "parameters": json.loads(json.dumps(component.parameters())),
        "fingerprint": step.fingerprint(pipeline_seed),
        "seeds": [pipeline_seed, step.seed] if draws else [],
        "packages": installed_packages(),
    }


@functools.cache
def installed_packages() -> dict[str, str]:
    """Return the versions of the libraries whose arithmetic a result rests on."""
    found = {}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except ImportError:
            continue
    return found
