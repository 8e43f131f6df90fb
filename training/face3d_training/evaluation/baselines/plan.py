"""Plan of the baselines: which are judged next to the networks, and what LDA is trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.read import Dataset
from face3d_data.tables.split import person_of
from face3d_training.evaluation.baselines.lda import Lda
from face3d_training.evaluation.baselines.masked_maps import masked_depth_maps
from face3d_training.evaluation.baselines.methods import (
    LDA_FEWEST_PEOPLE,
    DepthMapMatcher,
    can_be_mapped,
    depth_maps,
    has_maps,
    lda_matcher,
    learn_lda,
)
from face3d_training.evaluation.metrics.matcher import Matcher
from face3d_training.evaluation.networks.about import LeakCheck
from face3d_training.evaluation.networks.load import check_leaks
from face3d_training.leaks import is_closed_set, training_fingerprint
from face3d_training.split_table import rows_of, who_is_masked

LEARNT_FROM = "train"
LDA, MASKED_LDA = "LDA of depth maps", "LDA of depth maps, masks drawn"
ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LearntBaselines:
    """Baselines that are ready.

    Attributes:
        matchers: on the rows that are judged; none, if no baseline is.
        ldas: what the learnt ones have learnt, by name.
    """

    matchers: tuple[Matcher, ...] = ()
    ldas: Mapping[str, Lda] = field(default_factory=dict)

    def on(self, dataset: Dataset, split: str, table: pd.DataFrame, progress: ProgressCallback) -> tuple[Matcher, ...]:
        """Return the same baselines on other rows, indexed by their places in a split.

        Raises:
            UserError: the dataset has no points or maps.
        """
        if not self.matchers:
            return ()
        if not can_be_mapped(dataset):
            raise UserError(
                f"dataset {dataset.name} contains no points or maps, which baselines are made from: say --no-baseline"
            )
        maps = _maps("depth maps of held-out people", dataset, split, table.index.to_numpy(), progress)
        return _matchers(table, maps, self.ldas)


@dataclass(frozen=True)
class BaselinePlan:
    """Baselines to judge next to the networks; nothing is computed yet.

    Attributes:
        dataset: the test data; None: no baseline is judged.
        split: the split of it.
        table: its rows.
        teacher: dataset whose split `train` LDA learns from; None: there is no LDA.
        known: the rows that it learns from.
        leaks: whether the LDA's training data share something with the test data.
        notices: why a baseline is missing.
        wanted: the baselines were asked for, so that it is an error where they are not possible.
    """

    dataset: Dataset | None = None
    split: str = ""
    table: pd.DataFrame | None = None
    teacher: Dataset | None = None
    known: pd.DataFrame | None = None
    leaks: tuple[LeakCheck, ...] = ()
    notices: tuple[str, ...] = ()
    wanted: bool = False

    def learn(self, progress: ProgressCallback) -> tuple[LearntBaselines, list[str]]:
        """Return the baselines, learnt where there is something to learn, and lines on how, or why there are none.

        Raises:
            UserError: they were asked for, and points are not in the face frame.
        """
        try:
            return self._learn(progress)
        except UserError as error:
            if self.wanted:
                raise
            return LearntBaselines(), [f"no baselines: {error}"]

    def _learn(self, progress: ProgressCallback) -> tuple[LearntBaselines, list[str]]:
        if self.dataset is None or self.table is None:
            return LearntBaselines(), []
        table = self.table
        maps = _maps("depth maps", self.dataset, self.split, np.arange(len(table)), progress)
        if self.teacher is None or self.known is None:
            return LearntBaselines(_matchers(table, maps, {})), []
        teacher, known, told = self.teacher, self.known, []
        ldas: dict[str, Lda] = {}

        def learn(name: str, learnt_from: np.ndarray, rows: pd.DataFrame) -> None:
            learnt = learn_lda(learnt_from, rows)
            ldas[name] = learnt.lda
            told.append(
                f"{name}: learnt from {counted(learnt.people, 'person')} of dataset {teacher.name}, split "
                f"{LEARNT_FROM}; ridge {learnt.ridge_mm2:g} mm² and {learnt.dimensions} directions chosen on "
                f"{learnt.held_out} of them, held out"
            )

        seen = _maps("depth maps to learn from", teacher, LEARNT_FROM, known.index.to_numpy(), progress)
        learn(LDA, seen, known)
        if who_is_masked(table).any() and not who_is_masked(known).any() and has_maps(teacher):
            steps = _steps("masked depth maps to learn from", len(known), progress)
            masked, rows = masked_depth_maps(teacher, LEARNT_FROM, known, steps)
            both = pd.concat([known.assign(mask="none"), rows], ignore_index=True)
            learn(MASKED_LDA, np.concatenate([seen, masked]), both)
        return LearntBaselines(_matchers(table, maps, ldas), ldas), told


def plan_baselines(
    dataset: Dataset,
    split: str,
    table: pd.DataFrame,
    wanted: bool | None,
    train_dataset: Dataset | None,
    train_where: str | None = None,
) -> BaselinePlan:
    """Return which baselines can be judged, and whether the learnt one would see what is judged on.

    Args:
        dataset: what is judged on.
        split: the split of it.
        table: its rows.
        wanted: False: none; True: they must be possible; None: those that are.
        train_dataset: the dataset that LDA learns from; `dataset` if not given.
        train_where: query on the columns of its CSV: the rows that LDA learns from; None: all.

    Raises:
        UserError: they were asked for, and the dataset has no points or maps; or `train_dataset` cannot teach; or no
            row matches the query.
    """
    if wanted is False:
        return BaselinePlan()
    if not can_be_mapped(dataset):
        why = f"dataset {dataset.name} contains no points or maps, which the baselines are made from"
        if wanted:
            raise UserError(f"--baseline: {why}: say --no-baseline")
        return BaselinePlan(notices=(f"no baselines: {why}",))
    teacher = train_dataset or dataset
    why = _cannot_teach(teacher, train_where)
    if why and train_dataset is not None:
        raise UserError(f"--train-dataset: {why}: name another")
    if why:
        notice = f"no {LDA}: {why}; --train-dataset names one that can"
        return BaselinePlan(dataset, split, table, notices=(notice,), wanted=bool(wanted))
    known = rows_of(teacher, LEARNT_FROM, train_where, key="--train-where")
    check = check_leaks(LDA, table, training_fingerprint(known), is_closed_set(dataset))
    return BaselinePlan(dataset, split, table, teacher, known, (check,), wanted=bool(wanted))


def _cannot_teach(dataset: Dataset, where: str | None) -> str:
    """Return why LDA cannot learn from the rows of a dataset that match a query, or nothing."""
    if LEARNT_FROM not in dataset.splits:
        return f"dataset {dataset.name} has no split {LEARNT_FROM!r} to learn from"
    if not can_be_mapped(dataset):
        return f"dataset {dataset.name} contains no points or maps to learn from"
    rows = dataset.table(LEARNT_FROM)
    if len(rows) and where is not None:
        rows = rows_of(dataset, LEARNT_FROM, where, key="--train-where")
    people = len({person_of(identity) for identity in rows["identity"]})
    if people < LDA_FEWEST_PEOPLE:
        return (
            f"split {LEARNT_FROM!r} of dataset {dataset.name} shows {counted(people, 'person')}, "
            f"{LDA_FEWEST_PEOPLE} are needed"
        )
    return ""


def _matchers(table: pd.DataFrame, maps: np.ndarray, ldas: Mapping[str, Lda]) -> tuple[Matcher, ...]:
    return DepthMapMatcher(table, maps), *(lda_matcher(name, table, maps, lda) for name, lda in ldas.items())


def _maps(label: str, dataset: Dataset, split: str, rows: np.ndarray, progress: ProgressCallback) -> np.ndarray:
    return depth_maps(dataset, split, rows, _steps(label, len(rows), progress))


def _steps(label: str, total: int, progress: ProgressCallback) -> Callable[[int], None]:
    return lambda done: progress(label, done, total)
