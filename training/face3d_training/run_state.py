"""State of a training run, and what of it a checkpoint keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from face3d_data.shards.read import Dataset
from face3d_training.building import Learning
from face3d_training.closed_set import CLASS_PEOPLE, class_people
from face3d_training.config import TrainConfig, as_mapping
from face3d_training.fold_splits import run_splits
from face3d_training.losses.loss_module import Number
from face3d_training.run_folder import dataset_digest
from face3d_training.validation import Validation


@dataclass
class RunProgress:
    """Progress of a run; all of it is stored in every checkpoint.

    Attributes:
        epoch: the epoch at work, from 0; `batch` is the next of its batches, `step` counts all steps made or skipped.
        sums: figure to its sum and count over the epoch's steps so far; `skipped` steps had nothing to learn from.
        history: figures of the finished epochs.
        best: best figure so far, and how many evaluations ago it was.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)
    skipped: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = -math.inf
    since_best: int = 0
    threshold: float = math.nan

    def add(self, stats: Mapping[str, Number]) -> None:
        """Add one step's figures."""
        for name, value in stats.items():
            total = self.sums.setdefault(name, [0.0, 0])
            total[0] += float(value)
            total[1] += 1

    def means(self) -> dict[str, float]:
        """Return the epoch's mean figures."""
        return {name: total / count for name, (total, count) in self.sums.items()}


@dataclass(frozen=True)
class Run:
    """State of a training run: its parts, its progress, and where it reports."""

    config: TrainConfig
    folder: Path
    dataset: Dataset
    fabric: Fabric
    scaler: Any | None
    learning: Learning
    validation: Validation
    progress: RunProgress
    say: Callable[[str], None]


def state_of(run: Run) -> dict[str, Any]:
    """Return everything that a run continues from; the first keys are those that other programs read."""
    learning, progress = run.learning, run.progress
    return {
        "epoch": progress.epoch,
        "embedding_dimension": learning.spec.embedding_size,
        "batch_size_training": learning.batch_size,
        "model_state_dict": learning.raw.state_dict(),
        "model_architecture": learning.spec.name,
        "optimizer_model_state_dict": learning.optimizer.state_dict(),
        "best_distance_threshold": progress.threshold,
        "config": json.dumps(as_mapping(run.config)),
        "loss_state_dict": learning.losses.state_dict(),
        CLASS_PEOPLE: class_people(learning.rows.identities),
        "schedule_state_dict": learning.schedule.state_dict(),
        "scaler_state_dict": run.scaler.state_dict() if run.scaler is not None else {},
        "sampler": {"seed": run.config.seed, "epoch": progress.epoch, "batch": progress.batch},
        "rng": {"keyed_by": "step, seed, number, rank", "seed": run.config.seed, "number": progress.step},
        "progress": {name: getattr(progress, name) for name in progress.__dataclass_fields__},
        "dataset": dataset_digest(run.dataset),
        "dataset_name": run.dataset.name,
        "maps": json.dumps(learning.rows.map_said) if learning.rows.map_said else "",
        "preparation": json.dumps(run.dataset.info.get("preparation", {})),
        "splits": {**run_splits(run.config.data, run.dataset).record(), "eval": run.validation.chosen_on},
        **learning.seen.as_state(),
        "selection_data": run.validation.seen,
        "validation_sets": run.validation.record(),
        "teacher": "" if learning.teacher is None else learning.teacher.digest,
    }


def restore(run: Run, state: dict[str, Any]) -> None:
    """Restore a run from a checkpoint."""
    learning = run.learning
    run.validation.check_same(state)
    learning.raw.load_state_dict(state["model_state_dict"])
    learning.losses.load_state_dict(state["loss_state_dict"])
    learning.optimizer.load_state_dict(state["optimizer_model_state_dict"])
    learning.schedule.load_state_dict(state["schedule_state_dict"])
    learning.seen.restore(state)
    if learning.teacher is not None:
        learning.teacher.check_same(state["teacher"])
    if run.scaler is not None:
        run.scaler.load_state_dict(state["scaler_state_dict"])
    for name, value in state["progress"].items():
        setattr(run.progress, name, value)


def why_over(run: Run) -> str:
    """Return why a run is complete, or nothing if it is not."""
    progress = run.progress
    if progress.epoch >= run.config.epochs:
        return f"its {progress.epoch} epochs are done (more: --epochs)"
    return why_stopped_early(run)


def why_stopped_early(run: Run) -> str:
    """Return why training ends before its last epoch, or nothing if it does not."""
    progress, stop = run.progress, run.config.stop
    if progress.batch == 0 and progress.history and all_separated(progress.history[-1]):
        return "every triplet of the training split satisfies the margin"
    if stop.patience is not None and progress.since_best >= stop.patience:
        return f"no gain in {stop.metric} for {progress.since_best} evaluations"
    return ""


def all_separated(figures: Mapping[str, float]) -> bool:
    """Return whether no step of an epoch had a loss because every sample was nearer to its own person than to others.

    Args:
        figures: of the epoch. `triplet.separated` is a mean over its steps, which is 1 only if each of them is.
    """
    return bool(figures["skipped"]) and "loss" not in figures and figures.get("triplet.separated", 0.0) == 1.0
