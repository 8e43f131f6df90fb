"""Sources of a run: each is scanned, and its captures hashed, unless nothing changed since the last run."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from face3d_data.errors import UserError
from face3d_data.pipeline.recall import Records, recalled, remember, source_rests_on
from face3d_data.pipeline.report_step import judge_step, step_line, write_step
from face3d_data.pipeline.result import RunResult, RunSettings, Say, StepResult
from face3d_data.pipeline.sources import ScannedSource, read_source, scan_source
from face3d_data.pipeline.spec import Pipeline, SourceStep
from face3d_data.plurals import counted
from face3d_data.store.files import FileHashes
from face3d_data.store.manifest import Manifest
from face3d_data.store.part import RETRIED


def read_sources(
    result: RunResult, records: Records, rehash: bool, tell: Say, settings: RunSettings | None = None
) -> None:
    """Read every source into the result; given the settings of a run, write what was found and judge it by limits."""
    for source in result.pipeline.sources:
        _check_root(result.pipeline, source)
    hashes = result.workspace.file_hashes(rehash, settings is not None)
    try:
        for source in result.pipeline.sources:
            started, before = time.perf_counter(), hashes.hashed
            scanned = scan_source(source)
            made, rests_on = _source(source, scanned, result, records, hashes, settings, rehash)
            made.seconds = time.perf_counter() - started
            result.steps[source.id] = made
            if settings is None:
                continue
            run_dir = result.workspace.run_dir(result.pipeline.name)
            write_step(run_dir, made, records)
            new = hashes.hashed - before
            tell(step_line(made, f", {counted(new, 'file')} hashed" if new else ""))
            if not made.recorded:
                remember(records, run_dir, rests_on, made, ())
            judge_step("source", made, result, tell)
    finally:
        hashes.close()


def _source(
    source: SourceStep,
    scanned: ScannedSource,
    result: RunResult,
    records: Records,
    hashes: FileHashes,
    settings: RunSettings | None,
    rehash: bool,
) -> tuple[StepResult, str]:
    """Return a source's result, and the digest of all that it rests on."""
    space, reader = result.workspace, source.reader
    cache = space.step_cache(reader.name, reader.fingerprint())
    new = StepResult(source.id, reader.name, reader.fingerprint(), 0, Manifest.empty())

    def look() -> StepResult:
        own = space.file_hashes(False, settings is not None)
        try:
            return _look(source, scanned, result, own, settings, False)
        finally:
            own.close()

    of, run_dir = source_rests_on(source, scanned, cache), space.run_dir(result.pipeline.name)
    known = recalled(records, run_dir, of, new, look)
    if known is not None:
        return known, of
    made = _look(source, scanned, result, hashes, settings, rehash)
    return made, source_rests_on(source, scanned, cache)


def _look(
    source: SourceStep,
    scanned: ScannedSource,
    result: RunResult,
    hashes: FileHashes,
    settings: RunSettings | None,
    rehash: bool,
) -> StepResult:
    rows, dirty = read_source(source, scanned, result.workspace, hashes, settings, rehash)
    reader = source.reader
    made = StepResult(source.id, reader.name, reader.fingerprint(), len(rows) + len(dirty), rows, dirty)
    refused = [row.key.encode() for row in dirty if row.key]
    made.keys = np.concatenate([rows.arrays["key"], np.array(refused, "S")]) if refused else rows.arrays["key"]
    made.settled = scanned.table.files.settled and not any(row.status == RETRIED for row in dirty)
    return made


def _check_root(pipeline: Pipeline, source: SourceStep) -> None:
    """Check that a root is there: a reader knows neither its source's name nor where a relative one was looked for.

    Raises:
        UserError: naming the source and where its root was looked for.
    """
    root = getattr(source.reader, "root", None)
    if root is None or root.exists():
        return
    written = Path(str(pipeline.raw["sources"][source.id].get("root", root))).expanduser()
    where = f", neither next to the pipeline ({pipeline.base_dirs[0]}) nor here ({Path.cwd()})"
    raise UserError(
        f"source {source.id!r}: root {written} does not exist{'' if written.is_absolute() else where}: correct it"
    )
