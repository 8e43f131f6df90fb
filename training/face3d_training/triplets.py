"""Offline triplets, drawn before an epoch, and the batches that contain them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.tables.triplet_draws import TripletDraws
from face3d_data.tables.triplet_file import save_triplets, triplet_file_name
from face3d_training.config import TrainConfig
from face3d_training.sampler import BatchSampler, check_size
from face3d_training.triplet_file import load_triplets

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "triplets"
"""Where a run keeps the triplets of its epochs."""


class TripletSampler(BatchSampler):
    """Batches of given triplets, in order; a sample that several triplets of a batch name is in it once.

    Each process takes its share of the samples of a batch, while the triplets, which `extras` gives, are those of the
    whole batch. The last batch is filled up with the first triplets of the epoch.

    Args:
        triplets_of: returns the triplets of an epoch, i8 (n, 3), rows.
        n: triplets of an epoch.
        size: triplets of a batch.
        rank: number of this process.
        world: number of processes.

    Raises:
        UserError: a batch has too few samples for this number of processes.
    """

    def __init__(
        self, triplets_of: Callable[[int], np.ndarray], n: int, size: int, rank: int = 0, world: int = 1
    ) -> None:
        super().__init__(rank, world)
        self.n, self.size = n, min(size, n)
        self._of_epoch = lru_cache(1)(lambda epoch: self._batches(triplets_of(epoch)))

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        return -(-self.n // self.size)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch, each row once, i8 (B,), B ≤ 3 · `size`."""
        return [rows for rows, _ in self._of_epoch(epoch)]

    def extras(self, number: int) -> dict[str, np.ndarray]:
        """Return `triplet` of a batch of this epoch, i8 (T, 3): places of its triplets in the whole batch."""
        return {"triplet": self._of_epoch(self.epoch)[number][1]}

    def _batches(self, triplets: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        found = []
        for number in range(len(self)):
            chosen = triplets.take(np.arange(number * self.size, (number + 1) * self.size), axis=0, mode="wrap")
            rows, places = np.unique(chosen, return_inverse=True)
            check_size(len(rows), self.world, "the number of samples in a batch of triplets")
            found.append((rows, places.reshape(-1, 3)))
        return found


def make_triplet_sampler(
    config: TrainConfig,
    table: pd.DataFrame,
    labels: np.ndarray,
    folder: Path,
    seed: int,
    rank: int,
    world: int,
    notes: list[str] | None = None,
) -> TripletSampler:
    """Return the batches of `triplets.file`, or of triplets drawn for each epoch and kept in the run's folder.

    A batch has as many triplets as `batch` says samples: identities × samples, or size.

    Args:
        config: the run's.
        table: rows that are learnt from, with the columns of a training CSV.
        labels: i8 (n,), who they are.
        folder: the run's folder.
        seed: decides every draw.
        rank: number of this process; the first one writes the files.
        world: number of processes.
        notes: takes lines for the reader.

    Raises:
        UserError: the file or the rows do not serve.
    """
    batch = config.batch
    size = batch.identities * batch.samples if batch.sampler == "pk" else batch.size
    if config.triplets.file is not None:
        given = load_triplets(config.triplets.file, table, labels, notes)
        return TripletSampler(lambda epoch: given, len(given), size, rank, world)
    draws = TripletDraws(labels, table["origin_id"].tolist(), batch.identities, size, seed)
    n = config.triplets.per_epoch

    def of_epoch(epoch: int) -> np.ndarray:
        triplets = draws.of_epoch(epoch, n)
        if rank == 0:
            path = folder / FOLDER / triplet_file_name(epoch, n, batch.identities, size)
            save_triplets(path, triplets, table)
        return triplets

    return TripletSampler(of_epoch, n, size, rank, world)
