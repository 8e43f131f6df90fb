"""Plan of the baselines: which are judged next to the networks, and what LDA is trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.read import Dataset
from face3d_data.tables.split import person_of
from face3d_training.evaluation.baselines.methods import (
    LDA_FEWEST_PEOPLE,
    DepthMapMatcher,
    can_be_mapped,
    depth_maps,
    lda_matcher,
    learn_lda,
)
from face3d_training.evaluation.metrics.matcher import Matcher
from face3d_training.evaluation.networks.about import LeakCheck
from face3d_training.evaluation.networks.load import check_leaks
from face3d_training.leaks import training_fingerprint

if TYPE_CHECKING:
    import pandas as pd

LEARNT_FROM = "train"
LDA = "LDA of depth maps"
ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BaselinePlan:
    """Baselines to judge next to the networks; nothing is computed yet.

    Attributes:
        dataset: the test data; None: no baseline is judged.
        split: the split of it.
        table: its rows.
        teacher: dataset whose split `train` LDA learns from; None: there is no LDA.
        leaks: whether the LDA's training data share something with the test data.
        notices: why a baseline is missing.
        wanted: the baselines were asked for, so that it is an error where they are not possible.
    """

    dataset: Dataset | None = None
    split: str = ""
    table: pd.DataFrame | None = None
    teacher: Dataset | None = None
    leaks: tuple[LeakCheck, ...] = ()
    notices: tuple[str, ...] = ()
    wanted: bool = False

    def matchers(self, progress: ProgressCallback) -> tuple[list[Matcher], list[str]]:
        """Return the baselines, learnt where there is something to learn, and lines on how, or why there are none.

        Raises:
            UserError: they were asked for, and points are not in the face frame.
        """
        try:
            return self._matchers(progress)
        except UserError as error:
            if self.wanted:
                raise
            return [], [f"no baselines: {error}"]

    def _matchers(self, progress: ProgressCallback) -> tuple[list[Matcher], list[str]]:
        if self.dataset is None or self.table is None:
            return [], []
        maps = _maps("depth maps", self.dataset, self.split, len(self.table), progress)
        found: list[Matcher] = [DepthMapMatcher(self.table, maps)]
        if self.teacher is None:
            return found, []
        rows = self.teacher.table(LEARNT_FROM)
        learnt = learn_lda(_maps("depth maps to learn from", self.teacher, LEARNT_FROM, len(rows), progress), rows)
        told = (
            f"{LDA}: learnt from {counted(learnt.people, 'person')} of dataset {self.teacher.name}, "
            f"split {LEARNT_FROM}; ridge {learnt.ridge_mm2:g} mm² and {learnt.dimensions} directions chosen on "
            f"{learnt.held_out} of them, held out"
        )
        return [*found, lda_matcher(self.table, maps, learnt.lda)], [told]


def plan_baselines(
    dataset: Dataset, split: str, table: pd.DataFrame, wanted: bool | None, train_dataset: Dataset | None
) -> BaselinePlan:
    """Return which baselines can be judged, and whether the learnt one would see what is judged on.

    Args:
        dataset: what is judged on.
        split: the split of it.
        table: its rows.
        wanted: False: none; True: they must be possible; None: those that are.
        train_dataset: the dataset that LDA learns from; `dataset` if not given.

    Raises:
        UserError: they were asked for, and the dataset has no points or maps; or `train_dataset` cannot teach.
    """
    if wanted is False:
        return BaselinePlan()
    if not can_be_mapped(dataset):
        why = f"dataset {dataset.name} contains no points or maps, which the baselines are made from"
        if wanted:
            raise UserError(f"--baseline: {why}: say --no-baseline")
        return BaselinePlan(notices=(f"no baselines: {why}",))
    teacher = train_dataset or dataset
    why = _cannot_teach(teacher)
    if why and train_dataset is not None:
        raise UserError(f"--train-dataset: {why}: name another")
    if why:
        notice = f"no {LDA}: {why}; --train-dataset names one that can"
        return BaselinePlan(dataset, split, table, notices=(notice,), wanted=bool(wanted))
    seen = training_fingerprint(teacher.table(LEARNT_FROM))
    check = check_leaks(LDA, table, seen)
    return BaselinePlan(dataset, split, table, teacher, (check,), wanted=bool(wanted))


def _cannot_teach(dataset: Dataset) -> str:
    """Return why LDA cannot learn from a dataset, or nothing."""
    if LEARNT_FROM not in dataset.splits:
        return f"dataset {dataset.name} has no split {LEARNT_FROM!r} to learn from"
    if not can_be_mapped(dataset):
        return f"dataset {dataset.name} contains no points or maps to learn from"
    people = len({person_of(identity) for identity in dataset.table(LEARNT_FROM)["identity"]})
    if people < LDA_FEWEST_PEOPLE:
        return (
            f"split {LEARNT_FROM!r} of dataset {dataset.name} shows {counted(people, 'person')}, "
            f"{LDA_FEWEST_PEOPLE} are needed"
        )
    return ""


def _maps(label: str, dataset: Dataset, split: str, total: int, progress: ProgressCallback) -> np.ndarray:
    return depth_maps(dataset, split, np.arange(total), lambda done: progress(label, done, total))
