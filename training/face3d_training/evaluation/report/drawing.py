"""Drawing style of an evaluation: colours of methods, and figures as SVG text.

matplotlib is drawn with directly, without pyplot and its global state; the same figures give the same bytes.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.figure import Figure as Canvas

from face3d_training.evaluation.metrics.results import Evaluation

P = ParamSpec("P")
R = TypeVar("R")

COLORS = ("#1f5fa8", "#d1495b", "#2a8c6a", "#8a4fbf", "#d9822b", "#2b9bb0", "#a0632d", "#c2559f")
BASELINE_COLORS = ("#4b5563", "#9aa1ab")
GENUINE, IMPOSTOR = "#2a8c6a", "#d1495b"
TEXT_COLOR, FAINT = "#1f2933", "#e3e6ea"
RC: Any = {
    **{"font.size": 9, "axes.titlesize": 10, "axes.labelsize": 9, "legend.fontsize": 8, "svg.hashsalt": "face3d"},
    **{
        "axes.edgecolor": "#8b94a1",
        "axes.labelcolor": TEXT_COLOR,
        "text.color": TEXT_COLOR,
        "axes.titlelocation": "left",
    },
    **{
        "xtick.color": TEXT_COLOR,
        "ytick.color": TEXT_COLOR,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "axes.grid": True,
    },
    **{"legend.framealpha": 0.75, "legend.edgecolor": "none", "legend.borderpad": 0.3},
    **{"grid.color": FAINT, "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False},
}
LABEL_LETTERS = 30


@dataclass(frozen=True)
class Style:
    """How a method is drawn; runs of one config share a colour and stand in the legend once.

    Attributes:
        label: name in the legend; empty: none of its own.
        color: colour of its lines and bars.
        dashed: it is a baseline.
        thin: it is one of several runs.
    """

    label: str
    color: str
    dashed: bool = False
    thin: bool = False

    @property
    def line(self) -> dict[str, Any]:
        """Options of a matplotlib line."""
        width = 1.0 if self.thin else 1.7
        return {"color": self.color, "linestyle": "--" if self.dashed else "-", "linewidth": width, "label": self.label}


def method_styles(evaluation: Evaluation, baselines: Iterable[str] = ()) -> dict[str, Style]:
    """Return how each method of an evaluation is drawn.

    Args:
        evaluation: whose methods.
        baselines: names of those that are not networks.
    """
    group_of = {name: group for group in evaluation.seeds for name in group.methods}
    styles: dict[str, Style] = {}
    colors: dict[str, str] = {}
    plain = set(baselines)
    for name in evaluation.methods:
        group = group_of.get(name)
        key = name if group is None else group.name
        palette = BASELINE_COLORS if name in plain else COLORS
        taken = sum(color in palette for color in colors.values())
        first = key not in colors
        color = colors.setdefault(key, palette[taken % len(palette)])
        label = key if group is None else f"{key} ({len(group.methods)} runs)" if first else ""
        styles[name] = Style(cut(label), color, name in plain, group is not None)
    return styles


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorator: draw with this module's fonts and colours."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return drawn


def new_canvas(width: float, height: float) -> tuple[Canvas, Any]:
    """Return a canvas of that size in inches, and its axes."""
    canvas = Canvas(figsize=(width, height), layout="constrained")
    return canvas, canvas.subplots()


def svg_of(canvas: Canvas) -> str:
    """Return a canvas as SVG text without date or program."""
    out = io.StringIO()
    canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return out.getvalue()


def cut(text: str, letters: int = LABEL_LETTERS) -> str:
    """Return a label that is at most so long."""
    return text if len(text) <= letters else text[: letters - 1] + "…"
