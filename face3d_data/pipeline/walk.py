"""Walk through fused steps: what the cache has of each, and which rows have to be worked on, from which step on.

A row is done if its own rows are settled, and so are those of everything made of it, to the last step, whose arrays are
stored. Where they are not, work begins at the last row on the way whose arrays can be read; of an inner step these are
rows of a run that stored them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from face3d_data.engine.chunk import Link
from face3d_data.pipeline.chunks import WorkList
from face3d_data.pipeline.fuse import FusedSteps, stores
from face3d_data.pipeline.join import join_rows
from face3d_data.pipeline.result import StepResult
from face3d_data.pipeline.spec import Step
from face3d_data.stage import Stage
from face3d_data.store.coded import Coded
from face3d_data.store.manifest import Manifest
from face3d_data.store.newest_rows import by_key, group_starts
from face3d_data.store.workspace import StepCache, Workspace

NOTHING_LACKS: frozenset[str] = frozenset()


@dataclass
class Level:
    """One of the fused steps, with its inputs.

    Attributes:
        stores: whether its arrays are stored.
        parents: for each input its place among the inputs of the step before; none for the first step.
        readable: bool, whether its arrays can be read; else work on it begins further up.
        work: bool, whether the stage has to run on it.
        attempts: number of the attempt, should it run.
        starts: bool, whether work begins with it.
    """

    step: Step
    stage: Stage
    fingerprint: str
    cache: StepCache
    stores: bool
    result: StepResult
    inputs: Manifest
    parents: np.ndarray
    readable: np.ndarray
    work: np.ndarray
    attempts: np.ndarray
    starts: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    settled: bool = False
    """Whether it has settled rows of all of its inputs, so that it runs only because their arrays are not stored."""

    @property
    def link(self) -> Link:
        """Return the stage as a worker runs it."""
        return Link(self.stage, self.fingerprint, self.cache.parts, self.stores)

    @property
    def to_do(self) -> int:
        """Return how many inputs the stage has to run on, of those that are known."""
        return len(np.unique(self.result.keys[self.work]))


def walk(
    steps: FusedSteps,
    seed: int,
    workspace: Workspace,
    inputs: Manifest,
    forced: Mapping[str, bool] | None = None,
    retry: bool = False,
    keep: bool = False,
    again: bool = True,
) -> list[Level]:
    """Return what the cache has of fused steps.

    Args:
        steps: the fused steps.
        seed: the pipeline's.
        workspace: has their caches.
        inputs: rows of the first step.
        forced: step to whether everything of it is done again.
        retry: do again what gave no output.
        keep: write the index of what was read.
        again: false: leave what has rows, such as errors, and do only what is not stored (after work).
    """
    levels: list[Level] = []
    parents, lacking = np.zeros(0, np.int64), Coded.same(NOTHING_LACKS, len(inputs))
    for step in steps:
        stage = step.stage
        fingerprint = step.fingerprint(seed)
        cache = workspace.step_cache(stage.name, fingerprint)
        rows = cache.rows(keep)
        result = join_rows(step, stage, fingerprint, inputs, rows)
        work, attempts = rows.needed(result.keys, bool(forced and forced.get(step.id)), retry)
        work &= again
        attempts = np.where(work, attempts + 1, np.maximum(attempts, 1))
        readable = ~lacking.where(bool)
        level = Level(
            step, stage, fingerprint, cache, stores(steps, step), result, inputs, parents, readable, work, attempts
        )
        level.settled = not work.any()
        levels.append(level)
        inputs, parents = result.entries, result.parents
        pools = inputs.places.pools
        lacking = pools[0].lacking(lacking) if pools else Coded.same(None, 0)  # type: ignore[attr-defined]
    _redo_what_is_not_stored(levels[-1], parents, lacking)
    for level, below in zip(levels[-2::-1], levels[:0:-1], strict=True):
        level.work[below.parents[below.work & ~below.readable]] = True
    _begin(levels)
    return levels


def _redo_what_is_not_stored(last: Level, parents: np.ndarray, lacking: Coded) -> None:
    """Let the last step run again on inputs whose outputs have arrays that no record has."""
    again = np.zeros(len(last.inputs), bool)
    again[parents[lacking.where(bool)]] = True
    last.attempts += again & ~last.work
    last.work |= again


def _begin(levels: Sequence[Level]) -> None:
    """Find where work begins, and let it go on from there through all steps."""
    for i, level in enumerate(levels):
        behind = levels[i - 1].work[level.parents] if i else np.zeros(len(level.inputs), bool)
        level.starts = level.work & ~behind
        level.work |= behind


def rows_to_do(levels: Sequence[Level], at: int) -> WorkList:
    """Return the rows with which work begins at one of the levels, once for each key and tags that stages read."""
    level = levels[at]
    read = sorted({name for one in levels[at + 1 :] for name in one.stage.tag_inputs})
    columns = [level.inputs.tags[name] for name in read if name in level.inputs.tags]
    rows = np.flatnonzero(level.starts)
    return WorkList(level.inputs, _once(rows, level.result.keys, columns), level.attempts, _later_attempts(levels, at))


def _once(rows: np.ndarray, keys: np.ndarray, columns: Sequence[Coded]) -> np.ndarray:
    """Return the first row of each key and values of some columns."""
    order = rows[by_key(keys[rows])]
    starts = group_starts(keys[order])
    if len(starts) == len(order) or not columns:
        return np.sort(order[starts])
    found: dict[object, int] = {}
    for row in rows.tolist():
        found.setdefault((keys[row], *(column[row] for column in columns)), row)
    return np.fromiter(found.values(), np.int64, len(found))


def _later_attempts(levels: Sequence[Level], at: int) -> dict[int, dict[str, int]]:
    """Return for inputs of a level the attempts of what was made of them, by input key, where it is not the first."""
    found: dict[int, dict[str, int]] = {}
    roots = np.arange(len(levels[at].inputs))
    for level in levels[at + 1 :]:
        roots = roots[level.parents]
        for i in np.flatnonzero(level.work & (level.attempts > 1)).tolist():
            found.setdefault(int(roots[i]), {})[level.result.keys[i].decode()] = int(level.attempts[i])
    return found
