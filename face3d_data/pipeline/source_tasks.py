"""Work on sources before any stage runs: files hashed, and headers read, in batches by the engine's workers.

A few files are done in the driver: workers take a second to start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from face3d_data.engine.backends import Crash, Engine
from face3d_data.engine.progress import StepProgress
from face3d_data.engine.stats import Report
from face3d_data.engine.worker import DETAIL_CHARS
from face3d_data.errors import NeedsLibrary, Unreadable, UserError, stops_the_run
from face3d_data.formats.cost import limits_in_force
from face3d_data.pipeline.result import RunSettings
from face3d_data.reader import Reader, Source
from face3d_data.store.files import FileHashes, Known, hash_file
from face3d_data.store.part import RETRIED, PartRow
from face3d_data.store.source_table import FileTable

FEW = 512
"""Files or captures up to which the driver does the work itself."""
MOST_FILES, MOST_BYTES = 256, 256_000_000
"""Files of a task, and their bytes, beyond its first file."""
CAPTURES = 128
"""Captures whose headers are read in one task."""
STOPS = (UserError, NeedsLibrary, sqlite3.Error)
"""What is wrong with the run rather than with one capture, beside what `stops_the_run` says."""
T = TypeVar("T")


@dataclass(frozen=True)
class HashFiles:
    """Some files to be hashed; the report's result is a mapping of path to what `hash_file` found.

    A file that cannot be read is not in it: the driver meets it again, and says what is wrong.
    """

    paths: tuple[Path, ...]

    def run(self) -> Report:
        """Hash the files."""
        found: dict[Path, Known] = {}
        for path in self.paths:
            try:
                found[path] = hash_file(path)
            except OSError:
                continue
        report = Report(inputs=len(self.paths), outputs=len(found), result=found)
        report.counts["ok"] = len(self.paths)
        return report

    def halves(self) -> Sequence[HashFiles]:
        """Return the two halves, or nothing for a single file."""
        return [HashFiles(paths) for paths in _halves(self.paths)]


@dataclass(frozen=True)
class InspectSources:
    """Captures whose headers are to be read; the report's result is a row of each."""

    reader: Reader
    captures: tuple[tuple[str, Source, int], ...]
    """Key, source and number of this attempt."""

    def run(self) -> Report:
        """Read the headers."""
        with limits_in_force(self.reader.limits):
            rows = [_inspected(self.reader, *capture) for capture in self.captures]
        report = Report(inputs=len(rows), outputs=sum(row.status == "ok" for row in rows), result=rows)
        report.counts.update(row.status for row in rows)
        return report

    def halves(self) -> Sequence[InspectSources]:
        """Return the two halves, or nothing for a single capture."""
        return [replace(self, captures=captures) for captures in _halves(self.captures)]


def hash_ahead(label: str, files: FileTable, hashes: FileHashes, settings: RunSettings | None) -> None:
    """Hash the files of sources by workers, as far as their hashes are not known.

    Args:
        label: for the progress line.
        files: those of the sources.
        hashes: takes what is found.
        settings: of the run; None: only look, so that nothing is done ahead.
    """
    if settings is None:
        return
    paths = hashes.unknown(files.paths())
    if len(paths) <= FEW or settings.engine.jobs < 2:
        return
    with StepProgress(f"{label}: hash", len(paths), settings.show_progress) as progress:
        for _, report in settings.engine.run(_hash_tasks(paths)):
            if isinstance(report, Crash):
                continue  # the driver meets that file again
            for path, found in report.result.items():  # type: ignore[attr-defined]
                hashes.learn(path, found)
            progress.update(report)


def _hash_tasks(paths: Sequence[Path]) -> Iterator[HashFiles]:
    some: list[Path] = []
    n_bytes = 0
    for path in paths:
        try:
            n_bytes += path.stat().st_size
        except OSError:
            continue
        some.append(path)
        if len(some) == MOST_FILES or n_bytes >= MOST_BYTES:
            yield HashFiles(tuple(some))
            some, n_bytes = [], 0
    if some:
        yield HashFiles(tuple(some))


def inspect_sources(
    label: str, reader: Reader, captures: Sequence[tuple[str, Source, int]], settings: RunSettings | None
) -> dict[str, PartRow]:
    """Return what is seen of captures by their headers, one row each, by key.

    Args:
        label: for the progress line.
        reader: knows their files.
        captures: key, source and number of this attempt.
        settings: of the run; None: in this process.

    Raises:
        UserError: what is wrong is no capture's fault.
    """
    alone = settings is None or len(captures) <= FEW
    engine = Engine("serial") if alone or settings is None else settings.engine
    show = settings is not None and settings.show_progress
    tasks = (
        InspectSources(reader, tuple(captures[start : start + CAPTURES])) for start in range(0, len(captures), CAPTURES)
    )
    rows: dict[str, PartRow] = {}
    with StepProgress(f"{label}: look", len(captures), show) as progress:
        for task, report in engine.run(tasks):
            if isinstance(report, Crash):
                ((key, _, attempt),) = task.captures  # type: ignore[attr-defined]
                rows[key] = PartRow(key, status="crash", reason="worker_died", detail=str(report), attempt=attempt)
                continue
            rows |= {row.input: row for row in report.result}  # type: ignore[attr-defined]
            progress.update(report)
    return rows


def _inspected(reader: Reader, key: str, source: Source, attempt: int) -> PartRow:
    row = PartRow(input=key, key=key, attempt=attempt)
    try:
        with source.unchanged():
            reader.inspect(source)
    except NeedsLibrary as error:
        return replace(row, key="", status=RETRIED, reason=error.reason, detail=error.detail)
    except Unreadable as error:
        return replace(row, key="", status="reject", reason=error.reason, detail=error.detail)
    except OSError as error:
        return replace(row, key="", status=RETRIED, reason="not_read", detail=str(error.strerror or error))
    except Exception as error:
        reason, detail = unforeseen(error)
        return replace(row, key="", status=RETRIED, reason=reason, detail=detail)
    return row


def unforeseen(error: Exception) -> tuple[str, str]:
    """Return reason and detail: a reader's mistake, or a file that nobody thought of, leaves the others good.

    Raises:
        Exception: `error` itself, where it is no capture's fault.
    """
    if isinstance(error, STOPS) or stops_the_run(error):
        raise error
    return type(error).__name__, " ".join(str(error).split())[:DETAIL_CHARS]


def _halves(things: tuple[T, ...]) -> list[tuple[T, ...]]:
    middle = len(things) // 2
    return [things[:middle], things[middle:]] if middle else []
