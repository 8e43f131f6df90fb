"""Records of the last run: what sources, steps and datasets gave; where nothing changed, no row is looked at.

A record counts only for the digest of all that it rests on: the rows before it, options, the state of files and of the
parts in the cache. One that is missing, torn, damaged or of another version does not count: the rows are looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from face3d_data.atomic import write_atomic
from face3d_data.digest import canonical, digest
from face3d_data.pipeline.fuse import FusedSteps, stores
from face3d_data.pipeline.join import join_rows
from face3d_data.pipeline.lock import keys_digest, pipeline_digest
from face3d_data.pipeline.people import same_person_lines
from face3d_data.pipeline.result import RunResult, StepResult, done
from face3d_data.pipeline.sources import ScannedSource
from face3d_data.pipeline.spec import Pipeline, SourceStep, Step
from face3d_data.pipeline.steps import run_table, step_inputs
from face3d_data.stage import Stage
from face3d_data.store.manifest import Dirty, Manifest
from face3d_data.store.manifest_files import manifest_path
from face3d_data.store.workspace import StepCache
from face3d_data.table import TableStep
from face3d_data.unchanged import stat_of
from face3d_data.version import __version__

VERSION = 2
FOLDER = "unchanged"
"""Folder of the records in a run's folder."""


class Records:
    """The records of a pipeline's last run.

    Args:
        run_dir: the run's folder.
        keep: write new ones.
        trust: believe those that are there.
    """

    def __init__(self, run_dir: Path, keep: bool, trust: bool = True) -> None:
        self._folder = run_dir / FOLDER
        self._keep = keep
        self._trust = trust

    def get(self, name: str, of: str) -> dict[str, Any] | None:
        """Return what was recorded of a source, step or note, if it rests on what it rested on then.

        Args:
            name: file name, without its ending.
            of: digest of all that it rests on.
        """
        if not self._trust:
            return None
        try:
            head, _, body = self._path(name).read_text("utf-8").partition("\n")
            if head != _head(of, body):
                return None
            return json.loads(body)
        except (OSError, ValueError):
            return None

    def put(self, name: str, of: str, record: Mapping[str, Any]) -> None:
        """Record what a source, step or note gave."""
        if self._keep:
            body = json.dumps(record, ensure_ascii=True)
            write_atomic(self._path(name), f"{_head(of, body)}\n{body}")

    def drop(self, name: str) -> None:
        """Remove a record: what it says may no longer be so."""
        if self._keep:
            self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _head(of: str, body: str) -> str:
    return canonical([VERSION, __version__, of, hashlib.blake2b(body.encode(), digest_size=16).hexdigest()])


def dirty_records(rows: list[Dirty]) -> list[dict[str, Any]]:
    """Return dirty rows as JSON values."""
    return [asdict(row) for row in rows]


def dirty_rows_of(records: list[dict[str, Any]]) -> list[Dirty]:
    """Return the dirty rows that `dirty_records` made records of."""
    return [Dirty(**record) for record in records]


def files_digest(run_dir: Path, step: str, ours: tuple[str, ...]) -> str:
    """Return a digest of what a table step keeps in a run's folder between runs.

    Args:
        run_dir: the folder.
        step: id of the step.
        ours: names of files there that are not the step's own.
    """
    names = sorted(path.name for path in run_dir.glob(f"{step}.*") if path.is_file() and path.name not in ours)
    return digest([[name, hashlib.sha256((run_dir / name).read_bytes()).hexdigest()] for name in names])


def source_rests_on(step: SourceStep, scanned: ScannedSource, cache: StepCache) -> str:
    """Return the digest of all that the rows of a source rest on: captures, the state of their files, and the cache."""
    reader, root = step.reader, getattr(step.reader, "root", None)
    own = [step.id, step.dataset, dict(step.tags), step.capture_prefix, str(root), reader.fingerprint()]
    listed = [] if root is None or not root.is_dir() else [file_state(path) for path in sorted(root.glob("*.csv"))]
    return digest(
        own, reader.limits.model_dump(mode="json"), scanned.table.seen(), scanned.files, listed, cache.state()
    )


def file_state(path: Path) -> list[Any]:
    """Return the state of a file: while it is the same, so is the content; of one that is not there, its name alone."""
    try:
        return [path.name, *stat_of(path)]
    except FileNotFoundError:
        return [path.name]


def stage_rests_on(step: Step, pipeline: Pipeline, upstreams: Sequence[str], cache: StepCache) -> str:
    """Return the digest of all that the rows of a stage rest on.

    Args:
        step: the step.
        pipeline: its pipeline.
        upstreams: digests of its upstreams' rows.
        cache: what the stage has made.
    """
    return digest(step.id, step.fingerprint(pipeline.seed), dict(step.where), upstreams, cache.state())


def table_rests_on(step: Step, pipeline: Pipeline, upstreams: Sequence[str], run_dir: Path) -> str | None:
    """Return the digest of all that the rows of a table step rest on; None of one that does not say what that is."""
    if not isinstance(step.component, TableStep) or not step.component.repeatable:
        return None
    where = [dict(step.where), [str(folder) for folder in pipeline.base_dirs], pipeline.seed, step.seed]
    kept = files_digest(run_dir, step.id, (manifest_path(run_dir, step.id).name, f"{step.id}.dirty.csv"))
    return digest(step.id, step.fingerprint(pipeline.seed), where, upstreams, kept)


