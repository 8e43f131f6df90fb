"""Validation: figures of the evaluation split and of other sets after epochs, one of which chooses the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from face3d_data.errors import UserError, did_you_mean
from face3d_data.shards.read import Dataset
from face3d_training.closed_set import ClosedSet, class_people
from face3d_training.config import RUN_METRICS, TrainConfig
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.fold_splits import run_splits
from face3d_training.health import check_finite_embeddings
from face3d_training.leaks import is_closed_set, training_fingerprint
from face3d_training.losses.loss_module import LossModule
from face3d_training.models.base import ModelSpec
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.split_figures import is_measurable, recognition_figures
from face3d_training.validation_sets import ValidationSet

SMALLER_IS_BETTER = ("loss", "eer")


class Validation:
    """Figures on the evaluation split, and on validation sets, after epochs.

    Args:
        dataset: where the split is.
        config: names it, and the figure that counts.
        spec: the network's options.
        say: called with a line if the split allows no figures, so that the training loss chooses the best epoch.
        sets: the validation sets.
        losses: the losses, whose classes are looked at where the dataset is split by capture.
        identities: the training people in the order of the classes.

    Attributes:
        metric: the figure that chooses the best epoch.
        seen: fingerprint of the faces that it is of.
        chosen_on: what these are called.

    Raises:
        UserError: the figure that counts is of no set, or of classes that there are not.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainConfig,
        spec: ModelSpec,
        say: Callable[[str], None],
        sets: tuple[ValidationSet, ...] = (),
        losses: LossModule | None = None,
        identities: Sequence[str] = (),
    ) -> None:
        self.metric, self.workers, self.sets = config.stop.metric, config.workers, sets
        self.every, self.sets_every = config.stop.every, config.validate_every
        split = run_splits(config.data, dataset).evaluation
        chooser = _set_of(self.metric, sets)
        sizes = dataset.info.get("splits", {})
        rows = FaceRows(dataset.path, split, config.data, spec.inputs) if sizes.get(split) else None
        self.in_pairs = rows is not None and is_measurable(rows)
        self.losses = losses
        self.closed = None if rows is None else _closed_set(dataset, rows, spec, losses, identities)
        self.rows = rows if self.in_pairs or self.closed is not None else None
        if self.metric == "top1" and self.closed is None:
            raise UserError(
                "stop.metric: top1 is the share of captures that the loss assigns to their person: it takes a dataset "
                "split 'by: capture', and a loss with classes, such as softmax or arcface"
            )
        if not self.in_pairs and chooser is None and self.metric not in ("loss", "top1"):
            lacks = "has no genuine and impostor pairs" if split in sizes else f"is none of {', '.join(sizes)}"
            say(f"split {split!r} {lacks}: the training loss chooses the best epoch")
            self.metric = "loss"
        judged = self.rows if chooser is None else chooser.rows
        self.seen = {} if judged is None else training_fingerprint(judged.table)
        self.chosen_on = split if chooser is None else f"validation set {chooser.name}"

    @property
    def headlines(self) -> tuple[str, ...]:
        """Return the first figure of each set."""
        return tuple(one.names[0] for one in self.sets)

    @property
    def panels(self) -> dict[str, tuple[str, ...]]:
        """Return the panels of curves of the sets: title to figures."""
        return {f"on validation set {one.name}": one.panel for one in self.sets}

    def record(self) -> dict[str, str]:
        """Return what a checkpoint keeps of the sets: name to digest of their datasets."""
        return {one.name: one.digest for one in self.sets}

    def check_same(self, state: Mapping[str, Any]) -> None:
        """Check that the sets are those that a run had before, so that its figures stay comparable.

        Raises:
            UserError: a set's dataset is another now.
        """
        before = state.get("validation_sets", {})
        changed = next((one.name for one in self.sets if before.get(one.name, one.digest) != one.digest), None)
        if changed is not None:
            raise UserError(
                f"validate, {changed}: its dataset is not the one that the run began with: put that back, or start a "
                "new run with another --out"
            )

    def figures(
        self, net: EmbeddingNet, device: torch.device, run: str | Path, epoch: int, last: bool
    ) -> dict[str, float]:
        """Return the figures of an epoch: of those sets whose turn it is.

        Of the evaluation split AUC, EER, rank-1 and the distance that parts best, of all faces and of masked against
        plain ones, and `top1` and `top5` of a closed set; of validation sets those of `ValidationSet.names`.

        Args:
            net: the network, on `device`.
            device: where it is.
            run: the run's folder, for messages.
            epoch: number of the epoch from 1.
            last: no epoch comes after it: all are judged.

        Raises:
            RunStopped: an embedding is not finite.
        """
        found: dict[str, float] = {}
        if self.rows is not None and (last or epoch % self.every == 0):
            vectors = embed_rows(net, self.rows, device, workers=self.workers)
            check_finite_embeddings(run, vectors, f"split {self.rows.split!r}", epoch)
            found |= recognition_figures(self.rows, vectors) if self.in_pairs else {}
            if self.closed is not None and self.losses is not None:
                found |= self.closed.figures(self.losses, vectors)
        for one in self.sets if last or epoch % self.sets_every == 0 else ():
            vectors = one.embeddings(net, device, self.workers)
            check_finite_embeddings(run, vectors, f"validation set {one.name}", epoch)
            found |= one.figures(vectors)
        return found

    def judge(self, figures: Mapping[str, float]) -> float | None:
        """Return the figure that the best epoch is chosen by, the larger the better; None where there is none yet."""
        if self.metric not in figures:
            return None
        smaller = self.metric.rpartition("_")[2] in SMALLER_IS_BETTER
        return -figures[self.metric] if smaller else figures[self.metric]


def _closed_set(
    dataset: Dataset, rows: FaceRows, spec: ModelSpec, losses: LossModule | None, identities: Sequence[str]
) -> ClosedSet | None:
    """Return the rows of trained people, where the dataset is split by capture and the loss has classes."""
    if losses is None or not is_closed_set(dataset):
        return None
    weight = next(losses.parameters(), None)
    if weight is None or losses.class_scores(weight.new_zeros(1, spec.embedding_size)) is None:
        return None
    closed = ClosedSet.of(rows.table["identity"].tolist(), class_people(identities))
    return closed if len(closed.rows) else None


def _set_of(metric: str, sets: tuple[ValidationSet, ...]) -> ValidationSet | None:
    """Return the set that a figure is of; None: of the run itself.

    Raises:
        UserError: it is of neither.
    """
    if metric in RUN_METRICS:
        return None
    known = {name: one for one in sets for name in one.names}
    if metric not in known:
        raise UserError(
            f"stop.metric: {metric!r} is no figure of this run (known: {', '.join((*RUN_METRICS, *known))})"
            f"{did_you_mean(metric, known)}"
        )
    return known[metric]
