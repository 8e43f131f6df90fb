"""Sources as manifest rows: captures are listed, hashed and given keys, and new headers are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from face3d_data.digest import canonical
from face3d_data.errors import UserError
from face3d_data.formats.cost import limits_in_force
from face3d_data.names import check_id_part, same_form
from face3d_data.pipeline.result import RunSettings
from face3d_data.pipeline.source_tasks import hash_ahead, inspect_sources, unforeseen
from face3d_data.pipeline.spec import SourceStep
from face3d_data.reader import Source, captures, source_key
from face3d_data.readers.shared.folder import FolderReader
from face3d_data.readers.shared.root_level import fitting_level
from face3d_data.readers.shared.strays import LISTED_ONLY
from face3d_data.roots import source_roots
from face3d_data.sample import Tag
from face3d_data.store.files import FileHashes
from face3d_data.store.manifest import NOT_COUNTED, Dirty, Entry
from face3d_data.store.part import RETRIED, PartRow, write_part
from face3d_data.store.place import SourcePlace, source_of
from face3d_data.store.step_rows import MISSING, is_settled
from face3d_data.store.workspace import StepCache, Workspace
from face3d_data.table import FIXED_COLUMNS

INSPECTED_ROWS = 4096
SURVEYED = 5
"""Captures of a source that its reader may look into before any step runs."""


def read_source(
    step: SourceStep, workspace: Workspace, hashes: FileHashes, settings: RunSettings | None, retry: bool = False
) -> tuple[list[Entry], list[Dirty]]:
    """Return a source's readable rows, and its bad captures as dirty rows.

    Args:
        step: the source in its pipeline.
        workspace: where what was seen of each content is remembered.
        hashes: the memory of file hashes.
        settings: of the run; None: only look, and store nothing of what is found out about new content.
        retry: look again at content that was refused before.

    Raises:
        UserError: the root or an option does not fit.
    """
    with limits_in_force(step.reader.limits):
        return _read_source(step, workspace, hashes, settings, retry)


def _read_source(
    step: SourceStep, workspace: Workspace, hashes: FileHashes, settings: RunSettings | None, retry: bool
) -> tuple[list[Entry], list[Dirty]]:
    fingerprint = step.reader.fingerprint()
    cache = workspace.step_cache(step.reader.name, fingerprint)
    entries, dirty = [], []
    found = list(captures(step.reader))
    hash_ahead(step.id, [source for source in found if source.problem is None], hashes, settings)
    for source in found:
        tags = _tags({"mask": "none", **source.tags, **step.tags})
        check_tags(tags, step.id)
        entry = _entry(step, source, tags)
        problem = source.problem or _bad_name(source)
        if problem is None:
            try:
                canonical(tags)  # a tag that is no JSON value, or not finite, is this capture's fault alone
                source = source.hashed(hashes.state)
                entry.key = source_key(fingerprint, source)
                entry.place = SourcePlace(step.reader, source, entry.key)
            except OSError as error:
                dirty.append(_dirty(step, entry, "not_read", f"{error.strerror}", RETRIED))
                continue
            except Exception as error:
                dirty.append(_dirty(step, entry, *unforeseen(error), RETRIED))
                continue
        if problem is None:
            entries.append(entry)
        else:
            dirty.append(_dirty(step, entry, *problem, NOT_COUNTED if problem[0] in LISTED_ONLY else "reject"))
    if not entries and not dirty:
        where = getattr(step.reader, "root", None)
        raise UserError(f"source {step.id!r}: {step.reader.name} found no capture{f' in {where}' if where else ''}")
    if not entries:
        _check_level(step, dirty)
    _set_roots(entries, fingerprint, getattr(step.reader, "root", None))
    _survey(step, entries, cache)
    bad = _inspect(step, entries, cache, settings, retry)
    for entry in entries if bad else ():
        row = bad.get(entry.key)
        if row is not None:
            dirty.append(_dirty(step, entry, row.reason, row.detail, row.status, row.attempt))
    return [entry for entry in entries if entry.key not in bad], dirty


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


def _set_roots(entries: list[Entry], fingerprint: str, folder: Path | None) -> None:
    sources = [source_of(entry.place).source for entry in entries]
    for entry, root in zip(entries, source_roots(fingerprint, sources, folder), strict=True):
        entry.root = root


def check_tags(tags: Mapping[str, Tag], source_id: str) -> None:
    """Check that no tag of a source is called like a column of manifests.

    Raises:
        UserError: naming the tag.
    """
    clash = sorted(tags.keys() & set(FIXED_COLUMNS))
    if clash:
        raise UserError(f"source {source_id!r}: tag {clash[0]!r} is the name of a column: choose another name")


def _entry(step: SourceStep, source: Source, tags: Mapping[str, Tag]) -> Entry:
    identity = f"{step.dataset}/{same_form(source.person)}"
    sample_id = f"{identity}/{step.capture_prefix}{same_form(source.capture)}"
    path = next(iter(source.files.values()), None)
    return Entry(
        key="",
        id=sample_id,
        identity=identity,
        dataset=step.dataset,
        origin_id=sample_id,
        source=step.id,
        path=_relative(path, getattr(step.reader, "root", None)),
        place=SourcePlace(step.reader, source, ""),
        tags=tags,
    )


def _tags(tags: Mapping[str, Tag]) -> dict[str, Tag]:
    """Return tags with their texts in the form in which `where` and queries compare them."""
    return {name: same_form(value) if isinstance(value, str) else value for name, value in tags.items()}


def _relative(path: Path | None, root: Path | None) -> str:
    if path is None:
        return ""
    text = os.path.relpath(path, root).replace(os.sep, "/") if root is not None else path.name
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _bad_name(source: Source) -> tuple[str, str] | None:
    wrong = check_id_part(source.person, "the person's name") or check_id_part(source.capture, "the capture's name")
    return ("bad_name", wrong) if wrong else None


def _dirty(step: SourceStep, entry: Entry, reason: str, detail: str, status: str = "reject", attempt: int = 1) -> Dirty:
    name, detail = (text.encode("utf-8", "backslashreplace").decode() for text in (entry.id, detail))
    return Dirty(name, step.id, step.id, status, reason, detail, entry.path, attempt, key=entry.key)


def _survey(step: SourceStep, entries: list[Entry], cache: StepCache) -> None:
    """Let the reader look at a few captures that are new, spread over the collection.

    Where fewer are new than it looks at, known ones make up the number: one bad capture that comes in is not the whole
    collection's fault.

    Raises:
        UserError: the collection does not fit an option of the reader; the source is named first.
    """
    known = (cache.rows().find([entry.key for entry in entries]) != MISSING).tolist()
    new = [source_of(entry.place).source for entry, there in zip(entries, known, strict=True) if not there]
    if not new:
        return
    old = [source_of(entry.place).source for entry, there in zip(entries, known, strict=True) if there]
    try:
        step.reader.survey([*_spread(new, SURVEYED), *_spread(old, max(0, SURVEYED - len(new)))])
    except UserError as error:
        raise UserError(f"source {step.id!r}: {error}") from None


def _spread(sources: list[Source], most: int) -> list[Source]:
    """Return a few of some captures, the first and the last among them."""
    n = min(most, len(sources))
    return [sources[i * (len(sources) - 1) // max(1, n - 1)] for i in range(n)]


def _inspect(
    step: SourceStep, entries: list[Entry], cache: StepCache, settings: RunSettings | None, retry: bool
) -> dict[str, PartRow]:
    """Look into what is new, and return the row of each content that is not good, by key."""
    keep = settings is not None
    rows, keys = cache.rows(keep), [entry.key for entry in entries]
    todo = [(keys[i], source_of(entries[i].place).source, attempt) for i, attempt in rows.to_do(keys, retry=retry)]
    new = inspect_sources(step.id, step.reader, todo, settings)
    settled = [row for row in new.values() if is_settled(row)]
    if settled and keep:
        cache.describe({"kind": "reader", **describe_source(step, step.reader.fingerprint())})
        for block in _blocks(settled):
            write_part(cache.parts, block, ())
    places = rows.find(keys)
    bad = np.flatnonzero((places != MISSING) & ~np.append(rows.gave_output(), True)[places])
    before = {keys[i]: rows.group(int(places[i]))[1][0] for i in bad.tolist()}
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
