"""Plots of parts as SVG: rank-1 of each part of the probes, and the map of embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

from face3d_data.plurals import counted
from face3d_training.evaluation.metrics.results import ProbeSubset
from face3d_training.evaluation.report.drawing import TEXT_COLOR, Style, cut, new_canvas, styled, svg_of


@styled
def part_bars(parts: Mapping[str, Sequence[ProbeSubset]], styles: Mapping[str, Style], column: str) -> str | None:
    """Return rank-1 of each part of the probes as SVG: a bar a method, with its interval.

    Args:
        parts: parts of one column, by method; the same values for each.
        styles: how methods are drawn.
        column: what the parts share, for the title.

    Returns:
        None where no part can be measured.
    """
    values = list(dict.fromkeys(part.value for some in parts.values() for part in some))
    known = [part for some in parts.values() for part in some if part.rank_1.value is not None]
    if not known:
        return None
    bar = 0.8 / len(parts)
    canvas, axes = new_canvas(5.6, 1.2 + 0.1 * len(parts) + len(values) * max(0.34, 0.13 * len(parts) + 0.1))
    for number, (name, some) in enumerate(parts.items()):
        offset = (number - (len(parts) - 1) / 2) * bar
        for part in some:
            _bar(axes, part, values.index(part.value) + offset, bar, styles[name].color)
        axes.barh([0], [0], color=styles[name].color, label=styles[name].label or "_")
    counts = {part.value: f"{part.value}  (n = {part.probes})" for some in parts.values() for part in some}
    axes.set_yticks(range(len(values)), labels=[cut(counts[value], 40) for value in values])
    axes.set(xlim=(0, 1), ylim=(len(values) - 0.45, -0.55), xlabel="rank-1", title=f"rank-1 by {column}")
    axes.grid(visible=False, axis="y")
    canvas.legend(loc="outside lower center", ncols=2 if len(parts) > 1 else 1)
    return svg_of(canvas)


def _bar(axes: Any, part: ProbeSubset, place: float, width: float, color: str) -> None:
    figure = part.rank_1
    if figure.value is None:
        axes.text(0.005, place, "too few", va="center", fontsize=6, color="#8b94a1")
        return
    axes.barh(place, figure.value, height=width * 0.9, color=color, alpha=0.8)
    if figure.low is not None and figure.high is not None:
        axes.plot([figure.low, figure.high], [place, place], color=TEXT_COLOR, linewidth=1, solid_capstyle="butt")


@styled
def embedding_map(places: np.ndarray, people: Sequence[str], masked: np.ndarray, way: str) -> str | None:
    """Return a map of embeddings as SVG: one colour per person, crosses for masks.

    Args:
        places: (n, 2), position of each embedding.
        people: (n,), the person of each embedding.
        masked: bool (n,), whether a mask is worn.
        way: name of the method that found the positions, for the title.

    Returns:
        None if there is nothing to draw.
    """
    if not len(places):
        return None
    names = sorted(set(people))
    colors = matplotlib.colormaps["tab20"]
    number = np.array([names.index(person) for person in people])
    canvas, axes = new_canvas(5.6, 4.8)
    for mask, marker, label in ((False, "o", "plain"), (True, "X", "masked")):
        mine = masked == mask
        if mine.any():
            axes.scatter(
                *places[mine].T, c=[colors(i % 20) for i in number[mine]], marker=marker, s=26, linewidths=0.4,
                edgecolors="white",
            )  # fmt: skip
            axes.scatter([], [], c="#6b7280", marker=marker, s=26, label=label)
    axes.set(
        xticks=[],
        yticks=[],
        title=f"{way}: {counted(len(places), 'face')} of {counted(len(names), 'person')}",
    )
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(loc="best")
    return svg_of(canvas)
