"""Embeddings to learn a back-end from: a network's of its training people, as stored and as varied in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset
from face3d_training.checkpoint import Trained
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.fold_splits import run_splits
from face3d_training.run_folder import dataset_digest
from face3d_training.split_table import Splits
from face3d_training.trained_rows import rows_for
from face3d_training.variation import Variation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    import pandas as pd

COPIES = 1
"""Varied copies of each row, beside the row itself."""


@dataclass(frozen=True, eq=False)
class TrainingEmbeddings:
    """Embeddings of training people.

    Attributes:
        vectors: f4 (n, E), every row as it is stored, then its varied copies.
        people: (n,) str, the person of each.
    """

    vectors: np.ndarray
    people: np.ndarray


@dataclass(frozen=True)
class TrainingRows:
    """The rows that a network was trained on, or those of another dataset in their place.

    Attributes:
        plain: the rows as they are stored.
        varied: the same rows with the variation of the network's training, masks too; None: it had none.
    """

    plain: FaceRows
    varied: FaceRows | None

    @property
    def table(self) -> pd.DataFrame:
        """Their rows of the CSV."""
        return self.plain.table


def taught(trained: Trained, dataset: Dataset) -> bool:
    """Tell whether a dataset is the one that a network was trained on, byte for byte."""
    return bool(trained.info.get("dataset") == dataset_digest(dataset))


def training_rows(
    trained: Trained, dataset: str | Path, changes: Iterable[tuple[str, Any]] = (), where: str | None = None
) -> TrainingRows:
    """Return the rows that a back-end of a network learns from.

    Of the dataset that the network was trained on, they are the rows of its training; of another, its split `train`.

    Args:
        trained: the network.
        dataset: a dataset's folder.
        changes: keys of the config's `data` that are changed, as in `rows_for`.
        where: query on the columns of the CSV: only these rows; None: those of the network's training.

    Raises:
        UserError: the dataset lacks the split, or what the network takes.
    """
    dataset = Path(dataset)
    source = Dataset(dataset)
    data = trained.config.data if taught(trained, source) and trained.config is not None else None
    split: Splits = "train" if data is None else run_splits(data, source).train
    where = where if data is None else where or data.where
    plain, config = rows_for(trained, dataset, split, changes, where)
    if trained.config is None:
        return TrainingRows(plain, None)
    varied = FaceRows(
        *(dataset, split, config.data, trained.spec.inputs, where),
        variation=Variation.of(trained.config),
        seed=trained.config.seed,
    )
    return TrainingRows(plain, varied if varied.varies else None)


def embed_training_rows(
    trained: Trained,
    rows: TrainingRows,
    device: torch.device | str = "cpu",
    workers: int = 0,
    copies: int = COPIES,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingEmbeddings:
    """Return a network's embeddings of training rows, as they are stored and varied as in training.

    A back-end learns from both, so that the covariance within people contains the masks, rotations and noise that the
    network was trained to ignore.

    Args:
        trained: the network, on `device`.
        rows: the rows.
        device: where the network is.
        workers: loader processes.
        copies: varied copies of each row, drawn as in the network's training. Where that took plain and masked variants
            in pairs, they are in turn a masked and a plain one.
        progress: called with the number of faces done and the total.

    Raises:
        UserError: an embedding is not finite.
    """
    passes = [rows.plain, *([rows.varied] * copies if rows.varied is not None else [])]
    total, found = len(rows.plain) * len(passes), []
    for number, each in enumerate(passes):
        begun = number * len(rows.plain)
        tell = None if progress is None else lambda done, begun=begun: progress(begun + done, total)
        found.append(
            embed_rows(
                trained.net, each, device, workers=workers, progress=tell, drawn=(max(0, number - 1), number % 2)
            )
        )
    vectors = np.concatenate(found)
    if not np.isfinite(vectors).all():
        raise UserError(f"{trained.path}: embeddings of its training rows are not finite: the network has diverged")
    return TrainingEmbeddings(vectors, np.tile(rows.table["identity"].to_numpy(object).astype(str), len(passes)))
