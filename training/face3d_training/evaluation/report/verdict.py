"""Verdict of an evaluation: whether networks beat the baselines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from face3d_training.evaluation.metrics.figure import Figure
from face3d_training.evaluation.metrics.results import Difference, Evaluation
from face3d_training.evaluation.report.score_tables import HEADINGS, score_tables

State = Literal["better", "unclear", "equal", "worse"]
JUDGED_BY = ("rank 1", "auc")
"""What they are judged by: the first of these in which they differ."""


SAID = {
    "better": "beats the baselines on {titles}",
    "unclear": "is ahead of the baselines on {titles}, but not beyond what chance gives",
    "equal": "equals a baseline on {titles}: more people are needed to tell them apart",
    "worse": "does not beat the baselines on {titles}: there it is not worth its parameters",
}


@dataclass(frozen=True)
class BaselineVerdict:
    """One network, or several runs of one config, against every baseline on one protocol.

    Attributes:
        method: name of the network or runs.
        title: the protocol.
        state: `better` than every baseline beyond chance, `unclear`, `equal`: behind none, and with the figures of one,
            or `worse`: behind one of them.
        text: a sentence.
    """

    method: str
    title: str
    state: State
    text: str


def verdicts(evaluation: Evaluation, baselines: Collection[str]) -> list[BaselineVerdict]:
    """Return a verdict for each network and protocol on which a baseline was judged too.

    Runs of one config are judged together. A network is ahead where its figure is larger, and beyond chance where the
    interval of the difference, by the paired bootstrap over people, does not hold 0.
    """
    compared = {difference.better for difference in evaluation.differences}
    grouped = {name for group in evaluation.seeds if group.name in compared for name in group.methods}
    pairs = [
        difference
        for difference in evaluation.differences
        if difference.other in baselines and difference.better not in baselines and difference.better not in grouped
    ]
    found = []
    for method in dict.fromkeys(difference.better for difference in pairs):
        mine = [difference for difference in pairs if difference.better == method]
        for table in score_tables(evaluation, baselines):
            verdict = _judge(method, table.key, table.title, mine)
            if verdict is not None:
                found.append(verdict)
    return found


def verdict_lines(found: Sequence[BaselineVerdict]) -> list[tuple[str, str]]:
    """Return a line for each network and state, with the state: how it stands against the baselines, and on what."""
    lines: list[tuple[str, str]] = []
    for method, state in dict.fromkeys((verdict.method, verdict.state) for verdict in found):
        titles = ", ".join(one.title for one in found if (one.method, one.state) == (method, state))
        lines.append((state, f"{method} {SAID[state].format(titles=titles)}"))
    return lines


def _judge(method: str, key: str, title: str, differences: list[Difference]) -> BaselineVerdict | None:
    judged = [(one.other, *found) for one in differences if (found := _figure(one, key)) is not None]
    if not judged:
        return None
    least = min(figure.value or 0 for _, _, figure in judged)
    beyond = least > 0 and all(figure.low is not None and figure.low > 0 for _, _, figure in judged)
    told = "; ".join(f"{_points(figure)} of {HEADINGS[name]} against {other}" for other, name, figure in judged)
    state: State = "better" if beyond else "unclear" if least > 0 else "equal" if least == 0 else "worse"
    return BaselineVerdict(method, title, state, f"{method} {SAID[state].format(titles=title)} ({told}).")


def _figure(difference: Difference, key: str) -> tuple[str, Figure] | None:
    figures = difference.figures.get(key, {})
    known = [(name, figures[name]) for name in JUDGED_BY if name in figures and figures[name].value is not None]
    return next(((name, figure) for name, figure in known if figure.value != 0), known[0] if known else None)


def _points(figure: Figure) -> str:
    value = f"{100 * (figure.value or 0):+.1f} points"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{100 * figure.low:+.1f}, {100 * figure.high:+.1f}]"
