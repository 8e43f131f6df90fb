"""Triplets drawn before an epoch, instead of in the batch, and the batches that hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from face3d_data.digest import seed_from
from face3d_data.errors import UserError
from face3d_training.config import TrainConfig
from face3d_training.sampler import BatchSampler, check_people, check_size, deal
from face3d_training.triplet_file import load_triplets, save_triplets, triplet_file_name

FOLDER = "triplets"
"""Where a run keeps the triplets of its epochs."""


class TripletDraws:
    """Draws triplets such that those of one batch are of few people, who get harder negatives among each other.

    `sampler.deal` says which people; all have their turn. In a batch, anchors are of any of its people with two samples
    or more, positives of another capture of the anchor's person where there is one, negatives of any other of its
    people; plain and masked samples take part as they come.

    Args:
        labels: i8 (n,), who each row is.
        captures: which recording each row comes from.
        identities: people of a batch.
        size: triplets of a batch.
        seed: decides, with the epoch, every draw.

    Raises:
        UserError: fewer people than a batch takes, or nobody with two samples.
    """

    def __init__(self, labels: np.ndarray, captures: Sequence[str], identities: int, size: int, seed: int) -> None:
        people = np.unique(labels, return_inverse=True)[1]
        check_people(people, identities)
        recordings = pd.factorize(np.asarray(captures, object))[0]
        self.identities, self.size, self.seed = identities, size, seed
        self.rows = np.lexsort((recordings, people))
        """Rows by person and recording; the rest are places in it."""
        self.counts = np.bincount(people)
        self.starts = np.cumsum(self.counts) - self.counts
        changed = np.flatnonzero(np.diff(recordings[self.rows]) | np.diff(people[self.rows])) + 1
        edges = np.concatenate([[0], changed, [len(people)]])
        self.block_start = np.repeat(edges[:-1], np.diff(edges))
        self.block_size = np.repeat(np.diff(edges), np.diff(edges))
        self.paired = np.flatnonzero(self.counts > 1)
        if not len(self.paired):
            raise UserError("triplets.offline: nobody has two samples, so there is no positive: use another loss")

    def of_epoch(self, epoch: int, n: int) -> np.ndarray:
        """Return n triplets, i8 (n, 3), rows of anchor, positive, negative; each `size` of them are a batch."""
        rng = np.random.default_rng(seed_from("triplets", self.seed, epoch))
        batch = np.arange(n) // self.size
        crews, slots = self._crews(epoch, -(-n // self.size), rng)
        slot = (rng.random(n) * slots[batch]).astype(np.int64)
        person = crews[batch, slot]
        other = (slot + 1 + rng.integers(0, self.identities - 1, n)) % self.identities
        stranger = crews[batch, other]
        anchor = self.starts[person] + (rng.random(n) * self.counts[person]).astype(np.int64)
        positive = self._positive(anchor, person, rng.random(n))
        negative = self.starts[stranger] + (rng.random(n) * self.counts[stranger]).astype(np.int64)
        return self.rows[np.stack([anchor, positive, negative], axis=1)]

    def _crews(self, epoch: int, batches: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the people of each batch, those with two samples first, and how many they are: at least one."""
        crews, _ = deal(len(self.counts), self.identities, batches, self.seed, epoch)
        alone = ~(self.counts[crews] > 1).any(axis=1)
        crews[alone, 0] = rng.choice(self.paired, alone.sum())
        paired = self.counts[crews] > 1
        order = np.argsort(~paired, axis=1, kind="stable")
        return np.take_along_axis(crews, order, axis=1), paired.sum(axis=1)

    def _positive(self, anchor: np.ndarray, person: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Return a place among the person's others: of another capture, or, with one capture only, another sample."""
        start, count = self.starts[person], self.counts[person]
        several = self.block_size[anchor] < count
        skip_start = np.where(several, self.block_start[anchor], anchor)
        skip = np.where(several, self.block_size[anchor], 1)
        place = start + (draw * (count - skip)).astype(np.int64)
        return place + np.where(place >= skip_start, skip, 0)


class TripletSampler(BatchSampler):
    """Batches that hold given triplets, one after another; a sample that several of them name is there once.

    Each process takes its share of the samples of a batch, while the triplets, which `extras` gives, are those of the
    whole batch. The last batch is filled up with the first triplets of the epoch.

    Args:
        triplets_of: returns the triplets of an epoch, i8 (n, 3), rows.
        n: triplets of an epoch.
        size: triplets of a batch.
        rank: number of this process.
        world: number of processes.

    Raises:
        UserError: a batch has too few samples for so many processes.
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
    config: TrainConfig, table: pd.DataFrame, labels: np.ndarray, folder: Path, seed: int, rank: int, world: int
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

    Raises:
        UserError: the file or the rows do not serve.
    """
    batch = config.batch
    size = batch.identities * batch.samples if batch.sampler == "pk" else batch.size
    if config.triplets.file is not None:
        given = load_triplets(config.triplets.file, table, labels)
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
