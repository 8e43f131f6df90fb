"""Sources as manifest rows: captures are listed, hashed and given keys, and new headers are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from face3d_data.digest import DIGEST_CHARS, canonical
from face3d_data.errors import UserError
from face3d_data.formats.cost import limits_in_force
from face3d_data.names import check_id_part
from face3d_data.pipeline.merging import merge_small
from face3d_data.pipeline.result import RunSettings
from face3d_data.pipeline.source_rows import dirty_capture, dirty_source, source_manifest
from face3d_data.pipeline.source_tasks import hash_ahead, inspect_sources, unforeseen
from face3d_data.pipeline.spec import SourceStep
from face3d_data.reader import Source, captures
from face3d_data.readers.shared.folder import FolderReader
from face3d_data.readers.shared.root_level import fitting_level
from face3d_data.store.coded import MISSING
from face3d_data.store.files import FileHashes
from face3d_data.store.manifest import NOT_COUNTED, Dirty, Manifest
from face3d_data.store.part import PartRow
from face3d_data.store.place import source_of
from face3d_data.store.source_table import SourceTable
from face3d_data.store.step_rows import StepRows, is_settled
from face3d_data.store.workspace import StepCache, Workspace

INSPECTED_ROWS = 4096
SURVEYED = 5
"""Captures of a source that its reader may look into before any step runs."""


@dataclass(frozen=True)
class ScannedSource:
    """The captures of a source by their names alone.

    Attributes:
        table: those that may be read.
        bad: the others as dirty rows, and how many of the table come before each.
        files: digest of the state of all their files, as they are now.
    """

    table: SourceTable
    bad: Sequence[tuple[int, Dirty]]
    files: str


def scan_source(step: SourceStep) -> ScannedSource:
    """List the captures of a source, in columns, without opening any.

    Raises:
        UserError: the root or an option does not fit.
    """
    table, bad = SourceTable(step.reader), []
    with limits_in_force(step.reader.limits):
        for source in captures(step.reader):
            problem, wrong = source.problem or _bad_name(source), None
            if problem is None:
                wrong = _bad_values(source)
            if problem is None and wrong is None:
                table.add(source)
            else:
                table.note(source)
                bad.append((len(table), dirty_source(step, source, problem, wrong)))
    table.freeze()
    if not len(table) and not bad:
        where = getattr(step.reader, "root", None)
        raise UserError(f"source {step.id!r}: {step.reader.name} found no capture{f' in {where}' if where else ''}")
    return ScannedSource(table, bad, table.files.state_digest())


def read_source(
    step: SourceStep,
    scanned: ScannedSource,
    workspace: Workspace,
    hashes: FileHashes,
    settings: RunSettings | None,
    retry: bool = False,
) -> tuple[Manifest, list[Dirty]]:
    """Return a source's readable rows, and its bad captures as dirty rows.

    Args:
        step: the source in its pipeline.
        scanned: its captures.
        workspace: where what was seen of each content is remembered.
        hashes: the memory of file hashes.
        settings: of the run; None: only look, and store nothing of what is found out about new content.
        retry: look again at content that was refused before.

    Raises:
        UserError: an option does not fit the captures.
    """
    with limits_in_force(step.reader.limits):
        return _read_source(step, scanned, workspace, hashes, settings, retry)


def _read_source(
    step: SourceStep,
    scanned: ScannedSource,
    workspace: Workspace,
    hashes: FileHashes,
    settings: RunSettings | None,
    retry: bool,
) -> tuple[Manifest, list[Dirty]]:
    table, fingerprint = scanned.table, step.reader.fingerprint()
    cache = workspace.step_cache(step.reader.name, fingerprint)
    hash_ahead(step.id, table.files, hashes, settings)
    _hash_files(table, hashes)
    keys, failed = _keys(table, fingerprint)
    found = [*scanned.bad]
    found += [(place, dirty_source(step, table.source(place), None, why)) for place, why in failed.items()]
    dirty = [row for _, row in sorted(found, key=lambda pair: pair[0])]
    rows = source_manifest(step, table, keys, np.array([i for i in range(len(table)) if i not in failed], np.int32))
    if not len(rows):
        _check_level(step, dirty)
        return rows, dirty
    seen = cache.rows(keep=settings is not None)
    _survey(step, rows, seen)
    bad = _inspect(step, rows, cache, seen, settings, retry)
    if settings is not None:  # rows are all that its parts have: what was read of them needs them no longer
        merge_small([cache], workspace, settings.engine)
    if bad:
        refused = np.array([key.decode() in bad for key in rows.arrays["key"].tolist()])
        for entry in rows.where(refused):
            row = bad[entry.key]
            dirty.append(
                dirty_capture(step, entry.id, entry.path, entry.key, row.reason, row.detail, row.status, row.attempt)
            )
        rows = rows.where(~refused)
    return rows, dirty


def _hash_files(table: SourceTable, hashes: FileHashes) -> None:
    for place, path in enumerate(table.files.paths()):
        try:
            table.files.set_state(place, hashes.state(path))
        except OSError as error:
            table.files.errors[place] = error


def _keys(table: SourceTable, fingerprint: str) -> tuple[np.ndarray, dict[int, tuple[str, str]]]:
    """Return the key of each capture, S (n,), and reason and detail of those that cannot have one."""
    keys, failed = np.zeros(len(table), f"S{DIGEST_CHARS}"), {}
    for row in range(len(table)):
        error = next(filter(None, map(table.files.errors.get, table.file_places(row))), None)
        if error is not None:
            failed[row] = ("not_read", f"{error.strerror}")
            continue
        try:
            keys[row] = table.key(row, fingerprint)
        except Exception as wrong:
            failed[row] = unforeseen(wrong)
    return keys, failed


def _check_level(step: SourceStep, dirty: list[Dirty]) -> None:
    """Refuse a source none of whose files fits the names wanted, where another folder as root would make them fit.

    Raises:
        UserError: naming that folder.
    """
    rows = [row for row in dirty if row.status != NOT_COUNTED]
    if not isinstance(step.reader, FolderReader) or any(row.reason != "name_not_matched" for row in rows):
        return
    level = fitting_level(step.reader, [row.path or row.sample_id.partition("/")[2] for row in rows])
    if level is not None:
        raise UserError(f"source {step.id!r}: no file below {step.reader.root} matches the expected names: {level}")


def _bad_values(source: Source) -> tuple[str, str] | None:
    """Return what is wrong with tags or index that are no JSON values, or not finite: this capture's fault alone."""
    try:
        if any(type(value) not in (str, int, bool) for value in source.tags.values()):
            canonical(source.tags)
        if type(source.index) is not int:
            canonical(source.index)
    except Exception as error:
        return unforeseen(error)
    return None


