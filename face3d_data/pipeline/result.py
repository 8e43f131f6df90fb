"""Results of a run and of its steps, and the settings of a run."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.engine.backends import Engine
from face3d_data.engine.stats import Report
from face3d_data.pipeline.spec import Pipeline
from face3d_data.store.manifest import Dirty, Manifest
from face3d_data.store.workspace import Workspace

Say = Callable[[str], None]


@dataclass(frozen=True)
class Workers:
    """Workers of a run; they decide how long it takes, and never its results.

    Attributes:
        engine: `serial`, `loky` (processes), `threading`, `dask` or `ray`.
        jobs: how many; as many as there are cores if None, or as the cluster at the address has.
        chunk: rows that a worker is given at once, 1 to 256; chosen by their rate if None.
        address: of the cluster of `dask` or `ray`; one is started on this machine if None.
    """

    engine: str = "loky"
    jobs: int | None = None
    chunk: int | None = None
    address: str | None = None


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
    rows: Manifest | Callable[[], StepResult]
    """The rows, or what looks at them: of a step that is as it was, few ask for them."""
    dirty: list[Dirty] = field(default_factory=list)
    unreadable: list[Dirty] = field(default_factory=list)
    report: Report = field(default_factory=Report)
    seconds: float = 0.0
    keys: np.ndarray = field(default_factory=lambda: np.zeros(0, "S1"))
    """Keys of the inputs, S (n,); of a step that is as it was they are there once its rows were looked at."""
    made_from: int = 0
    """Inputs of which there are outputs."""
    parents: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """For each row the place of its input, i4 (n,); of a stage whose rows were looked at."""
    settled: bool = False
    """There is nothing that a next run would try again."""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    """What the last run recorded of a step that is as it was then; empty for others."""
    notes: tuple[str, ...] = ()
    remarks: dict[str, str] = field(default_factory=dict)
    """Id of an output to what was left aside of its file."""
    state: Mapping[str, str] = field(default_factory=dict)

    @property
    def entries(self) -> Manifest:
        """Return the rows."""
        if not isinstance(self.rows, Manifest):
            looked_at = self.rows()
            self.rows, self.keys = looked_at.entries, looked_at.keys
        return self.rows

    @property
    def outputs(self) -> int:
        """Return how many rows there are."""
        return len(self.rows) if isinstance(self.rows, Manifest) else int(self.recorded["outputs"])

    @functools.cached_property
    def digest(self) -> str:
        """Return the digest of the rows."""
        return str(self.recorded["digest"]) if self.recorded else self.entries.digest()

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

    def entries(self, step_id: str) -> Manifest:
        """Return the rows of a source or step."""
        return self.steps[step_id].entries


class Done(Mapping[str, Manifest]):
    """The rows of every source and step so far, looked up when one asks for them."""

    def __init__(self, result: RunResult) -> None:
        self._steps = result.steps

    def __getitem__(self, name: str) -> Manifest:
        return self._steps[name].entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def done(result: RunResult) -> Done:
    """Return the rows of every source and step so far."""
    return Done(result)
