"""Plots of scores as SVG: ROC, DET, CMC, and the distributions of genuine and impostor pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas
from scipy.stats import norm

from face3d_training.evaluation.metrics.figure import ScoredPairs
from face3d_training.evaluation.metrics.results import IdentificationResult
from face3d_training.evaluation.report.drawing import TEXT_COLOR, Style, cut, new_canvas, styled, svg_of

GENUINE, IMPOSTOR = "#2a8c6a", "#d1495b"
DEVIATE_TICKS = (0.0001, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95)
FEWEST_BINS, MOST_BINS = 12, 60
EDGE = 1e-6
SIZE = (4.3, 3.8)
"""Of a curve's plot, inches."""
HEADROOM = 1.45
"""Height of a panel over that of its bars, so that the legend hides none."""


@styled
def roc(pairs: Mapping[str, ScoredPairs], styles: Mapping[str, Style]) -> str | None:
    """Return the ROC curves as SVG, from the least false accept rate that the impostors support.

    Args:
        pairs: scored pairs by method.
        styles: how methods are drawn.

    Returns:
        None where no method has both genuine and impostor pairs.
    """
    curves = _curves(pairs)
    if not curves:
        return None
    least = min(0.5, *(1 / int((~pairs[name].same).sum()) for name in curves))
    canvas, axes = new_canvas(*SIZE)
    starts = {name: float(tar[far <= least].max()) for name, (far, tar) in curves.items()}
    for name, (far, tar) in curves.items():
        shown = far > least
        axes.step([least, *far[shown]], [starts[name], *tar[shown]], where="post", **styles[name].line)
    axes.set(xscale="log", xlim=(least, 1), ylim=(_floor(min(starts.values())), 1.01))
    axes.set(xlabel="false accept rate", ylabel="true accept rate", title="ROC")
    axes.legend(loc="best")
    return svg_of(canvas)


@styled
def det(pairs: Mapping[str, ScoredPairs], styles: Mapping[str, Style]) -> str | None:
    """Return the DET curves as SVG: both error rates on normal deviate axes (Martin et al. 1997, Eurospeech).

    Args:
        pairs: scored pairs by method.
        styles: how methods are drawn.

    Returns:
        None where no method has both genuine and impostor pairs.
    """
    curves = _curves(pairs)
    if not curves:
        return None
    least = [min(0.2, *(1 / int((pairs[name].same == kind).sum()) for name in curves)) for kind in (False, True)]
    most = [0.5, 0.5]
    canvas, axes = new_canvas(*SIZE)
    for name, (far, tar) in curves.items():
        rates = [np.clip(rate, edge / 2, 1 - EDGE) for rate, edge in zip((far, 1 - tar), least, strict=True)]
        axes.step(*norm.ppf(rates), where="post", **styles[name].line)
        for axis in (0, 1):
            within = rates[axis][rates[1 - axis] >= least[1 - axis]]
            most[axis] = min(0.95, max(most[axis], 1.1 * float(within[-1 if axis == 0 else 0])))
    axes.axline((0, 0), slope=1, color="#b6bdc7", linewidth=0.8, linestyle=":", zorder=0)
    for axis, low, high in zip((axes.xaxis, axes.yaxis), least, most, strict=True):
        ticks = [tick for tick in DEVIATE_TICKS if low <= tick <= high]
        axis.set_ticks(norm.ppf(ticks), labels=[f"{100 * tick:g}%" for tick in ticks])
    axes.set(xlim=norm.ppf((least[0], most[0])), ylim=norm.ppf((least[1], most[1])))
    axes.set(xlabel="false accept rate", ylabel="false reject rate", title="DET")
    axes.legend(loc="best")
    return svg_of(canvas)


