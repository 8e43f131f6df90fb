"""Datasets of a run: planned, written shard by shard through the engine, checked and published by rename."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.digest import digest
from face3d_data.engine.backends import Crash
from face3d_data.engine.progress import StepProgress
from face3d_data.engine.stats import Report
from face3d_data.engine.worker import Task
from face3d_data.errors import RunStopped, UserError
from face3d_data.json_text import parse_json
from face3d_data.pipeline.judge import check_limits
from face3d_data.pipeline.lock import pipeline_digest
from face3d_data.pipeline.measure import Sizes, measure_rows
from face3d_data.pipeline.notes import nothing_left
from face3d_data.pipeline.people import same_person_lines
from face3d_data.pipeline.planned import dirty_before, planned, published_pairs
from face3d_data.pipeline.recall import Records, file_state
from face3d_data.pipeline.report_step import tell_notes
from face3d_data.pipeline.result import Say, StepResult
from face3d_data.plurals import counted
from face3d_data.shards.dataset_plan import DatasetPlan, first_fault
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.reuse import ReusedShard, older_versions, reuse_shards, versions_of
from face3d_data.shards.schema import SCHEMA_VERSION, DatasetSpec
from face3d_data.shards.write import ShardInfo, ShardTask, write_shard
from face3d_data.store.files import FileHashes
from face3d_data.store.manifest import Dirty, Manifest
from face3d_data.store.manifest_files import DIRTY_ROW_COLUMNS, write_dirty
from face3d_data.store.place import read

if TYPE_CHECKING:
    from face3d_data.pipeline.result import RunResult, RunSettings


DATASET_DIRTY = ".dataset.dirty.csv"
"""Ending of a dataset's file in the run's folder: a source or a step may have the dataset's name."""


@dataclass(frozen=True)
class WriteShard:
    """One shard as a task of the engine."""

    shard: ShardTask

    def run(self) -> Report:
        """Write the shard; the report's result is what `finish_dataset` wants to know of it."""
        info = write_shard(self.shard, read)
        report = Report(inputs=info.n_rows, outputs=info.n_rows, result=info)
        report.counts["ok"] = info.n_rows
        return report

    def halves(self) -> Sequence[Task]:
        """Return nothing: a shard is written whole."""
        return ()


def publish(
    name: str, result: RunResult, records: Records, settings: RunSettings, allow_leaks: bool, tell: Say
) -> Path:
    """Write one dataset of a pipeline, or find it written already, and return its folder.

    Raises:
        UserError: no row can be written, or a name is taken.
        RunStopped: the splits leak, or a worker died while writing.
    """
    with result.workspace.publishing(name):
        of = _rests_on(name, result, allow_leaks)
        forced = settings.force.intersection(result.pipeline.upstream_of([result.pipeline.datasets[name].upstream]))
        record = None if forced else records.get(f".dataset.{name}", of)
        if record is not None and _is_as_published(name, record, result, settings):
            tell_notes(record["notes"], tell)
            tell(record["line"])
            return result.workspace.datasets / name
        records.drop(f".dataset.{name}")
        folder, record = _publish(name, result, settings, allow_leaks, tell)
        if record is not None and _rests_on(name, result, allow_leaks) == of:  # no list was changed meanwhile
            records.put(f".dataset.{name}", of, record)
        return folder


def _rests_on(name: str, result: RunResult, allow_leaks: bool) -> str:
    """Return the digest of all that a dataset rests on."""
    pipeline, spec = result.pipeline, result.pipeline.datasets[name]
    lists = {
        title: [found.dataset, found.capture_prefix, list(map(repr, found.pairs))]
        for title, found in published_pairs(pipeline, spec).items()
    }
    people = [list(map(str, line)) for line in same_person_lines(pipeline)]
    dirty = digest([row.__dict__ for row in dirty_before(result, spec)])
    own = [SCHEMA_VERSION, name, spec.content(), allow_leaks, pipeline.seed, pipeline_digest(pipeline)]
    own.append(pipeline.limits.model_dump(mode="json"))  # what was within the limits then may not be now
    return digest(own, result.steps[spec.upstream].digest, dirty, people, lists)


def _is_as_published(name: str, record: Mapping[str, Any], result: RunResult, settings: RunSettings) -> bool:
    """Return whether the folder of a dataset is there as its dataset.json says, and its name links to it."""
    datasets = result.workspace.datasets
    folder, link = datasets / record["folder"], datasets / name
    if not folder.is_dir() or not link.is_symlink() or os.readlink(link) != folder.name:
        return False
    with closing(result.workspace.file_hashes(settings.rehash)) as hashes:
        if first_fault(folder, hashes.digest):
            return False
    return file_state(result.workspace.run_dir(result.pipeline.name) / f"{name}{DATASET_DIRTY}") == record["dirty"]


