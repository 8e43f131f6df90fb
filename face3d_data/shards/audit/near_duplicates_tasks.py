"""Tasks of the search for near-duplicates: samples described, and pairs compared, by worker processes.

Each result depends on its row or its pair alone, so that the number of workers changes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from face3d_data.engine.backends import Crash, Engine
from face3d_data.engine.progress import StepProgress
from face3d_data.engine.stats import Report
from face3d_data.engine.worker import Task
from face3d_data.plurals import counted
from face3d_data.shards.audit.look import Described, Look

ROWS, PAIRS = 256, 128
"""Rows, and pairs, of a task: about half a second of work."""


@dataclass(frozen=True)
class DescribeRows:
    """Rows to be described; the report's result is `Described`."""

    look: Look
    start: int
    stop: int

    def run(self) -> Report:
        """Describe the rows."""
        return _done(self.stop - self.start, self.look.describe(self.start, self.stop))

    def halves(self) -> Sequence[DescribeRows]:
        """Return the two halves, or nothing for a single row."""
        middle = (self.start + self.stop) // 2
        return [replace(self, stop=middle), replace(self, start=middle)] if middle > self.start else []


@dataclass(frozen=True)
class ComparePairs:
    """Pairs of rows to be compared; the report's result is, for each, in words how near they are, or None.

    Attributes:
        look: compares them.
        pairs: two rows, and the parts of the face by which they are near.
        laid: what was kept of each row.
    """

    look: Look
    pairs: tuple[tuple[int, int, tuple[int, ...]], ...]
    laid: Mapping[int, np.ndarray]

    def run(self) -> Report:
        """Compare the pairs."""
        comparison = self.look.comparison(self.laid)
        found = [
            next(filter(None, (comparison.confirm(first, second, part) for part in parts)), None)
            for first, second, parts in self.pairs
        ]
        return _done(len(found), found)

    def halves(self) -> Sequence[ComparePairs]:
        """Return the two halves, or nothing for a single pair."""
        middle = len(self.pairs) // 2
        return [replace(self, pairs=some) for some in (self.pairs[:middle], self.pairs[middle:])] if middle else []


class Crew:
    """What runs tasks: the engine's workers, or this process, and a line that shows how far they are.

    Args:
        engine: None: this process.
        show_progress: show the line.
    """

    def __init__(self, engine: Engine | None, show_progress: bool) -> None:
        self._engine = engine
        self._show = show_progress

    def run(self, label: str, total: int, tasks: Iterator[Task]) -> Iterator[tuple[Task, Report | Crash]]:
        """Yield tasks with their reports as they end; `total` is the number of their inputs."""
        ended = ((task, task.run()) for task in tasks) if self._engine is None else self._engine.run(tasks)
        with StepProgress(label, total, self._show) as progress:
            for task, report in ended:
                if isinstance(report, Report):
                    progress.update(report)
                yield task, report


def describe(look: Look, n: int, crew: Crew) -> tuple[Described, list[str]]:
    """Return the descriptors of all rows, and a note of those that no worker survived.

    Args:
        look: describes them.
        n: number of rows.
        crew: does the work.
    """
    shown, poor = np.zeros(n, bool), np.zeros(n, bool)
    descriptors = tuple(np.zeros((n, part.length), np.float32) for part in look.parts)
    laid = np.zeros((n, *look.laid_shape))
    lost = 0
    tasks = (DescribeRows(look, start, min(start + ROWS, n)) for start in range(0, n, ROWS))
    for task, report in crew.run(f"{look.name}: describe", n, tasks):
        if isinstance(report, Crash):
            lost += 1
            continue
        rows, found = slice(task.start, task.stop), report.result  # type: ignore[attr-defined]
        shown[rows], poor[rows], laid[rows] = found.shown, found.poor, found.laid  # type: ignore[attr-defined]
        for mine, some in zip(descriptors, found.descriptors, strict=True):  # type: ignore[attr-defined]
            mine[rows] = some
    return Described(shown, poor, descriptors, laid), _lost(look, lost, "sample")


def compare(
    look: Look, pairs: np.ndarray, parts: np.ndarray, laid: np.ndarray, crew: Crew
) -> tuple[dict[tuple[int, int], str], list[str]]:
    """Return in words how near the pairs are that are confirmed, and a note of those that no worker survived.

    Args:
        look: compares them.
        pairs: int (p, 2) rows; pairs that share a row are best next to each other.
        parts: bool (p, k), the parts of the face by which they are near.
        laid: what was kept of each row.
        crew: does the work.
    """
    found: dict[tuple[int, int], str] = {}
    lost = 0
    for task, report in crew.run(f"{look.name}: compare", len(pairs), _pair_tasks(look, pairs, parts, laid)):
        if isinstance(report, Crash):
            lost += 1
            continue
        told = zip(task.pairs, report.result, strict=True)  # type: ignore[attr-defined, call-overload]
        found |= {(first, second): how for (first, second, _), how in told if how}
    return found, _lost(look, lost, "pair")


def _pair_tasks(look: Look, pairs: np.ndarray, parts: np.ndarray, laid: np.ndarray) -> Iterator[ComparePairs]:
    for start in range(0, len(pairs), PAIRS):
        some = slice(start, start + PAIRS)
        near = [tuple(np.flatnonzero(row).tolist()) for row in parts[some]]
        rows = {row: laid[row] for row in np.unique(pairs[some]).tolist()}
        told = ((first, second, by) for (first, second), by in zip(pairs[some].tolist(), near, strict=True))
        yield ComparePairs(look, tuple(told), rows)


def _done(count: int, result: object) -> Report:
    report = Report(inputs=count, outputs=count, result=result)
    report.counts["ok"] = count
    return report


def _lost(look: Look, lost: int, what: str) -> list[str]:
    return [f"{look.name} of {counted(lost, what)} killed the worker process that read them"] if lost else []
