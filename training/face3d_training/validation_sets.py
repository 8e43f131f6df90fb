"""Validation sets: other datasets and published lists of pairs, judged after epochs beside the evaluation split."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from face3d_data.errors import UserError
from face3d_data.shards.check import checked_dataset
from face3d_data.shards.leaks import counted_things
from face3d_data.shards.read import Dataset
from face3d_data.tables.pair_rows import PairRows
from face3d_data.tables.pairs_file import read_pairs
from face3d_training.config import TrainConfig
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.matcher import EmbeddingMatcher
from face3d_training.evaluation.metrics.verification import verify
from face3d_training.leaks import SeenData, is_closed_set, shared_with_training
from face3d_training.map_place import check_same_maps
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.network_input import InputKind
from face3d_training.prepared_alike import differences_in_place
from face3d_training.run_folder import dataset_digest
from face3d_training.split_figures import is_measurable, recognition_figures
from face3d_training.validation_entries import FoundSet, find_sets

ONE = EvaluationSettings(resamples=1)
"""Without intervals: an epoch's figures are a course, not a result."""
SHOWN = 3
FIGURES = ("accuracy", "auc", "eer", "rank1", "masked_auc", "masked_rank1")
TAKEN = "masked"
"""A set of this name would have figures with the names of those of the evaluation split."""


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """One set that is judged.

    Attributes:
        name: what its figures begin with.
        rows: its faces.
        pairs: the list that is judged; None: all pairs of captures, and ranks.
        folds: pairs of these rows in folds, which have an accuracy besides.
        digest: of its dataset.
    """

    name: str
    rows: FaceRows
    pairs: PairRows | None
    folds: PairRows | None
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its figures without those of masked faces, which not every set has; first the one to look at."""
        folds = self.pairs if self.pairs is not None else self.folds
        accuracy = ("accuracy",) if folds is not None and folds.fold is not None else ()
        ranks = ("rank1",) if self.pairs is None else ()
        return tuple(f"{self.name}_{figure}" for figure in (*accuracy, "auc", "eer", *ranks))

    @property
    def panel(self) -> tuple[str, ...]:
        """Names of all figures that it may have, for a panel of curves."""
        return tuple(f"{self.name}_{figure}" for figure in FIGURES if figure != "eer")

    def embeddings(self, net: EmbeddingNet, device: torch.device, workers: int) -> np.ndarray:
        """Return f4 (n, E), the embeddings of its faces."""
        return embed_rows(net, self.rows, device, workers=workers)

    def figures(self, vectors: np.ndarray) -> dict[str, float]:
        """Return the figures that embeddings f4 (n, E) of its faces have, by their full names."""
        matcher = EmbeddingMatcher(self.name, self.rows.table, vectors)
        found: dict[str, float | None] = {}
        if self.pairs is None:
            figures = recognition_figures(self.rows, vectors)
            found |= {name: value for name, value in figures.items() if name in FIGURES}
        for pairs in (self.pairs or self.folds,):
            if pairs is not None:
                result = verify(matcher, self.name, pairs, pairs, ONE)
                own = {"auc": result.auc.value, "eer": result.eer.value} if pairs is self.pairs else {}
                found |= own | {"accuracy": None if result.folds is None else result.folds.accuracy.value}
        ordered = {name: found[name] for name in FIGURES if found.get(name) is not None}
        return {f"{self.name}_{name}": float(value) for name, value in ordered.items() if value is not None}


def checked_sets(config: TrainConfig, datasets: str | Path, check: bool) -> list[FoundSet]:
    """Return the validation sets that a config names.

    Args:
        config: of the run.
        datasets: the folder in which names are looked up.
        check: compare the files of each set with their hashes.

    Raises:
        UserError: a set does not exist, or is damaged.
    """
    found = find_sets(config.validate_on, datasets)
    for one in found:
        checked_dataset(one.dataset.path, check)
    return found


def open_sets(
    found: Sequence[FoundSet], config: TrainConfig, learnt: Dataset, trained: FaceRows, inputs: InputKind
) -> tuple[ValidationSet, ...]:
    """Return validation sets as the network will see them.

    Args:
        found: the sets.
        config: of the run.
        learnt: the training data.
        trained: the rows that are trained on.
        inputs: what the network takes.

    Raises:
        UserError: a set was not prepared as the training data were, or cannot be judged.
    """
    return tuple(_opened(one, config, learnt, trained, inputs) for one in found)


def _opened(one: FoundSet, config: TrainConfig, learnt: Dataset, trained: FaceRows, inputs: InputKind) -> ValidationSet:
    try:
        rows = FaceRows(one.dataset.path, one.splits, config.data, inputs)
        check_same_maps(_as_json(trained.map_said), rows.map_said, rows.dataset, "this run's network")
        _check_prepared(one, rows, learnt, trained)
    except UserError as error:
        raise UserError(f"validate, {one.name}: {error}") from None
    name = f"{one.name}_set" if one.name == TAKEN else one.name
    digest = dataset_digest(one.dataset)
    if one.pairs is not None:
        rows, pairs = _of_pairs(rows, read_pairs(one.pairs, rows.table))
        return ValidationSet(name, rows, pairs, None, digest)
    if not is_measurable(rows):
        raise UserError(
            f"validate, {one.name}: split {', '.join(one.splits)} of dataset {rows.dataset} has no genuine and "
            "impostor pairs: it takes two people, one with two captures"
        )
    return ValidationSet(name, rows, None, None if one.folds is None else read_pairs(one.folds, rows.table), digest)


def _as_json(said: object) -> str:
    return json.dumps(said) if said else ""


def _check_prepared(one: FoundSet, rows: FaceRows, learnt: Dataset, trained: FaceRows) -> None:
    """Check that faces come before the network in the shape and place of those that it learns from."""
    own, before = (each.__getitems__([(0, 0, 0)])["inputs"].shape[1:] for each in (rows, trained))
    if own != before:
        raise UserError(
            f"dataset {rows.dataset}: its faces are inputs of {_size(own)}, those of training of {_size(before)}: make "
            "it by the steps of the training data, or set --data.n-points or --data.image-size-px"
        )
    learnt_by = learnt.info.get("preparation")
    for line in differences_in_place(
        _as_json(learnt_by), one.dataset.info.get("preparation"), rows.dataset, "this run's network"
    ):
        raise UserError(f"{line}: make it by the steps of the training data")


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _of_pairs(rows: FaceRows, pairs: PairRows) -> tuple[FaceRows, PairRows]:
    """Return the rows that pairs need, and the pairs as places among these."""
    needed, places = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    first, second = places.reshape(2, -1)
    moved = PairRows(first, second, pairs.same, pairs.fold, pairs.complete, pairs.notes)
    return rows.only(needed), moved


def shared_lines(sets: Sequence[ValidationSet], seen: SeenData, learnt: Dataset) -> list[str]:
    """Return a line for each set that shares people, captures or bytes with the training data.

    Args:
        sets: the validation sets.
        seen: what the network will have seen.
        learnt: the training data; the people of a closed set are in all of its splits on purpose.
    """
    closed = learnt.name if is_closed_set(learnt) else None
    lines = []
    for one in sets:
        same_set = one.rows.dataset == closed
        leaks = shared_with_training(one.rows.table, seen.data)
        leaks = [leak for leak in leaks if leak.kind != "identity" or not same_set]
        if leaks:
            said = (
                f"{counted_things(len(leak.things), leak.kind)} ({', '.join(leak.things[:SHOWN])}"
                f"{' …' if len(leak.things) > SHOWN else ''})"
                for leak in leaks
            )
            lines.append(f"validation set {one.name}: in the training data, too: {'; '.join(said)}")
    return lines
