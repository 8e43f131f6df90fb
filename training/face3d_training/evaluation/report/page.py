"""HTML report: one file that contains everything, for a browser without network access."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, StrictUndefined

from face3d_data.plurals import counted
from face3d_training.evaluation.metrics.figure import Figure
from face3d_training.evaluation.metrics.results import Evaluation, ModelFacts
from face3d_training.evaluation.networks.about import About, CheckpointFacts
from face3d_training.evaluation.report.drawn import Drawn
from face3d_training.evaluation.report.face_picture import data_uri, picture_uri
from face3d_training.evaluation.report.mistakes import Mistake
from face3d_training.evaluation.report.printed import (
    closed_set_rows,
    closed_set_title,
    figure_text,
    notices,
    spread_text,
)
from face3d_training.evaluation.report.score_tables import COLUMN_TITLES, HEADINGS, ScoreRow, ScoreTable, score_tables
from face3d_training.evaluation.report.verdict import JUDGED_BY, BaselineVerdict, verdict_lines, verdicts
from face3d_training.leaks import CANNOT_KNOW, COMPARED

if TYPE_CHECKING:
    import pandas as pd

TEMPLATE = "report.html.j2"
CURVES = ("roc", "det", "cmc")
LOWER_IS_BETTER = ("eer",)
KINDS = {
    "accept": "Top false accepts: most similar samples of two people",
    "reject": "Top false rejects: least similar samples of one person",
}


def make_report(evaluation: Evaluation, about: About, table: pd.DataFrame, drawn: Drawn) -> str:
    """Return the report as HTML without links to anything outside.

    Args:
        evaluation: the figures.
        about: their provenance.
        table: the rows that were judged.
        drawn: plots and mistakes.
    """
    facts = evaluation.dataset
    counts = (
        f"{counted(facts.samples, 'sample')} of {counted(facts.people, 'person')} in "
        f"{counted(facts.captures, 'capture')}, "
        f"{facts.masked:,} samples masked"
    )
    judged = verdicts(evaluation, about.baselines)
    context = {
        "title": f"Evaluation on {facts.name}, split {facts.split}",
        "subtitle": f"{counts}; methods: {', '.join(evaluation.methods)}",
        "leaks": about.leak_lines,
        "notices": notices(evaluation, about),
        "verdicts": verdict_lines(judged),
        "checks": [*_checks(about), *about.baseline_notes],
        "parts": [_part(evaluation, one, judged, table, drawn) for one in score_tables(evaluation, about.baselines)],
        "closed_set": _closed_set(evaluation),
        "differences": _differences(evaluation),
        "map": _map(drawn),
        "costs": _costs(evaluation),
        "facts": _facts(evaluation, about),
        "checkpoints": [_checkpoint(one) for one in about.checkpoints],
        "percent": f"{100 * evaluation.confidence:g} %",
        "resamples": f"{evaluation.resamples:,}",
    }
    return _template().render(context)


@functools.cache
def _template() -> Any:
    text = files(__package__).joinpath(TEMPLATE).read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=False).from_string(text)


def _checks(about: About) -> Iterator[str]:
    """Yield what was compared with training before any figure was computed, and what could not be."""
    by_way: dict[tuple[str, ...], list[str]] = {}
    for check in (check for check in about.leaks if check.state == "none"):
        by_way.setdefault(check.compared, []).append(check.method)
    for ways, methods in by_way.items():
        yield (
            f"Before any figure was computed, what is judged was compared with what {', '.join(methods)} learnt from: "
            f"{_listed([f'{COMPARED[way]} (by {way})' for way in ways])}. Nothing in common was found."
        )
        unknown = [f"by {way}" for way in COMPARED if way not in ways]
        if unknown:
            who = ", ".join(methods)
            yield f"Unknown for {who}: {_listed(unknown)}; training or judged data lack it, or have it in another form."
    if by_way:
        yield CANNOT_KNOW


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _part(
    evaluation: Evaluation, scores: ScoreTable, judged: Sequence[BaselineVerdict], table: pd.DataFrame, drawn: Drawn
) -> dict[str, Any]:
    key, bars = scores.key, f"{scores.key}-by-"
    return {
        "key": key,
        "title": scores.title,
        "counts": scores.counts,
        "headings": [HEADINGS[name].replace("1e-", "1e\N{NON-BREAKING HYPHEN}") for name in scores.columns],
        "rows": [
            {"name": row.name, "kind": row.kind, "cells": [_cell(scores, row, name) for name in scores.columns]}
            for row in scores.rows
        ],
        "verdicts": [verdict for verdict in judged if verdict.title == scores.title],
        "lacking": scores.lacking,
        "notices": scores.notices,
        "curves": [_plot(drawn, f"{key}-{curve}") for curve in CURVES if f"{key}-{curve}" in drawn.plots],
        "histograms": _plot(drawn, f"{key}-scores")["uri"] if f"{key}-scores" in drawn.plots else "",
        "bars": [_plot(drawn, name) for name in drawn.plots if name.startswith(bars)],
        "parts": list(_breakdown(evaluation, key)),
        "folds": list(_folds(evaluation, key)),
        "mistakes": [
            {"title": f"{KINDS[kind]} ({drawn.mistakes_of})", "pairs": [_mistake(one, table, drawn) for one in some]}
            for kind, some in drawn.mistakes.get(key, {}).items()
            if some
        ],
    }


def _cell(scores: ScoreTable, row: ScoreRow, name: str) -> dict[str, Any]:
    figure = row.figures.get(name, Figure(None, why="not judged"))
    if figure.value is None:
        return {"value": "–", "spread": "", "range": "", "best": False, "why": figure.why or ""}
    others = [one.figures[name].value for one in scores.rows if one.kind != "run" and name in one.figures]
    known = [value for value in others if value is not None]
    best = (min if name in LOWER_IS_BETTER else max)(known, default=None)
    return {
        "value": f"{figure.value:.3f}",
        "spread": spread_text(row.spread.get(name)),
        "range": _range(figure),
        "best": row.kind != "run" and len(known) > 1 and figure.value == best,
        "why": figure.why or "",
    }


def _range(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"{figure.low:.3f} – {figure.high:.3f}"


def _plot(drawn: Drawn, name: str) -> dict[str, str]:
    return {"name": name, "uri": data_uri("image/svg+xml", drawn.plots[name].encode())}


def _breakdown(evaluation: Evaluation, key: str) -> Iterator[list[str]]:
    for method in evaluation.methods.values():
        for column, parts in method.breakdown.get(key, {}).items():
            for part in parts:
                figures = [_text(part.rank_1), _text(part.auc)]
                yield [
                    COLUMN_TITLES.get(column, column),
                    part.value,
                    f"{part.probes:,}",
                    f"{part.people:,}",
                    method.name,
                    *figures,
                ]


def _text(figure: Figure) -> str:
    if figure.value is None:
        return figure.why or "–"
    return f"{figure.value:.3f}" + (f" ({_range(figure)})" if _range(figure) else "")


def _folds(evaluation: Evaluation, key: str) -> Iterator[list[str]]:
    for method in evaluation.methods.values():
        result = method.verification.get(key)
        for fold in result.folds.folds if result is not None and result.folds is not None else ():
            shares = ("–" if one is None else f"{one:.3f}" for one in (fold.accuracy, fold.precision, fold.recall))
            counts = (f"{fold.genuine:,}", f"{fold.impostors:,}")
            yield [method.name, str(fold.fold + 1), *counts, f"{fold.threshold:.4g}", *shares]


def _mistake(mistake: Mistake, table: pd.DataFrame, drawn: Drawn) -> dict[str, Any]:
    rows = (mistake.first, mistake.second)
    caption = f"similarity {mistake.score:.4g}"
    if mistake.wrong is False:
        caption += ", on the right side of the threshold"
    faces = []
    for row in rows:
        picture = None if drawn.faces is None else drawn.faces.picture(row)
        faces.append({"id": table["sample_id"].iloc[row], "uri": "" if picture is None else picture_uri(picture)})
    return {"faces": faces, "caption": caption}


def _closed_set(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the table of closed-set classification: a row a network, a column a rank."""
    ranks, found = closed_set_rows(evaluation)
    rows = [{"name": name, "cells": [figure_text(top.get(rank)) for rank in ranks]} for name, top in found]
    if not rows:
        return None
    return {"title": closed_set_title(evaluation), "headings": [f"top-{rank}" for rank in ranks], "rows": rows}


