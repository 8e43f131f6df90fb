"""Methods of an evaluation: networks, their back-ends, baselines, and the fusion of them all, as matchers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.tables.pair_rows import every_pair
from face3d_training.back_ends.back_end import BackEnd
from face3d_training.back_ends.fusion import Fusion, learn_fusion
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.evaluation.baselines.plan import BaselinePlan, LearntBaselines, ProgressCallback
from face3d_training.evaluation.learnt import FUSION, BackEndPlan, FusionPlan
from face3d_training.evaluation.learnt_matchers import BackEndMatcher, FusedMatcher
from face3d_training.evaluation.metrics.matcher import EmbeddingMatcher, Matcher, score_pairs
from face3d_training.evaluation.networks.load import Network
from face3d_training.trained_rows import rows_for

if TYPE_CHECKING:
    import pandas as pd

WEIGHED_PAIRS = 100_000
"""Pairs of held-out people at most that methods are weighed on, drawn where there are more."""


@dataclass(frozen=True)
class Methods:
    """Everything that is judged.

    Attributes:
        matchers: in the order of the tables: each network, its back-ends, the fusion, the baselines.
        baselines: names of those that are not learnt by, or on, a network.
        vectors: embeddings of the rows by network.
        back_ends: by the name of what reports call them.
        bare_of: their networks, by the same name.
        notes: lines on how methods were made.
    """

    matchers: list[Matcher]
    baselines: tuple[str, ...]
    vectors: dict[str, np.ndarray]
    back_ends: dict[str, BackEnd]
    bare_of: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Maker:
    """Maker of the methods of an evaluation out of their plans.

    Attributes:
        networks: what is judged.
        back_ends: of these.
        baselines: beside them.
        fusion: people that all of these are weighed on; None: they are not fused.
        device: where networks run.
        workers: loader processes.
        seed: decides which pairs methods are weighed on.
        changes: keys of `data` that are changed.
        progress: called with the state of progress.
    """

    networks: Sequence[Network]
    back_ends: Sequence[BackEndPlan]
    baselines: BaselinePlan
    fusion: FusionPlan | None
    device: torch.device
    workers: int
    seed: int
    changes: tuple[tuple[str, Any], ...]
    progress: ProgressCallback

    def make(self, table: pd.DataFrame) -> Methods:
        """Return the methods on the rows that are judged.

        Raises:
            UserError: a method cannot be learnt, or there is one alone where several are to be fused.
        """
        embedded = [self._embed(network, network.rows, f"embed, {network.name}") for network in self.networks]
        learnt, notes = self._learn()
        own = self._with_back_ends(embedded, learnt)
        baselines, told = self.baselines.learn(self.progress)
        notes += told
        others = [*baselines.matchers]
        if self.fusion is not None:
            fusion, line = self._weigh(self.fusion, learnt, baselines)
            own.append(FusedMatcher(FUSION, table, [*own, *others], fusion))
            notes.append(line)
        return Methods(
            matchers=[*own, *others],
            baselines=tuple(other.name for other in others),
            vectors={matcher.name: matcher.vectors for matcher in embedded},
            back_ends={name: back_end for each in learnt for name, back_end in each.items()},
            bare_of={n: plan.network.name for plan, each in zip(self.back_ends, learnt, strict=True) for n in each},
            notes=tuple(notes),
        )

    def _learn(self) -> tuple[list[dict[str, BackEnd]], list[str]]:
        """Return the back-ends of each network by name, and lines on them."""
        learnt, notes = [], []
        for plan in self.back_ends:
            found, told = plan.learn(self.device, self.workers, self.progress)
            learnt.append(found)
            notes += told
        return learnt, notes

    def _weigh(
        self, plan: FusionPlan, learnt: Sequence[dict[str, BackEnd]], baselines: LearntBaselines
    ) -> tuple[Fusion, str]:
        """Return the weights of all methods, learnt on the people held out, and a line on them."""
        embedded = []
        for network in self.networks:
            rows, _ = rows_for(network.trained, plan.teacher.path, plan.split, self.changes, plan.where)
            embedded.append(self._embed(network, rows, f"embed held-out people, {network.name}"))
        matchers = self._with_back_ends(embedded, learnt)
        matchers += baselines.on(plan.teacher, plan.split, plan.table, self.progress)
        if len(matchers) < 2:
            raise UserError("--fuse: there is one method alone: give several checkpoints or back-ends, or --baseline")
        everyone = np.arange(len(plan.table))
        pairs = every_pair(plan.table, everyone, everyone, WEIGHED_PAIRS, self.seed)
        scores = np.stack([score_pairs(matcher, pairs.first, pairs.second) for matcher in matchers], axis=1)
        fusion = learn_fusion([matcher.name for matcher in matchers], scores, pairs.same)
        genuine = int(pairs.same.sum())
        return fusion, (
            f"{FUSION}: log-odds = {fusion.in_words} (scores in standard deviations) {fusion.offset:+.2f}, weighed on "
            f"{counted(genuine, 'genuine pair')} and {counted(len(scores) - genuine, 'impostor pair')} of "
            f"{counted(plan.table['identity'].nunique(), 'person')} of dataset {plan.teacher.name}, split {plan.split}"
        )

    def _embed(self, network: Network, rows: FaceRows, label: str) -> EmbeddingMatcher:
        vectors = embed_rows(
            network.trained.net,
            rows,
            self.device,
            workers=self.workers,
            progress=lambda done: self.progress(label, done, len(rows)),
        )
        return EmbeddingMatcher(network.name, rows.table, vectors)

    @staticmethod
    def _with_back_ends(embedded: Sequence[EmbeddingMatcher], learnt: Sequence[dict[str, BackEnd]]) -> list[Matcher]:
        """Return matchers of networks, each followed by those of its back-ends."""
        found: list[Matcher] = []
        for place, bare in enumerate(embedded):
            found.append(bare)
            for name, back_end in learnt[place].items() if learnt else ():
                found.append(BackEndMatcher(name, bare.table, back_end, bare.vectors))
        return found
