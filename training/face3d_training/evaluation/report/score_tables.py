"""Score tables of an evaluation: one per protocol, a row per method, a column per figure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from face3d_training.evaluation.metrics.evaluate import figures_of
from face3d_training.evaluation.metrics.figure import Figure, Spread
from face3d_training.evaluation.metrics.results import Evaluation, IdentificationResult, VerificationResult

TAR = "TAR at FAR "
HEADINGS = {
    "rank 1": "rank-1",
    "rank 5": "rank-5",
    "rank 10": "rank-10",
    "mAP": "mAP",
    "auc": "AUC",
    "eer": "EER",
    **{f"tar 1e-{n}": f"{TAR}1e-{n}" for n in range(1, 6)},
    "accuracy": "accuracy",
}
"""Figures by the names that `Difference` and `SeedsResult` call them, in the order of their columns."""

COLUMN_TITLES = {
    "yaw_deg": "yaw to either side, degrees",
    "pitch_deg": "pitch up or down, degrees",
    "mask": "mask style",
    "mask_worn": "how the mask is worn",
    "visible_ratio": "share of the face that is visible",
}
"""Columns by which probes are parted, where their names do not say it."""


@dataclass(frozen=True)
class ScoreRow:
    """One method, or several runs of one config together.

    Attributes:
        name: the method or the group of runs.
        kind: `runs` for several together, `run` for one of those, `network`, or `baseline`.
        figures: by name.
        spread: mean ± std of the runs, by name; empty for one method.
    """

    name: str
    kind: str
    figures: dict[str, Figure]
    spread: dict[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoreTable:
    """All methods on one protocol.

    Attributes:
        key: name of the protocol or list.
        title: the same for people.
        counts: what was compared, in words, after what has to be stated with every figure.
        columns: names of the figures that at least one method has.
        rows: the methods.
        lacking: what could not be measured, and why.
        notices: lines for the reader.
    """

    key: str
    title: str
    counts: str
    columns: tuple[str, ...]
    rows: tuple[ScoreRow, ...]
    lacking: tuple[str, ...]
    notices: tuple[str, ...]


def score_tables(evaluation: Evaluation, baselines: Collection[str] = ()) -> list[ScoreTable]:
    """Return a table for each protocol, in the evaluation's order; runs of one config follow their mean.

    Args:
        evaluation: the figures.
        baselines: names of the methods that are not networks.
    """
    keys = dict.fromkeys(
        key for method in evaluation.methods.values() for key in (*method.identification, *method.verification)
    )
    return [_table(evaluation, key, baselines) for key in keys]


def _table(evaluation: Evaluation, key: str, baselines: Collection[str]) -> ScoreTable:
    rows = tuple(_rows(evaluation, key, baselines))
    measured = {name for row in rows for name, figure in row.figures.items() if figure.value is not None}
    methods = evaluation.methods.values()
    ranks = next((m.identification[key] for m in methods if key in m.identification), None)
    pairs = next((m.verification[key] for m in methods if key in m.verification), None)
    whys: dict[str, list[str]] = {}
    for name in HEADINGS:
        figures = [row.figures[name] for row in rows if name in row.figures]
        if figures and name not in measured:
            whys.setdefault(figures[0].why or "not measurable", []).append(HEADINGS[name])
    shown: tuple[IdentificationResult | VerificationResult, ...] = tuple(one for one in (ranks, pairs) if one)
    notices = dict.fromkeys(notice for one in shown for notice in one.notices)
    if pairs is not None and pairs.folds is not None:
        notices |= dict.fromkeys(pairs.folds.notices)
    return ScoreTable(
        key,
        shown[0].title,
        _counts(ranks, pairs, evaluation.dataset.note),
        tuple(name for name in HEADINGS if name in measured),
        rows,
        tuple(f"{_joined(names)}: {why}" for why, names in whys.items()),
        tuple(notices),
    )


def _joined(headings: list[str]) -> str:
    """Return headings in a row, what the TAR of several begin with said once."""
    text = ", ".join(headings)
    first, _, rest = text.partition(TAR)
    return first + TAR + rest.replace(TAR, "") if rest else text


def _rows(evaluation: Evaluation, key: str, baselines: Collection[str]) -> Iterator[ScoreRow]:
    group_of = {name: group for group in evaluation.seeds for name in group.methods}
    done: set[str] = set()
    for name in evaluation.methods:
        group = group_of.get(name)
        runs = (name,) if group is None else group.methods
        if group is not None and name not in done:
            title = f"{group.name}, mean of {len(group.methods)} runs"
            yield ScoreRow(title, "runs", group.figures.get(key, {}), group.spread.get(key, {}))
        for run in runs:
            kind = "baseline" if run in baselines else "network" if group is None else "run"
            if run not in done:
                yield ScoreRow(run, kind, figures_of(evaluation.methods[run]).get(key, {}))
        done |= set(runs)


def _counts(ranks: IdentificationResult | None, pairs: VerificationResult | None, note: str) -> str:
    parts = [note] if note else []
    if ranks is not None:
        parts.append(f"{ranks.probes:,} probes against {ranks.gallery:,} enrolled samples of {ranks.people:,} people")
    if pairs is not None:
        which = "all" if pairs.complete else "a drawn or given list of"
        parts.append(f"{which} {pairs.genuine:,} genuine and {pairs.impostors:,} impostor pairs")
    return "; ".join(parts)
