"""Results of a run and of its steps, and the settings of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from face3d_data.engine.backends import Engine
from face3d_data.engine.stats import Report
from face3d_data.pipeline.spec import Pipeline
from face3d_data.store.manifest import (
    Dirty,
    Entry,
)
from face3d_data.store.workspace import Workspace

Say = Callable[[str], None]


@dataclass(frozen=True)
class Workers:
    """Workers of a run; they decide how long it takes, and never its results.

    Attributes:
        engine: `serial`, `loky` (processes) or `threading`.
        jobs: how many; as many as there are cores if None.
        chunk: rows that a worker is given at once, 1 to 256; chosen by their rate if None.
    """

    engine: str = "loky"
    jobs: int | None = None
    chunk: int | None = None


@dataclass(frozen=True)
class RunSettings:
    """Settings of a run; none of them changes a result."""

    engine: Engine
    chunk: int | None = None
    force: frozenset[str] = frozenset()
    show_progress: bool = True
    rehash: bool = False


@dataclass
class StepResult:
    """A step's rows after a run, and what there was to do."""

    id: str
    name: str
    fingerprint: str
    inputs: int
    entries: list[Entry]
    dirty: list[Dirty] = field(default_factory=list)
    unreadable: list[Dirty] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    seconds: float = 0.0
    keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    remarks: dict[str, str] = field(default_factory=dict)
    """Id of an output to what was left aside of its file."""
    state: Mapping[str, str] = field(default_factory=dict)

    @property
    def reasons(self) -> Counter[str]:
        """Return how many inputs were left out, by reason."""
        return Counter(row.reason for row in [*self.dirty, *self.unreadable])


@dataclass
class RunResult:
    """Results of a run.

    Attributes:
        steps: results by source and step id, in the order in which they ran.
        datasets: folder of each dataset published.
        todo: inputs that each step still has to do; filled when nothing was to be run.
        settled: steps with results of all inputs, which run only for arrays that are not stored; likewise.
    """

    pipeline: Pipeline
    workspace: Workspace
    steps: dict[str, StepResult] = field(default_factory=dict)
    datasets: dict[str, Path] = field(default_factory=dict)
    todo: dict[str, int] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def entries(self, step_id: str) -> list[Entry]:
        """Return the rows of a source or step."""
        return self.steps[step_id].entries


def done(result: RunResult) -> Mapping[str, Sequence[Entry]]:
    """Return the rows of every source and step so far."""
    return {name: step.entries for name, step in result.steps.items()}