def _bad_name(source: Source) -> tuple[str, str] | None:
    wrong = check_id_part(source.person, "the person's name") or check_id_part(source.capture, "the capture's name")
    return ("bad_name", wrong) if wrong else None


def _survey(step: SourceStep, rows: Manifest, seen: StepRows) -> None:
    """Let the reader look at a few captures that are new, spread over the collection.

    Where fewer are new than it looks at, known ones make up the number: one bad capture that comes in is not the whole
    collection's fault.

    Raises:
        UserError: the collection does not fit an option of the reader; the source is named first.
    """
    known = seen.find(rows.arrays["key"]) != MISSING
    if known.all():
        return
    new, old = _spread(np.flatnonzero(~known), SURVEYED), np.flatnonzero(known)
    some = [*new, *_spread(old, max(0, SURVEYED - int((~known).sum())))]
    try:
        step.reader.survey([source_of(rows.places[row].resolved).source for row in some])
    except UserError as error:
        raise UserError(f"source {step.id!r}: {error}") from None


def _spread(rows: np.ndarray, most: int) -> list[int]:
    """Return a few of some rows, the first and the last among them."""
    n = min(most, len(rows))
    return [int(rows[i * (len(rows) - 1) // max(1, n - 1)]) for i in range(n)]


def _inspect(
    step: SourceStep,
    entries: Manifest,
    cache: StepCache,
    rows: StepRows,
    settings: RunSettings | None,
    retry: bool,
) -> dict[str, PartRow]:
    """Look into what is new, and return the row of each content that is not good, by key."""
    keep = settings is not None
    keys = entries.arrays["key"]
    todo = [
        (keys[i].decode(), source_of(entries.places[i].resolved).source, attempt)
        for i, attempt in rows.to_do(keys, retry=retry)
    ]
    new = inspect_sources(step.id, step.reader, todo, settings)
    settled = [row for row in new.values() if is_settled(row)]
    if settled and keep:
        cache.describe({"kind": "reader", **describe_source(step, step.reader.fingerprint())})
        for block in _blocks(settled):
            cache.add(block)
    places = rows.find(keys)
    bad = np.flatnonzero((places != MISSING) & ~np.append(rows.gave_output(), True)[places])
    before = {keys[i].decode(): rows.group(int(places[i]))[1][0] for i in bad.tolist()}
    return {key: row for key, row in {**before, **new}.items() if row.status != "ok"}


def _blocks(rows: list[PartRow]) -> Iterator[list[PartRow]]:
    for start in range(0, len(rows), INSPECTED_ROWS):
        yield rows[start : start + INSPECTED_ROWS]


def describe_source(step: SourceStep, fingerprint: str) -> dict[str, object]:
    """Return what a source's reader is, for the lock and for `stage.json`."""
    reader = step.reader
    return {
        "name": reader.name,
        "version": reader.version,
        "parameters": reader.parameters(),
        "fingerprint": fingerprint,
    }
