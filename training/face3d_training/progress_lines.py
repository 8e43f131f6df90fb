"""Progress lines of training: how far an epoch is, and its results."""

from __future__ import annotations

import math
from collections.abc import Sequence

from face3d_training.run_state import Run


def step_line(run: Run, seconds: float, seen: int, made: int) -> str:
    """Return the progress line of an epoch after these seconds, samples and steps."""
    progress, steps = run.progress, len(run.learning.sampler)
    left_s = ((run.config.epochs - progress.epoch) * steps - progress.batch) * seconds / made
    rate = f"{seen / seconds:.0f} samples/s, {left_s / 60:.1f} min left"
    return f"epoch {progress.epoch + 1}: step {progress.batch}/{steps}, {rate}"


def epoch_line(figures: dict[str, float], epochs: int, left_s: float, more: Sequence[str] = ()) -> str:
    """Return the figures of a finished epoch, its speed, and how long the others will take.

    Args:
        figures: of the epoch.
        epochs: how many there are at most.
        left_s: seconds that the others will take.
        more: names of figures that are shown after the usual ones.
    """
    shown = (
        "loss",
        "triplet.valid_triplets",
        "spread",
        "genuine",
        "impostor",
        "auc",
        "rank1",
        "masked_rank1",
        "top1",
        *more,
    )
    text = " ".join(f"{name.rpartition('.')[2]} {figures[name]:.4g}" for name in shown if name in figures)
    skipped = f" skipped {figures['skipped']:.0f}" if figures["skipped"] else ""
    left = f", {left_s / 60:.1f} min left" if math.isfinite(left_s) else ""
    ending = f"{figures['samples_per_s']:.0f} samples/s{left}"
    return f"epoch {figures['epoch']:.0f}/{epochs}: {text}{skipped} · {ending}"
