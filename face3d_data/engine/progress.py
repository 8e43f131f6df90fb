"""Progress line of a step: live on a terminal, and a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from face3d_data.engine.stats import Report
from face3d_data.terminal import is_quiet, shows_bars

PLAIN_EVERY_S = 10.0


class StepProgress:
    """Progress of one step, fed with the workers' reports; a context manager.

    Args:
        label: the step's id.
        total: inputs to work on.
        show: print at all.
    """

    def __init__(self, label: str, total: int, show: bool = True) -> None:
        self.label = label
        self.total = total
        self.sum = Report()
        self._show = show and total > 0 and not is_quiet()
        self._started = self._printed = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> StepProgress:
        if self._show and shows_bars():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=self.total, rate="", dirty="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, report: Report) -> None:
        """Take one task's report into the line."""
        self.sum.add(report)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.sum.inputs, rate=self._rate(), dirty=self._dirty())
        elif self._show and time.monotonic() - self._printed >= PLAIN_EVERY_S:
            self._printed = time.monotonic()
            left = (self.total - self.sum.inputs) / max(self.per_second, 1e-9)
            line = f"{self.label}: {self.sum.inputs}/{self.total} {self._rate()} {self._dirty()} {left:.0f} s left"
            print(line, file=sys.stderr, flush=True)

    @property
    def per_second(self) -> float:
        """Inputs a second so far, by the clock."""
        return self.sum.inputs / max(time.monotonic() - self._started, 1e-9)

    def _rate(self) -> str:
        return f"{self.per_second:.1f}/s"

    def _dirty(self) -> str:
        bad = self.sum.inputs - self.sum.counts["ok"]
        return f"{bad} dirty" if bad else ""


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[dirty]}", style="yellow"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
