"""Verdict of an evaluation: whether networks beat the baselines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from face3d_training.evaluation.metrics.figure import Figure
from face3d_training.evaluation.metrics.results import Difference, Evaluation
from face3d_training.evaluation.report.score_tables import HEADINGS, score_tables

VerdictState = Literal["better", "unclear", "worse"]
JUDGED_BY = ("rank 1", "auc")
"""What they are judged by: the first of these in which they differ."""

SAID: dict[VerdictState, str] = {
    "better": "beats the baselines on {titles}",
    "unclear": "neither beats every baseline beyond chance nor loses to one on {titles}: judge on more people",
    "worse": "loses to a baseline on {titles}: there it is not worth its parameters",
}


@dataclass(frozen=True)
class BaselineVerdict:
    """One network, or several runs of one config, against every baseline on one protocol.

    Attributes:
        method: name of the network or runs.
        title: the protocol.
        state: `better` than every baseline, `worse` than one of them, both beyond chance, or `unclear`.
        text: a sentence.
    """

    method: str
    title: str
    state: VerdictState
    text: str


def verdicts(evaluation: Evaluation, baselines: Collection[str]) -> list[BaselineVerdict]:
    """Return a verdict for each network and protocol on which a baseline was judged too.

    Runs of one config are judged together. A difference is beyond chance where its interval, by the paired bootstrap
    over people, does not hold 0. It is that of rank-1; of AUC, where rank-1 is the same.
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
    figures = [figure for _, _, figure in judged]
    told = "; ".join(f"{_points(figure)} of {HEADINGS[name]} against {other}" for other, name, figure in judged)
    beats = all(figure.low is not None and figure.low > 0 for figure in figures)
    loses = any(figure.high is not None and figure.high < 0 for figure in figures)
    state: VerdictState = "better" if beats else "worse" if loses else "unclear"
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
