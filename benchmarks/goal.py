"""Goal of a benchmark: the figure that it is about, and the line of the table that says whether it is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NO_PROC = "resident sets are looked up in /proc, which is not here"


@dataclass(frozen=True)
class Goal:
    """One line of the table.

    Attributes:
        what: what is measured.
        path: keys that lead to the figure in the script's JSON.
        least: the goal, where more is better.
        most: the goal, where less is better; with neither goal the figure is only shown.
        unless: what to do where the figure is not there.
    """

    what: str
    path: tuple[str, ...]
    least: float | None = None
    most: float | None = None
    unless: str = ""

    @property
    def text(self) -> str:
        """The goal in words."""
        if self.least is not None:
            return "yes" if self.least is True else f">= {self.least:.4g}"
        return f"<= {self.most:.4g}" if self.most is not None else "-"

    def row(self, figures: Any) -> dict[str, Any]:
        """Return the line for a script's figures."""
        for key in self.path:
            if figures.get(key) is None:
                return {"what": self.what, "goal": self.text, "measured": None, "met": f"skipped: {self.unless}"}
            figures = figures[key]
        if self.least is None and self.most is None:
            met = "-"
        else:
            good = figures >= self.least if self.least is not None else figures <= self.most
            met = "yes" if good else "MISSED"
        return {"what": self.what, "goal": self.text, "measured": figures, "met": met}


@dataclass(frozen=True)
class Benchmark:
    """A script with its arguments and the goals that its figures are held against."""

    name: str
    script: str
    arguments: tuple[str, ...]
    goals: tuple[Goal, ...]
