"""Rows of a source: the captures of its table as a manifest, and those that are bad as dirty rows."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d_data.errors import UserError
from face3d_data.names import same_form
from face3d_data.pipeline.spec import SourceStep
from face3d_data.reader import Source
from face3d_data.readers.shared.strays import LISTED_ONLY
from face3d_data.roots import HashedCapture, source_roots
from face3d_data.sample import Tag
from face3d_data.store.coded import Coded
from face3d_data.store.manifest import NO_POINTS, NOT_COUNTED, Dirty, Manifest
from face3d_data.store.part import RETRIED
from face3d_data.store.place_pools import SourcePool
from face3d_data.store.places import Places
from face3d_data.store.source_table import SourceTable
from face3d_data.table import FIXED_COLUMNS


def source_manifest(step: SourceStep, table: SourceTable, keys: np.ndarray, rows: np.ndarray) -> Manifest:
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
    check_tags(tags, step.id)
    return Manifest(arrays, coded, tags, {}, Places((SourcePool(table, rows, arrays["key"]),)))


@dataclass(frozen=True)
class _HashedCaptures(Sequence[HashedCapture]):
    """What the roots of captures rest on, each made when it is asked for."""

    table: SourceTable
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> HashedCapture:  # type: ignore[override]
        table, files, row = self.table, self.table.files, int(self.rows[i])
        hashed = [(files.text(place), files.size(place), files.content(place)) for place in table.file_places(row)]
        return HashedCapture(hashed, table.index(row), table.record(row), table.root(row))


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


def check_tags(tags: Collection[str], source_id: str) -> None:
    """Check that no tag of a source is called like a column of manifests.

    Raises:
        UserError: naming the tag.
    """
    clash = sorted({*tags}.intersection(FIXED_COLUMNS))
    if clash:
        raise UserError(f"source {source_id!r}: tag {clash[0]!r} is the name of a column: choose another name")


def _form(value: Tag) -> Tag:
    """Return a tag's value in the form in which `where` and queries compare texts."""
    return same_form(value) if isinstance(value, str) else value


def _relative(path: Path | None, root: Path | None) -> str:
    if path is None:
        return ""
    text = os.path.relpath(path, root).replace(os.sep, "/") if root is not None else path.name
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def dirty_capture(
    step: SourceStep,
    sample_id: str,
    path: str,
    key: str,
    reason: str,
    detail: str,
    status: str = "reject",
    attempt: int = 1,
) -> Dirty:
    """Return the dirty row of a capture, with names that are not UTF-8 escaped."""
    name, detail = (text.encode("utf-8", "backslashreplace").decode() for text in (sample_id, detail))
    return Dirty(name, step.id, step.id, status, reason, detail, path, attempt, key=key)


def dirty_source(
    step: SourceStep, source: Source, problem: tuple[str, str] | None, again: tuple[str, str] | None
) -> Dirty:
    """Return the dirty row of a capture with a problem, or with one that may be gone when it is tried again."""
    sample_id = f"{step.dataset}/{same_form(source.person)}/{step.capture_prefix}{same_form(source.capture)}"
    path = _relative(next(iter(source.files.values()), None), getattr(step.reader, "root", None))
    if problem is None:
        return dirty_capture(step, sample_id, path, "", *(again or ("", "")), RETRIED)
    return dirty_capture(step, sample_id, path, "", *problem, NOT_COUNTED if problem[0] in LISTED_ONLY else "reject")
