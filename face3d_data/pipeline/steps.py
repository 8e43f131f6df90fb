"""Step of a run: what has to be computed, computing it, and joining the results from the cache."""

from __future__ import annotations

import functools
import json
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d_data.digest import seed_from
from face3d_data.errors import Face3dError, RunStopped
from face3d_data.pipeline.join import chosen_rows
from face3d_data.pipeline.result import StepResult
from face3d_data.pipeline.spec import Pipeline, Step
from face3d_data.store.frames import from_frame, to_frame
from face3d_data.store.manifest import NOT_COUNTED, Dirty, Manifest, check_unique, manifest_of
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


def step_inputs(step: Step, done: Mapping[str, Manifest]) -> Manifest:
    """Return the rows of a step's upstreams that its `where` lets through."""
    return manifest_of(chosen_rows([done[upstream] for upstream in step.upstream], step.where))


def check_balance(result: StepResult) -> None:
    """Check that every input left a trace.

    Raises:
        RunStopped: inputs are neither among the origins of outputs nor dirty: a defect of this program.
    """
    accounted = result.made_from + len(result.dirty) + len(result.unreadable)
    if accounted != result.inputs:
        raise RunStopped(
            f"step {result.id!r}: {result.inputs} inputs but {result.made_from} with outputs + {len(result.dirty)} "
            f"dirty + {len(result.unreadable)} unreadable: please report this"
        )


def run_table(
    step: Step, table: TableStep, pipeline: Pipeline, run_dir: Path, upstreams: Sequence[Manifest]
) -> StepResult:
    """Run a table step over its upstreams' manifests.

    Raises:
        UserError: an option does not fit the rows.
        RunStopped: rows were neither kept nor left out with a reason.
    """
    chosen = chosen_rows(upstreams, step.where)
    seed = seed_from(pipeline.seed, step.seed) if step.seed else pipeline.seed
    context = TableContext(step.id, run_dir, pipeline.base_dirs, seed)
    inputs = manifest_of(chosen)
    if not table.checks_ids:
        check_unique(inputs, step.id)
    outcome = _outcome(step.id, table, [to_frame(rows, table.columns_read()) for rows in chosen], context)
    result = StepResult(step.id, table.name, step.fingerprint(pipeline.seed), len(inputs), Manifest.empty())
    result.rows = from_frame(outcome.frame, inputs)
    if outcome.dirty is not None and len(outcome.dirty):
        result.dirty = _left_out(step.id, outcome.dirty, inputs)
    result.notes, result.state = outcome.notes, outcome.state or {}
    result.settled = True
    if result.outputs + len(result.dirty) != result.inputs:
        raise RunStopped(
            f"step {step.id!r}: {result.inputs} rows in, {result.outputs} out, {len(result.dirty)} left out: "
            f"table step {table.name!r} "
            + ("lost rows without a reason" if result.outputs < result.inputs else "added rows")
        )
    return result


def _left_out(step: str, dirty: pd.DataFrame, inputs: Manifest) -> list[Dirty]:
    places = {name: i for i, name in enumerate(inputs.arrays["id"].tolist())}
    found = []
    for name, reason, detail in zip(*(dirty[column].tolist() for column in ("id", "reason", "detail")), strict=True):
        i = places[name]
        source, path, key = inputs.coded["source"][i], inputs.arrays["path"][i], inputs.arrays["key"][i].decode()
        found.append(Dirty(name, source, step, NOT_COUNTED, reason, detail, path, key=key))
    return found


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