def recalled(
    records: Records, run_dir: Path, of: str | None, new: StepResult, look: Callable[[], StepResult]
) -> StepResult | None:
    """Return a step's result as it was recorded, None where it has to be looked at.

    Args:
        records: of the pipeline.
        run_dir: the run's folder, in which the step's files are.
        of: digest of all that it rests on.
        new: a result without rows, filled here.
        look: gives the result by its rows.
    """
    record = records.get(new.id, of) if of is not None else None
    if record is None or file_state(manifest_path(run_dir, new.id)) != record["rows"]:
        return None
    new.rows, new.recorded, new.settled, new.inputs = look, record, True, record["inputs"]
    new.dirty, new.unreadable = dirty_rows_of(record["dirty"]), dirty_rows_of(record["unreadable"])
    new.notes, new.remarks = tuple(record["notes"]), record["remarks"]
    new.state = {suffix: (run_dir / f"{new.id}.{suffix}").read_text("utf-8") for suffix in record["state"]}
    return new


def remember(
    records: Records,
    run_dir: Path,
    of: str | None,
    made: StepResult,
    lines: Sequence[str],
    captures: Collection[str] = (),
) -> None:
    """Record a result for the next run, unless that would try some of it again.

    Args:
        records: of the pipeline.
        run_dir: the run's folder, in which the step's files are.
        of: digest of all that it rests on, None where that is not known.
        made: the result.
        lines: those that the run printed beneath the step's.
        captures: ids of the sources' captures, of a stage that could not read some.
    """
    if of is None or not made.settled:
        records.drop(made.id)
        return
    record = {
        "rows": file_state(manifest_path(run_dir, made.id)),
        "inputs": made.inputs,
        "outputs": made.outputs,
        "digest": made.digest,
        "keys": keys_digest(made.keys) if len(made.keys) else "",
        "dirty": dirty_records(made.dirty),
        "unreadable": dirty_records(made.unreadable),
        "notes": list(made.notes),
        "remarks": made.remarks,
        "state": sorted(made.state),
        "captures": [row.sample_id for row in made.unreadable if row.sample_id in captures],
        "told": list(lines),
    }
    records.put(made.id, of, record)


def _upstreams(step: Step, result: RunResult) -> list[str]:
    return [result.steps[upstream].digest for upstream in step.upstream]


def _step_rests_on(step: Step, result: RunResult, group: FusedSteps) -> str | None:
    pipeline, space = result.pipeline, result.workspace
    if isinstance(step.component, Stage):
        cache = space.step_cache(step.component.name, step.fingerprint(pipeline.seed))
        kept = [[one.id for one in group], stores(group, step)]
        return digest(stage_rests_on(step, pipeline, _upstreams(step, result), cache), kept)
    return table_rests_on(step, pipeline, _upstreams(step, result), space.run_dir(pipeline.name))


def recalled_step(
    step: Step, result: RunResult, records: Records, forced: Collection[str] = (), group: FusedSteps = ()
) -> StepResult | None:
    """Return a step's result as the last run recorded it; None where it has to be run, or looked at.

    Args:
        step: the step.
        result: with its upstreams.
        records: of the pipeline.
        forced: ids of steps that are to be run again.
        group: the steps that a stage is fused with, itself among them.
    """
    if step.id in forced:
        return None
    fingerprint = step.fingerprint(result.pipeline.seed)
    new = StepResult(step.id, step.component.name, fingerprint, 0, Manifest.empty())
    run_dir = result.workspace.run_dir(result.pipeline.name)
    return recalled(records, run_dir, _step_rests_on(step, result, group), new, lambda: look_at_step(step, result))


def recalled_stages(
    steps: FusedSteps, result: RunResult, records: Records, forced: Collection[str] = ()
) -> dict[str, StepResult] | None:
    """Return the results of fused stages as the last run recorded them; None unless it recorded all of them."""
    ahead = RunResult(result.pipeline, result.workspace, dict(result.steps))
    for step in steps:
        known = recalled_step(step, ahead, records, forced, steps)
        if known is None:
            return None
        ahead.steps[step.id] = known
    return {step.id: ahead.steps[step.id] for step in steps}


def remember_step(
    step: Step, result: RunResult, records: Records, made: StepResult, lines: Sequence[str], group: FusedSteps
) -> None:
    """Record a step's result for the next run; the arguments are those of `recalled_step` and `remember`."""
    captures = {name for row in made.unreadable for name in result.steps[row.source].entries.arrays["id"]}
    run_dir = result.workspace.run_dir(result.pipeline.name)
    remember(records, run_dir, _step_rests_on(step, result, group), made, lines, captures)


def look_at_step(step: Step, result: RunResult) -> StepResult:
    """Return a step's result by the rows in its cache, or by those of its upstreams; nothing is run or written."""
    if isinstance(step.component, Stage):
        fingerprint = step.fingerprint(result.pipeline.seed)
        rows = result.workspace.step_cache(step.component.name, fingerprint).rows()
        return join_rows(step, step.component, fingerprint, step_inputs(step, done(result)), rows)
    upstreams = [result.entries(upstream) for upstream in step.upstream]
    run_dir = result.workspace.run_dir(result.pipeline.name)
    return run_table(step, step.component, result.pipeline, run_dir, upstreams)


def noted(records: Records, result: RunResult, name: str, look: Callable[[], Sequence[str]]) -> Sequence[str]:
    """Return notes on all rows of a run so far, as they were recorded where no row changed.

    Args:
        records: of the pipeline.
        result: with the sources and steps whose rows they are on.
        name: of the notes.
        look: gives them.
    """
    lists = [list(map(str, line)) for line in same_person_lines(result.pipeline)]
    rows = {step.id: step.digest for step in result.steps.values()}
    of = digest(name, rows, lists, pipeline_digest(result.pipeline))
    record = records.get(f".{name}", of)
    if record is None:
        record = {"notes": list(look())}
        records.put(f".{name}", of, record)
    return list(record["notes"])
