"""Triplet draws before an epoch: each batch has few people, and anchor and positive are of two captures if possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.errors import UserError
from face3d_data.tables.dealing import check_people, deal


class TripletDraws:
    """Draws triplets such that those of one batch are of few people, which makes the negatives harder.

    `dealing.deal` chooses the people; each pass has all of them. In a batch, anchors are of any of its people with two
    samples or more, positives of another capture of the anchor's person where there is one, negatives of any other of
    its people; plain and masked samples are drawn without distinction.

    Args:
        labels: i8 (n,), the person of each row.
        captures: the recording that each row comes from.
        identities: people of a batch.
        size: triplets of a batch.
        seed: decides, with the epoch, every draw.

    Raises:
        UserError: there are fewer people than a batch takes, or nobody has two samples.
    """

    def __init__(self, labels: np.ndarray, captures: Sequence[str], identities: int, size: int, seed: int) -> None:
        import pandas as pd

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
            raise UserError("triplets.offline: no one has two samples, so there are no positives: use another loss")

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