@styled
def cmc(results: Mapping[str, IdentificationResult], styles: Mapping[str, Style]) -> str | None:
    """Return the CMC curves as SVG; None if there are no probes, or only one person is enrolled.

    Args:
        results: identification by method.
        styles: how methods are drawn.
    """
    shown = {name: result.cmc for name, result in results.items() if len(result.cmc) > 1}
    if not shown:
        return None
    canvas, axes = new_canvas(*SIZE)
    ranks = max(map(len, shown.values()))
    for name, shares in shown.items():
        dots = {"marker": "o", "markersize": 3} if ranks <= 20 else {}
        axes.plot(range(1, len(shares) + 1), shares, **styles[name].line, **dots)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlim=(0.6, max(ranks, 2) + 0.4), ylim=(_floor(min(map(min, shown.values()))), 1.01))
    axes.set(xlabel="rank", ylabel="share of probes recognised", title="CMC")
    axes.legend(loc="best")
    return svg_of(canvas)


@styled
def histograms(pairs: Mapping[str, ScoredPairs]) -> str | None:
    """Return the scores of genuine and impostor pairs as SVG, a panel a method, with the threshold of equal errors.

    Args:
        pairs: scored pairs by method.

    Returns:
        None where there are no pairs.
    """
    shown = {name: scored for name, scored in pairs.items() if len(scored.scores)}
    if not shown:
        return None
    columns = min(len(shown), 3)
    rows = -(-len(shown) // columns)
    canvas = Canvas(figsize=(4.1 * columns, 2.6 * rows), layout="constrained")
    panels = canvas.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, scored) in zip(panels, shown.items(), strict=False):
        _histogram(axes, scored)
        axes.set_title(cut(name, 44))
    for axes in panels[len(shown) :]:
        axes.axis("off")
    return svg_of(canvas)


def _histogram(axes: Any, scored: ScoredPairs) -> None:
    low, high = float(scored.scores.min()), float(scored.scores.max())
    fewest = min(int(scored.same.sum()) or len(scored.same), int((~scored.same).sum()) or len(scored.same))
    bins = int(np.clip(2 * np.sqrt(fewest), FEWEST_BINS, MOST_BINS))
    edges = np.linspace(low, high if high > low else low + 1e-3, bins + 1)
    for kind, color, label in ((False, IMPOSTOR, "impostor"), (True, GENUINE, "genuine")):
        mine = scored.scores[scored.same == kind]
        if len(mine):
            counts = np.histogram(mine, edges)[0] / len(mine)
            axes.stairs(counts, edges, fill=True, color=color, alpha=0.45, label=f"{label} ({len(mine):,})")
            axes.stairs(counts, edges, color=color, linewidth=1)
    threshold = equal_error_threshold(scored)
    if threshold is not None:
        axes.axvline(
            threshold,
            ymax=1 / HEADROOM,
            color=TEXT_COLOR,
            linewidth=1,
            linestyle="--",
            label=f"equal errors at {threshold + 0:.3g}",
        )
    axes.xaxis.get_major_locator().set_params(nbins=5)
    axes.set(xlabel="similarity", ylabel="share of pairs")
    axes.set_ylim(0, HEADROOM * axes.get_ylim()[1])
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper left", framealpha=0, ncols=2, handlelength=1.2, columnspacing=1)


def equal_error_threshold(scored: ScoredPairs) -> float | None:
    """Return the similarity at which both kinds of error are most nearly equal; None without both kinds of pairs."""
    from sklearn.metrics import roc_curve

    if scored.same.all() or not scored.same.any():
        return None
    far, tar, thresholds = roc_curve(scored.same, scored.scores)
    place = 1 + int(np.abs(far - (1 - tar))[1:].argmin())  # the first threshold is infinite
    return float(thresholds[place])


def _curves(pairs: Mapping[str, ScoredPairs]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    from sklearn.metrics import roc_curve

    both = {name: scored for name, scored in pairs.items() if scored.same.any() and not scored.same.all()}
    return {name: roc_curve(scored.same, scored.scores)[:2] for name, scored in both.items()}


def _floor(least: float) -> float:
    """Return where a share's axis begins: as near as there is room for the least that is drawn."""
    return max(0.0, np.floor((least - 0.03) * 10) / 10)