def _publish(
    name: str, result: RunResult, settings: RunSettings, allow_leaks: bool, tell: Say
) -> tuple[Path, dict[str, Any] | None]:
    """Return the dataset's folder, and what the next run may recall of it; None where it has to be looked at then."""
    pipeline = result.pipeline
    spec = pipeline.datasets[name]
    _check_any(name, spec, result)
    replaced = _replaced(name, result)
    measured = measure_rows(name, spec, result, settings)
    if measured is not None:
        result.steps[measured.id] = measured
    rows, unreadable = _readable(result.entries(spec.upstream), measured)
    where = result.workspace.run_dir(pipeline.name) / f"{name}{DATASET_DIRTY}"
    write_dirty(where, unreadable)
    _check_readable(name, rows, unreadable, result)
    plan = planned(name, result, rows, unreadable, Sizes(measured, rows), allow_leaks)
    notes = list(plan.notes)
    if settings.force.intersection(pipeline.upstream_of([spec.upstream])):
        plan = replace(plan, rebuild=True)
    datasets = result.workspace.datasets
    with closing(result.workspace.file_hashes(settings.rehash)) as hashes:
        plan = plan.looked_at(datasets, hashes.digest)
        left_out = [*unreadable, *_left_out(plan)]
        write_dirty(where, left_out)
        check_limits(f"dataset {name!r}", result.steps[spec.upstream].outputs, left_out, pipeline.limits, where)
        infos, reused = _write(plan, result, settings, hashes)
        folder = finish_dataset(plan, datasets, infos)
        for shard in reused:
            if shard.linked is not None:
                hashes.linked(shard.linked, shard.other, datasets / plan.folder_name / shard.info.name)
    tell_notes((*replaced, *plan.notes, *(older_versions(datasets, name) if infos else ())), tell)
    counts = ", ".join(f"{split} {plan.rows.count(split)['samples']}" for split in plan.rows.splits)
    line = f"{name:>12}  dataset: {counted(len(plan.rows), 'sample')} ({counts})"
    tell(line)
    # What a first publishing finds out about contents is not noted by a second run, and has to be no longer.
    record = {"folder": plan.folder_name, "notes": notes, "line": line, "dirty": file_state(where)}
    return folder, record if measured is None and not plan.rebuild else None


def _check_any(name: str, spec: DatasetSpec, result: RunResult) -> None:
    """Check that there is something to write, and say where it all went if not.

    Raises:
        UserError: naming the first source or step upstream that left nothing.
    """
    needed = result.pipeline.upstream_of([spec.upstream])
    if result.steps[spec.upstream].outputs:
        return
    steps = [step for step_id, step in result.steps.items() if step_id in needed]
    done = {name: step.entries for name, step in result.steps.items()}
    raise UserError(f"dataset {name!r}: nothing to write: {nothing_left(steps, done, result.pipeline)}")


def _replaced(name: str, result: RunResult) -> list[str]:
    """Return a note where another pipeline wrote the dataset that is there."""
    try:
        before = parse_json((result.workspace.datasets / name / "dataset.json").read_text("utf-8"))["pipeline"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    if before == result.pipeline.name:
        return []
    return [f"dataset {name!r} was last written by pipeline {before!r}: replaced, its folder stays"]


def _write(
    plan: DatasetPlan, result: RunResult, settings: RunSettings, hashes: FileHashes
) -> tuple[list[ShardInfo], list[ReusedShard]]:
    """Write the shards that no other version of the dataset has; return all of them, and those that one has."""
    datasets = result.workspace.datasets
    mine = re.compile(re.escape(plan.name) + r"-[0-9a-f]{16}\.partial")
    for other in datasets.glob("*.partial"):
        if mine.fullmatch(other.name) and other != plan.partial(datasets):
            shutil.rmtree(other)
    tasks = plan.shard_tasks(datasets)
    versions = [] if plan.rebuild else versions_of(datasets, plan.name)
    reused = list(reuse_shards(tasks, versions, hashes.state))
    done: dict[str, ShardInfo] = {shard.info.name: shard.info for shard in reused}
    waiting = [WriteShard(task) for task in tasks if task.name not in done]
    with StepProgress(plan.name, sum(len(task.shard.rows) for task in waiting), settings.show_progress) as progress:
        for task, report in settings.engine.run(waiting):
            shard = task.shard  # type: ignore[attr-defined]
            if isinstance(report, Crash):
                raise RunStopped(f"dataset {plan.name!r}: writing {shard.name} failed ({report}); run again")
            done[shard.name] = report.result  # type: ignore[assignment]
            progress.update(report)
    return [done[task.name] for task in tasks], reused


def _readable(rows: Manifest, measured: StepResult | None) -> tuple[Manifest, list[Dirty]]:
    """Leave out rows whose fields come straight from a source and cannot be read."""
    dirty = [*measured.dirty, *measured.unreadable] if measured is not None else []
    bad = np.array([row.key.encode() for row in dirty], "S")
    return rows.where(~np.isin(rows.arrays["key"], bad)) if len(bad) else rows, dirty


def _check_readable(name: str, rows: Manifest, unreadable: Sequence[Dirty], result: RunResult) -> None:
    """Check that some row of a dataset can be read.

    Raises:
        UserError: none can; with the reasons.
    """
    if len(rows):
        return
    upstream = result.pipeline.datasets[name].upstream
    reasons = Counter(row.reason for row in unreadable)
    told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
    raise UserError(
        f"dataset {name!r}: none of the {len(unreadable)} rows of {upstream!r} can be read ({told}), first: "
        f"{unreadable[0].detail}: see `face3d dirty {result.pipeline.name}`"
    )


def _left_out(plan: DatasetPlan) -> list[Dirty]:
    columns = zip(*(plan.left_out[column].tolist() for column in DIRTY_ROW_COLUMNS[:-1]), strict=True)
    return [Dirty(*values) for values in columns]
