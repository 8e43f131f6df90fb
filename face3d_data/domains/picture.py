"""Picture of domains: one row per source, one panel per figure.

Numbers in, an RGB image out, as in `face3d_data.pictures.sample_picture`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from face3d_data.domains.domain import Domain
from face3d_data.geometry.reading_noise import LEAST_SIGMA_MM
from face3d_data.plurals import counted

PANEL_INCHES = 4.3
ROW_INCHES, HEAD_INCHES = 0.46, 1.35
INK, FAINT, WORN = "#22272e", "#c9ced6", "#d9822b"
COLORS = ("#2f6fb0", "#3a9a6b", "#8a5cc2", "#c2507a", "#6b7683", "#2aa1a8", "#a5762f", "#5566cc")
NAME_LETTERS = 22


def draw_domains(title: str, domains: Sequence[Domain]) -> np.ndarray:
    """Return a picture of some sources: people, captures a person, readings, depth, noise and masks side by side.

    Args:
        title: what stands above.
        domains: one for each row, at least one.

    Returns:
        u1 (H, W, 3) RGB.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels: tuple[tuple[str, Callable[[Any, Sequence[Domain]], None]], ...] = (
        ("people (wide) and captures (thin)", _people),
        ("captures a person (larger: more people)", _captures),
        ("readings on a face", lambda axis, rows: _dots(axis, rows, "readings", "{:,.0f}")),
        ("depth of the face, mm: each capture from near to far", _depth),
        (
            f"noise, mm (below {LEAST_SIGMA_MM:g}: no noise)",
            lambda axis, rows: _dots(axis, rows, "noise_mm", "{:.2f}"),
        ),
        ("samples with a mask", _masks),
    )
    height = 2 * (HEAD_INCHES + ROW_INCHES * max(2, len(domains)))
    figure = Figure(figsize=(3 * PANEL_INCHES, height), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12, color=INK, parse_math=False)
    axes = figure.subplots(2, 3).ravel()
    for number, (axis, (caption, draw)) in enumerate(zip(axes, panels, strict=True)):
        _prepare(axis, caption, domains, number % 3 == 0)
        draw(axis, domains)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _prepare(axis: Any, caption: str, domains: Sequence[Domain], named: bool) -> None:
    names = [textwrap.shorten(domain.name, NAME_LETTERS, placeholder="…") or domain.name for domain in domains]
    axis.set_title(caption, fontsize=9.5, color=INK, loc="left")
    axis.set_ylim(len(domains) - 0.4, -0.6)
    axis.set_yticks(range(len(domains)), names if named else [""] * len(names), fontsize=9, parse_math=False)
    axis.tick_params(axis="x", labelsize=8, colors=INK)
    axis.tick_params(axis="y", length=0, colors=INK)
    axis.grid(axis="x", color=FAINT, linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(FAINT)


def _people(axis: Any, domains: Sequence[Domain]) -> None:
    for row, domain in enumerate(domains):
        axis.barh(row, domain.captures, 0.22, color=_color(row), alpha=0.55)
        axis.barh(row, domain.people, 0.6, color=_color(row))
        _say(
            axis,
            row,
            domain.captures,
            f"{counted(domain.people, 'person')}, {counted(domain.captures, 'capture')}",
        )
    axis.set_xlim(0, 1.6 * max(domain.captures for domain in domains))


def _captures(axis: Any, domains: Sequence[Domain]) -> None:
    most = max(max(domain.captures_of) for domain in domains)
    for row, domain in enumerate(domains):
        numbers, people = np.unique(domain.captures_of, return_counts=True)
        axis.scatter(
            numbers, np.full(len(numbers), row), s=14 + 150 * people / people.max(), color=_color(row), alpha=0.65
        )
        _middle(axis, row, float(np.median(domain.captures_of)), "{:g}")
    axis.set_xlim(0, 1.12 * most + 0.5)


def _dots(axis: Any, domains: Sequence[Domain], attribute: str, form: str) -> None:
    """Draw each capture as a dot and the median as a line."""
    highest = 0.0
    for row, domain in enumerate(domains):
        values = domain.values(attribute)
        if not values:
            _nothing(axis, row)
            continue
        highest = max(highest, values[-1])
        axis.scatter(values, row + _lanes(len(values)), s=16, color=_color(row), alpha=0.6, linewidths=0)
        _middle(axis, row, float(np.median(values)), form)
    axis.set_xlim(0, 1.15 * highest or 1)


def _depth(axis: Any, domains: Sequence[Domain]) -> None:
    for row, domain in enumerate(domains):
        if not domain.measured:
            _nothing(axis, row)
            continue
        ordered = sorted(domain.measured, key=lambda one: one.middle_mm)
        lanes = row + np.linspace(-0.3, 0.3, len(ordered)) if len(ordered) > 1 else [row]
        ends = [(one.near_mm, one.far_mm) for one in ordered]
        axis.hlines(lanes, *zip(*ends, strict=True), color=_color(row), linewidth=1.1, alpha=0.75)
        _middle(axis, row, float(np.median(domain.values("middle_mm"))), "{:.0f}")
    axis.margins(x=0.12)


def _masks(axis: Any, domains: Sequence[Domain]) -> None:
    for row, domain in enumerate(domains):
        share = domain.masked / domain.samples
        axis.barh(row, 1, 0.5, color=FAINT)
        axis.barh(row, share, 0.5, color=WORN)
        _say(axis, row, 1, f"{domain.masked:,} of {domain.samples:,} ({share:.0%})")
    axis.set_xlim(0, 1.75)
    axis.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])


def _color(row: int) -> str:
    return COLORS[row % len(COLORS)]


def _lanes(n: int) -> np.ndarray:
    """Return heights that keep neighbouring dots apart: the same for the same number."""
    return 0.24 * np.sin(2.4 * np.arange(n))


def _middle(axis: Any, row: int, value: float, form: str) -> None:
    axis.vlines(value, row - 0.36, row + 0.36, color=INK, linewidth=1.6)
    axis.annotate(
        form.format(value), (value, row - 0.36), (3, 1), textcoords="offset points", fontsize=8, color=INK, va="center"
    )


def _say(axis: Any, row: int, end: float, text: str) -> None:
    axis.annotate(text, (end, row), (6, 0), textcoords="offset points", fontsize=8, color=INK, va="center")


def _nothing(axis: Any, row: int) -> None:
    axis.annotate("not measured", (0.02, row), xycoords=("axes fraction", "data"), fontsize=8, color=INK, va="center")
