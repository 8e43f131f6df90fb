"""Tracking of a run: metrics.csv, curves as a picture, TensorBoard."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from face3d_data.atomic import atomic_path, write_atomic

CURVES = {
    "loss": ("loss",),
    "distance of pairs (train)": ("genuine", "impostor"),
    "embeddings: rms distance to mean": ("spread",),
    "valid triplets a step": ("triplet.valid_triplets",),
    "on the evaluation split": ("auc", "rank1", "masked_auc", "masked_rank1", "top1", "top5"),
    "learning rate": ("learning_rate",),
}
"""Panels of curves.png; a panel shows those of its figures that the run has."""
DRAW_EVERY_S = 30.0
"""Drawing takes a second, an epoch of a small network less."""
LOG_SCALE = "learning rate"
METRICS, CURVES_PICTURE = "metrics.csv", "curves.png"


class Tracker:
    """Writes a run's figures after each epoch, each time the whole files, so that a resumed run has one history.

    Args:
        folder: the run's folder.
        done: steps made before; TensorBoard drops what a killed run logged after them.
        panels: of curves.png beside `CURVES`: title to figures.
    """

    def __init__(self, folder: Path, done: int = 0, panels: Mapping[str, tuple[str, ...]] | None = None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder, self._panels = folder, panels
        board = folder / "tensorboard"
        wait_for_later_file(board)
        self._board = SummaryWriter(str(board), purge_step=done + 1 if done else None)
        self._history: Sequence[Mapping[str, float]] = ()
        self._drawn = time.monotonic()

    def epoch(self, history: Sequence[Mapping[str, float]]) -> None:
        """Write the figures of all epochs so far; those of the last one go to TensorBoard."""
        for name, value in history[-1].items():
            if name != "epoch":
                self._board.add_scalar(f"epoch/{name}", value, int(history[-1]["step"]))
        self._board.flush()
        self._history = history
        write_atomic(self.folder / METRICS, history_csv(history))
        if time.monotonic() - self._drawn > DRAW_EVERY_S:
            self._draw()

    def step(self, number: int, loss: float, learning_rate: float) -> None:
        """Log one step to TensorBoard."""
        self._board.add_scalar("step/loss", loss, number)
        self._board.add_scalar("step/learning_rate", learning_rate, number)

    def close(self) -> None:
        """Draw the curves as they ended, and close TensorBoard's file."""
        self._draw()
        self._board.close()

    def _draw(self) -> None:
        if self._history:
            draw_curves(self.folder / CURVES_PICTURE, self._history, self._panels)
            self._drawn = time.monotonic()


def wait_for_later_file(board: Path) -> None:
    """Wait until an event file that is made now sorts behind those in the folder.

    TensorBoard reads the files of a folder in the order of their names, `…tfevents.<second>.<host>.<process>.<count>`:
    of two files of one second, the later one may come first, and what it purges is then what it should follow.
    """
    seconds = [int(part) for path in board.glob("events.out.tfevents.*") if (part := path.name.split(".")[3]).isdigit()]
    ahead_s = max(seconds, default=0) + 1 - time.time()
    if 0 < ahead_s <= 1:
        time.sleep(ahead_s)


def write_history(
    folder: Path, history: Sequence[Mapping[str, float]], panels: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Write the figures of all epochs of a run that is over, and their curves."""
    write_atomic(folder / METRICS, history_csv(history))
    draw_curves(folder / CURVES_PICTURE, history, panels)


def history_csv(history: Sequence[Mapping[str, float]]) -> str:
    """Return a CSV with one line per epoch; a figure that an epoch lacks is empty."""
    names = list(dict.fromkeys(name for row in history for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()})
    return out.getvalue()


def draw_curves(
    path: Path, history: Sequence[Mapping[str, float]], panels: Mapping[str, tuple[str, ...]] | None = None
) -> None:
    """Draw the run's figures over its epochs as a PNG.

    Args:
        path: the picture.
        history: figures of each epoch.
        panels: beside `CURVES`: title to figures.
    """
    from matplotlib.figure import Figure

    wanted = CURVES | dict(panels or {})
    there = {title: [n for n in names if any(n in row for row in history)] for title, names in wanted.items()}
    shown = {title: names for title, names in there.items() if names}
    figure = Figure(figsize=(12, 3.2 * -(-len(shown) // 3)), dpi=100, layout="tight")
    axes = figure.subplots(-(-len(shown) // 3), 3, squeeze=False).ravel()
    for axis, (title, names) in zip(axes, shown.items(), strict=False):
        for name in names:
            points = [(row["epoch"], row[name]) for row in history if name in row]
            axis.plot(*zip(*points, strict=True), marker="o" if len(points) < 30 else "", markersize=3, label=name)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
        if title == LOG_SCALE:
            axis.set_yscale("log")
        if len(names) > 1:
            axis.legend(fontsize=8)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