def _differences(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the table of differences: a row two methods, a column a protocol and figure."""
    titles = {table.key: table.title for table in score_tables(evaluation)}
    columns = [
        (key, name)
        for key in titles
        for name in JUDGED_BY
        if any(one.figures.get(key, {}).get(name, Figure(None)).value is not None for one in evaluation.differences)
    ]
    rows = []
    for one in evaluation.differences:
        figures = [one.figures.get(key, {}).get(name, Figure(None)) for key, name in columns]
        rows.append({"name": f"{one.better} − {one.other}", "cells": [_points(figure) for figure in figures]})
    if not rows or not columns:
        return None
    return {"headings": [f"{titles[key]}, {HEADINGS[name]}" for key, name in columns], "rows": rows}


def _points(figure: Figure) -> dict[str, Any]:
    """Return a difference in points, and whether chance alone does not give it."""
    if figure.value is None:
        return {"value": "–", "range": "", "sure": False}
    known = figure.low is not None and figure.high is not None
    low, high = figure.low or 0.0, figure.high or 0.0
    between = f"{100 * low:+.1f} … {100 * high:+.1f}" if known else ""
    return {"value": f"{100 * figure.value:+.1f}", "range": between, "sure": known and (low > 0 or high < 0)}


def _map(drawn: Drawn) -> dict[str, Any] | None:
    names = [name for name in drawn.plots if name.startswith("map-")]
    if not names:
        return None
    caption = "One colour per person, crosses for masks: people that are well separated are islands of one colour."
    return {"caption": caption, "plots": [_plot(drawn, name) for name in names]}


def _costs(evaluation: Evaluation) -> dict[str, Any] | None:
    known = {name: method.model for name, method in evaluation.methods.items() if method.model.parameters is not None}
    if not known:
        return None
    sizes = sorted({timing.batch_size for model in known.values() for timing in model.timings})
    headings = ["network", "parameters", "FLOPs a face"]
    headings += [heading for size in sizes for heading in (f"ms a face, batch {size}", f"faces/s, batch {size}")]
    rows = [_cost(name, model, sizes) for name, model in known.items()]
    return {"headings": [*headings, "on"], "rows": rows}


def _cost(name: str, model: ModelFacts, sizes: Sequence[int]) -> list[str]:
    timing = {one.batch_size: (f"{one.ms_a_face:.3g}", f"{one.faces_a_second:,.0f}") for one in model.timings}
    times = [text for size in sizes for text in timing.get(size, ("–", "–"))]
    flops = "–" if model.flops is None else _short(model.flops)
    return [name, f"{model.parameters:,}", flops, *times, model.device or "–"]


def _short(number: float) -> str:
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:,.0f}"


def _facts(evaluation: Evaluation, about: About) -> list[tuple[str, str]]:
    facts = evaluation.dataset
    versions = ", ".join(f"{name} {version}" for name, version in about.versions.items())
    return [
        ("dataset", f"{facts.name}, split {facts.split}"),
        ("dataset's digest", facts.digest),
        ("seed of pairs and resamples", str(evaluation.seed)),
        *([("versions", versions)] if versions else []),
    ]


def _checkpoint(facts: CheckpointFacts) -> dict[str, Any]:
    digest = f" ({facts.trained_on_digest})" if facts.trained_on_digest else ""
    shown = (
        ("file", facts.file),
        ("SHA-256", facts.sha256),
        ("network", f"{facts.model}, embeddings of {facts.embedding_size}"),
        ("trained on", None if facts.trained_on is None else f"{facts.trained_on}{digest}"),
        ("epochs, seed", None if facts.epoch is None else f"{facts.epoch}, {_or_dash(facts.seed)}"),
        ("epoch chosen on split", facts.chosen_on),
        ("faces put before it", ", ".join(f"{key} {_plain(value)}" for key, value in facts.data.items())),
    )
    config = None if facts.config is None else yaml.safe_dump(facts.config, sort_keys=False, allow_unicode=True)
    return {"method": facts.method, "facts": [(name, text) for name, text in shown if text], "config": config}


def _plain(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _or_dash(value: int | None) -> str:
    return "–" if value is None else str(value)
