"""Batch sampler: drawn from a seed, so that any batch of any epoch is computed without those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from face3d_data.errors import UserError
from face3d_data.tables.dealing import check_people, deal
from face3d_training.picks import PersonPicks, ranks_in_groups

Draw = tuple[int, int, int]
"""A sample to load: its row, the epoch, and which copy of that row in the epoch it is, from 0."""


class BatchSampler:
    """Batches of one epoch after another, as lists of `Draw`; a subclass chooses the rows.

    All processes make the same batches, and each takes an equal, contiguous share of every one (where it cannot be
    equal, shares differ by one sample): together they see what one process would.

    Args:
        rank: number of this process.
        world: number of processes.
    """

    def __init__(self, rank: int = 0, world: int = 1) -> None:
        self.rank, self.world = rank, world
        self.epoch = self.start_batch = 0

    def set_epoch(self, epoch: int, start_batch: int = 0) -> None:
        """Go to a batch of an epoch: what follows is what an uninterrupted epoch has from there on."""
        self.epoch, self.start_batch = epoch, start_batch

    def __len__(self) -> int:
        """Return the batches of a whole epoch, wherever the next one starts."""
        raise TypeError(f"{type(self).__name__} defines no __len__()")

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch, i8 (B,), over all processes."""
        raise TypeError(f"{type(self).__name__} defines no batches()")

    def extras(self, number: int) -> dict[str, np.ndarray]:
        """Return arrays that belong to a whole batch of this epoch, and not to its samples: none, but for triplets."""
        return {}

    def __iter__(self) -> Iterator[list[Draw]]:
        epoch, start = self.epoch, self.start_batch
        batches = self.batches(epoch)
        ends = np.cumsum([len(rows) for rows in batches])
        copies = np.split(ranks_in_groups(np.concatenate(batches)), ends[:-1])
        for rows, copy in zip(batches[start:], copies[start:], strict=True):
            mine = share(len(rows), self.rank, self.world)
            yield [(row, epoch, number) for row, number in zip(rows[mine].tolist(), copy[mine].tolist(), strict=True)]


@dataclass(frozen=True)
class SampledRows:
    """Rows that batches are made of.

    Attributes:
        labels: i8 (n,), the person of each row.
        masked: bool (n,), which rows wear a mask.
        captures: which recording each row comes from; each row is one if None.
    """

    labels: np.ndarray
    masked: np.ndarray
    captures: Sequence[str] | None = None


class PKSampler(BatchSampler):
    """Batches of P people with K samples each.

    `deal` chooses the people: all of them in each pass. `picks.PersonPicks` chooses their samples. A person with fewer
    than K gives some of them again, as other copies, which online variations make different.

    Args:
        rows: their people, masks and captures.
        identities: people of a batch (P).
        samples: samples of each (K).
        mix_masked: take at least one plain and one masked sample of each person, if there are both and K > 1.
        iterations: batches of an epoch; one pass over all people if not given. Each epoch continues where the last one
            stopped, so that with few iterations everybody is seen over several epochs.
        seed: decides every draw.
        rank: number of this process.
        world: number of processes.

    Attributes:
        single_capture: people with one capture only, whose genuine pairs all join a recording with itself.

    Raises:
        UserError: there is one identity only, or fewer than P, or the batch is too small for this number of processes.
    """

    def __init__(
        self,
        rows: SampledRows,
        identities: int,
        samples: int,
        mix_masked: bool = True,
        iterations: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__(rank, world)
        people = np.unique(rows.labels, return_inverse=True)[1]
        recordings = np.arange(len(people))
        if rows.captures is not None:
            recordings = pd.factorize(np.asarray(rows.captures, object))[0]
        self.n_people = check_people(people, identities)
        check_size(identities * samples, world, "batch.identities × batch.samples")
        self.identities, self.seed = identities, seed
        self.iterations = iterations or -(-self.n_people // identities)
        self.picks = PersonPicks(people, np.asarray(rows.masked, bool), recordings, samples, mix_masked, seed)
        pairs = np.unique(people * (recordings.max() + 1) + recordings)
        self.single_capture = int((np.bincount(pairs // (recordings.max() + 1)) == 1).sum())

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        return self.iterations

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch, i8 (P·K,), person after person."""
        people, passes = deal(self.n_people, self.identities, self.iterations, self.seed, epoch)
        rows = np.empty((*people.shape, self.picks.samples), np.int64)
        for number in np.unique(passes).tolist():
            here = passes == number
            rows[here] = self.picks.of_pass(number, people[here])
        return list(rows.reshape(len(rows), -1))


class ShuffleSampler(BatchSampler):
    """Batches of any samples, in the order of `deal`; fewer samples than a batch takes are one batch.

    Args:
        n: rows.
        size: samples of a batch.
        iterations: batches of an epoch; one pass if not given. Each epoch continues where the last one stopped.
        seed: decides every draw.
        rank: number of this process.
        world: number of processes.

    Raises:
        UserError: there are too few rows, or the batch is too small, for this number of processes.
    """

    def __init__(
        self, n: int, size: int, iterations: int | None = None, seed: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        super().__init__(rank, world)
        check_size(n, world, "the number of samples to learn from")
        check_size(size, world, "batch.size")
        size = min(size, n)
        self.n, self.size, self.seed = n, size, seed
        self.iterations = iterations or -(-n // size)

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        return self.iterations

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch, i8 (B,)."""
        return list(deal(self.n, self.size, self.iterations, self.seed, epoch)[0])


class PairSampler(BatchSampler):
    """Batches in which each sample of another sampler comes twice in a row, as two copies: an even and an odd one.

    Args:
        inner: chooses the samples; its batches have half the size.
        rank: number of this process.
        world: number of processes.
    """

    def __init__(self, inner: BatchSampler, rank: int = 0, world: int = 1) -> None:
        super().__init__(rank, world)
        self.inner = inner
        self.single_capture = getattr(inner, "single_capture", 0)

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        return len(self.inner)

    def batches(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch, i8 (2 B,)."""
        return [np.repeat(rows, 2) for rows in self.inner.batches(epoch)]


def check_size(size: int, world: int, option: str) -> None:
    """Check that each process gets two samples of a batch, which a batch normalisation needs.

    Raises:
        UserError: it does not.
    """
    if size < 2 * world:
        raise UserError(f"{option} is {size}: each of {world} processes needs 2 samples of a batch: raise it")


def share(size: int, rank: int, world: int) -> slice:
    """Return the share of a batch that a process takes: contiguous, and equal to within one sample."""
    return slice(size * rank // world, size * (rank + 1) // world)
