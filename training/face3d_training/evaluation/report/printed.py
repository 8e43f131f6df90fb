"""Terminal output of an evaluation, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from face3d_data.plurals import counted
from face3d_data.tables.listed import LISTED
from face3d_training.evaluation.metrics.figure import Figure, Spread
from face3d_training.evaluation.metrics.results import Evaluation
from face3d_training.evaluation.networks.about import About
from face3d_training.evaluation.report.score_tables import HEADINGS, ScoreRow, ScoreTable, score_tables
from face3d_training.evaluation.report.verdict import verdict_lines, verdicts

SHOWN = ("rank 1", "auc", "eer")
OF_RANKINGS = ("mAP", "rank 5", "rank 10")
"""What is published of queries and a gallery beside rank 1; printed of a dataset's own."""
NOTHING = "-"
MOST_LETTERS, WIDTH = 34, 110


def printed(evaluation: Evaluation, about: About) -> Iterator[str]:
    """Yield an evaluation line by line: what was judged, notices, a table a protocol, and the word on baselines.

    Args:
        evaluation: the figures.
        about: their provenance.
    """
    facts = evaluation.dataset
    yield (
        f"{facts.name}, split {facts.split}: {counted(facts.samples, 'sample')} of {counted(facts.people, 'person')}, "
        f"{facts.masked:,} of them masked"
    )
    yield from (f"LEAK: {line}" for line in about.leak_lines)
    yield from (f"note: {notice}" for notice in notices(evaluation, about))
    tables = score_tables(evaluation, about.baselines)
    percent = f"{100 * evaluation.confidence:g} %"
    for table in tables:
        yield ""
        yield f"{table.title} ({table.counts})"
        yield from _lines(table, percent)
        yield from _accuracy(evaluation, table)
        if table.key == LISTED:
            yield from _rankings(table)
    yield from _closed_sets(evaluation, percent)
    told = [*dict.fromkeys(notice for table in tables for notice in table.notices)]
    judged = [line for _, line in verdict_lines(verdicts(evaluation, about.baselines))]
    if told or about.baseline_notes or judged:
        yield ""
    yield from (f"note: {notice}" for notice in (*told, *about.baseline_notes))
    yield from judged


def notices(evaluation: Evaluation, about: About) -> tuple[str, ...]:
    """Return every line for the reader once: what has to be stated with every figure first."""
    note = (evaluation.dataset.note,) if evaluation.dataset.note else ()
    own = (f"{name}: {line}" for name, method in evaluation.methods.items() for line in method.notices)
    return tuple(dict.fromkeys((*note, *about.notices, *evaluation.notices, *own)))


def _lines(table: ScoreTable, percent: str) -> Iterator[str]:
    columns = [name for name in SHOWN if name in table.columns]
    tars = [name for name in table.columns if name.startswith("tar ")]
    columns += tars[-1:]  # the least FAR that can be measured
    header = [f"with {percent} intervals", *(HEADINGS[name] for name in columns)]
    rows = [[_name(row), *(_cell(row, name) for name in columns)] for row in table.rows]
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    yield from (_aligned(line, widths) for line in (header, *rows) if columns)
    yield from (f"  {text}" for text in table.lacking)


def _accuracy(evaluation: Evaluation, table: ScoreTable) -> Iterator[str]:
    """Yield the accuracy of each method over folds, with its thresholds: their mean over the folds."""
    found = [
        (row.name, method.verification[table.key].folds)
        for row in table.rows
        if (method := evaluation.methods.get(row.name)) is not None and table.key in method.verification
    ]
    shown = [
        f"{name} {folds.accuracy.value:.3f} (similarity ≥ {folds.spread['threshold'].mean:.3f})"
        for name, folds in found
        if folds is not None and folds.accuracy.value is not None
    ]
    if shown:
        count = next(len(folds.folds) for _, folds in found if folds is not None and folds.folds)
        text = f"accuracy over {count} folds: {', '.join(shown)}"
        yield from wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def closed_set_rows(evaluation: Evaluation) -> tuple[list[str], list[tuple[str, dict[str, Figure]]]]:
    """Return the ranks of closed-set classification that any method has, and each method's figures by rank."""
    found = [(name, method.closed_set.top) for name, method in evaluation.methods.items() if method.closed_set]
    return list(dict.fromkeys(rank for _, top in found for rank in top)), found


def closed_set_title(evaluation: Evaluation) -> str:
    """Return what was classified, in words; nothing where nothing was."""
    results = [method.closed_set for method in evaluation.methods.values() if method.closed_set]
    said = (
        f"{counted(one.samples, 'sample')} of {counted(one.people, 'person')}, among {counted(one.classes, 'person')}"
        for one in results
    )
    return "; ".join(dict.fromkeys(said))


def _closed_sets(evaluation: Evaluation, percent: str) -> Iterator[str]:
    """Yield the table of closed-set classification, if any network has one."""
    ranks, found = closed_set_rows(evaluation)
    if not found:
        return
    yield ""
    yield f"Classification of trained people ({closed_set_title(evaluation)})"
    header = [f"with {percent} intervals", *(f"top-{rank}" for rank in ranks)]
    rows = [[_shortened(name), *(figure_text(top.get(rank)) for rank in ranks)] for name, top in found]
    widths = [max(len(line[i]) for line in (header, *rows)) for i in range(len(header))]
    yield from (_aligned(line, widths) for line in (header, *rows))


def _rankings(table: ScoreTable) -> Iterator[str]:
    """Yield mAP and further ranks of each method, as far as they can be measured."""
    for row in table.rows:
        measured = {name: row.figures[name].value for name in OF_RANKINGS if name in row.figures}
        shown = [f"{HEADINGS[name]} {value:.3f}" for name, value in measured.items() if value is not None]
        if shown:
            yield f"  {_name(row)}: {', '.join(shown)}"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _name(row: ScoreRow) -> str:
    return _shortened(f"  {row.name}" if row.kind == "run" else row.name)


def _shortened(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "…"


def _cell(row: ScoreRow, name: str) -> str:
    return figure_text(row.figures.get(name), spread_text(row.spread.get(name)))


def figure_text(figure: Figure | None, spread: str = "") -> str:
    """Return `0.913 [.880 .950]`, with ` ±0.012` between both if that is given, or `-` where there is no figure."""
    if figure is None or figure.value is None:
        return NOTHING
    return f"{figure.value:.3f}{spread}{_interval_text(figure)}"


def spread_text(spread: Spread | None) -> str:
    """Return ` ±0.012`, or nothing where several runs have no spread."""
    return "" if spread is None or spread.std is None else f" ±{spread.std:.3f}"


def _interval_text(figure: Figure) -> str:
    """Return ` [.880 .950]`, or nothing where there is no interval."""
    if figure.low is None or figure.high is None:
        return ""
    return f" [{_without_zero(figure.low)} {_without_zero(figure.high)}]"


def _without_zero(share: float) -> str:
    return f"{share:.3f}".replace("0.", ".", 1) if abs(share) < 1 else f"{share:.3f}"
