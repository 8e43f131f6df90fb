"""Sources as manifest rows: captures are listed, hashed and given keys, and new headers are read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d_data.digest import DIGEST_CHARS, canonical
from face3d_data.errors import UserError
from face3d_data.formats.cost import limits_in_force
from face3d_data.names import check_id_part, same_form
from face3d_data.pipeline.result import RunSettings
from face3d_data.pipeline.source_tasks import hash_ahead, inspect_sources, unforeseen
from face3d_data.pipeline.spec import SourceStep
from face3d_data.reader import Source, captures
from face3d_data.readers.shared.folder import FolderReader
from face3d_data.readers.shared.root_level import fitting_level
from face3d_data.readers.shared.strays import LISTED_ONLY
from face3d_data.roots import HashedCapture, source_roots
from face3d_data.sample import Tag
from face3d_data.store.coded import MISSING, Coded
from face3d_data.store.files import FileHashes
from face3d_data.store.manifest import NO_POINTS, NOT_COUNTED, Dirty, Manifest
from face3d_data.store.part import RETRIED, PartRow, write_part
from face3d_data.store.place import source_of
from face3d_data.store.places import Places, SourcePool
from face3d_data.store.source_table import SourceTable
from face3d_data.store.step_rows import StepRows, is_settled
from face3d_data.store.workspace import StepCache, Workspace
from face3d_data.table import FIXED_COLUMNS

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
                bad.append((len(table), _dirty_source(step, source, problem, wrong)))
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
    found += [(place, _dirty_source(step, table.source(place), None, why)) for place, why in failed.items()]
    dirty = [row for _, row in sorted(found, key=lambda pair: pair[0])]
    rows = _manifest(step, table, keys, np.array([i for i in range(len(table)) if i not in failed], np.int32))
    if not len(rows):
        _check_level(step, dirty)
        return rows, dirty
    seen = cache.rows(keep=settings is not None)
    _survey(step, rows, seen)
    bad = _inspect(step, rows, cache, seen, settings, retry)
    if bad:
        refused = np.array([key.decode() in bad for key in rows.arrays["key"].tolist()])
        for entry in rows.where(refused):
            row = bad[entry.key]
            dirty.append(_dirty(step, entry.id, entry.path, entry.key, row.reason, row.detail, row.status, row.attempt))
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


def _manifest(step: SourceStep, table: SourceTable, keys: np.ndarray, rows: np.ndarray) -> Manifest:
    """Return the rows of captures, by their places in the table."""
    people = table.people.take(rows).mapped(lambda person: f"{step.dataset}/{same_form(person)}")
    captures = table.captures
    names = (same_form(captures[row]) for row in rows.tolist())
    ids = np.fromiter(
        (f"{who}/{step.capture_prefix}{name}" for who, name in zip(people.objects(), names, strict=True)),
        object,
        len(rows),
    )
    recordings = _HashedCaptures(table, rows)
    roots = source_roots(step.reader.fingerprint(), recordings, getattr(step.reader, "root", None))
    arrays = {
        "key": keys[rows],
        "id": ids,
        "origin_id": ids,
        "path": _paths(table, rows, getattr(step.reader, "root", None)),
        "root": np.fromiter(roots, object, len(rows)),
        "n_points": np.full(len(rows), NO_POINTS, np.int64),
    }
    values = {"dataset": step.dataset, "variant": "plain", "split": "", "source": step.id}
    coded = {name: Coded.same(value, len(rows)) for name, value in values.items()} | {"identity": people}
    tags = {"mask": Coded.same("none", len(rows))}
    for name, column in table.tags.items():
        own = column.take(rows).mapped(_form)
        tags[name] = own.over(tags[name]) if name in tags else own
    tags |= {name: Coded.same(_form(value), len(rows)) for name, value in step.tags.items()}
    for name in tags:
        check_tags({name: ""}, step.id)
    return Manifest(arrays, coded, tags, {}, Places((SourcePool(table, rows, arrays["key"]),)))


@dataclass(frozen=True)
class _HashedCaptures:
    """What the roots of captures rest on; can be gone through more than once."""

    table: SourceTable
    rows: np.ndarray

    def __iter__(self) -> Iterator[HashedCapture]:
        table, files = self.table, self.table.files
        for row in self.rows.tolist():
            hashed = [(files.text(place), files.size(place), files.content(place)) for place in table.file_places(row)]
            yield HashedCapture(hashed, table.index(row), table.record(row), table.root(row))


def _paths(table: SourceTable, rows: np.ndarray, root: Path | None) -> np.ndarray:
    """Return the path of each capture's first file from the root."""
    folders: dict[str, str] = {}
    found = np.empty(len(rows), object)
    for i, place in enumerate(table.first_files()[rows].tolist()):
        found[i] = "" if place < 0 else _below(folders, *table.files.parts(place), root)
    return found


def _below(folders: dict[str, str], folder: str, name: str, root: Path | None) -> str:
    """Return what `_relative` does; each folder is looked at once."""
    if name in ("", ".", "..") or root is None:
        return _relative(Path(folder + name), root)
    if folder not in folders:
        below = _relative(Path(folder + "x"), root)
        folders[folder] = below[:-1]
    plain = name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")
    return folders[folder] + plain


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


def check_tags(tags: Mapping[str, Tag], source_id: str) -> None:
    """Check that no tag of a source is called like a column of manifests.

    Raises:
        UserError: naming the tag.
    """
    clash = sorted(tags.keys() & set(FIXED_COLUMNS))
    if clash:
        raise UserError(f"source {source_id!r}: tag {clash[0]!r} is the name of a column: choose another name")


def _form(value: Tag) -> Tag:
    """Return a tag's value in the form in which `where` and queries compare texts."""
    return same_form(value) if isinstance(value, str) else value


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


def _relative(path: Path | None, root: Path | None) -> str:
    if path is None:
        return ""
    text = os.path.relpath(path, root).replace(os.sep, "/") if root is not None else path.name
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _bad_name(source: Source) -> tuple[str, str] | None:
    wrong = check_id_part(source.person, "the person's name") or check_id_part(source.capture, "the capture's name")
    return ("bad_name", wrong) if wrong else None


def _dirty(
    step: SourceStep,
    sample_id: str,
    path: str,
    key: str,
    reason: str,
    detail: str,
    status: str = "reject",
    attempt: int = 1,
) -> Dirty:
    name, detail = (text.encode("utf-8", "backslashreplace").decode() for text in (sample_id, detail))
    return Dirty(name, step.id, step.id, status, reason, detail, path, attempt, key=key)


def _dirty_source(
    step: SourceStep, source: Source, problem: tuple[str, str] | None, again: tuple[str, str] | None
) -> Dirty:
    """Return the dirty row of a capture with a problem, or with one that may be gone when it is tried again."""
    sample_id = f"{step.dataset}/{same_form(source.person)}/{step.capture_prefix}{same_form(source.capture)}"
    path = _relative(next(iter(source.files.values()), None), getattr(step.reader, "root", None))
    if problem is None:
        return _dirty(step, sample_id, path, "", *(again or ("", "")), RETRIED)
    return _dirty(step, sample_id, path, "", *problem, NOT_COUNTED if problem[0] in LISTED_ONLY else "reject")


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
            write_part(cache.parts, block, ())
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
