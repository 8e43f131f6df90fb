"""Splits that a run learns from: those that its config names, or the folds of a cross-validation but two."""

from __future__ import annotations

from dataclasses import dataclass

from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset
from face3d_data.tables.split import fold_name
from face3d_training.config import DataConfig
from face3d_training.split_table import Splits, split_said

FEWEST_FOLDS = 3
"""One fold is for the test and one chooses the epoch."""


@dataclass(frozen=True)
class RunSplits:
    """Splits of a run.

    Attributes:
        train: what it is trained on.
        evaluation: what its best epoch is chosen on.
        test: the fold that it leaves for the test; empty outside of a cross-validation.
    """

    train: Splits
    evaluation: str
    test: str = ""

    def record(self) -> dict[str, str]:
        """Return what a checkpoint says of them; `test` only where there is one."""
        left = {"test": self.test} if self.test else {}
        return {"train": split_said(self.train), "eval": self.evaluation, **left}


def fold_names(dataset: Dataset) -> list[str]:
    """Return the folds of a dataset for cross-validation, in order; none where it has other splits."""
    there = set(dataset.splits)
    names = [fold_name(number + 1) for number in range(len(there))]
    return names if there and there == set(names) else []


def run_splits(data: DataConfig, dataset: Dataset) -> RunSplits:
    """Return the splits that a run learns from.

    Of a cross-validation, fold k is for the test, the next one (after the last the first) chooses the epoch, so that
    nothing of the run depends on the fold that it is judged on, and all others are trained on.

    Args:
        data: of the run's config.
        dataset: the training data.

    Raises:
        UserError: `data.fold` is set, and the dataset has no such fold, or too few.
    """
    if data.fold is None:
        return RunSplits(data.train_split, data.eval_split)
    names = fold_names(dataset)
    if not names:
        raise UserError(
            f"data.fold: dataset {dataset.name} has the splits {', '.join(dataset.splits)} and no folds: give the step "
            "split 'folds: 5' in its pipeline"
        )
    if len(names) < FEWEST_FOLDS:
        raise UserError(
            f"data.fold: dataset {dataset.name} has {len(names)} folds, and one is for the test and one chooses the "
            f"epoch: give the step split 'folds: {FEWEST_FOLDS}' or more"
        )
    if data.fold > len(names):
        raise UserError(
            f"data.fold: {data.fold}, but dataset {dataset.name} has {len(names)} folds: choose one of these"
        )
    test, evaluation = names[data.fold - 1], names[data.fold % len(names)]
    return RunSplits(tuple(name for name in names if name not in (test, evaluation)), evaluation, test)
