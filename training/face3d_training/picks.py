"""Choice of a person's samples in a batch."""

from __future__ import annotations

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class PersonPicks:
    """Chooses K samples of a person for each pass over all people.

    A person's samples are in a queue, or in one for plain and one for masked ones if these are mixed, and each pass
    takes the next ones; a queue that has too few left is shuffled again. So nearly every sample is used before one is
    used again; only a new shuffle can delay a few. Both queues have a share of K in proportion to their lengths, one
    sample at least. Neighbours in a queue come from different captures, and the masked queue prefers samples whose
    capture is not among the plain ones taken: a genuine pair of one recording with itself teaches little.

    Args:
        people: i8 (n,), 0 … people − 1, the person of each row.
        masked: bool (n,), which rows wear a mask.
        recordings: i8 (n,), 0 …, the capture that each row comes from.
        samples: samples per person (K).
        mix_masked: plain and masked samples of each person, if there are both and K > 1.
        seed: decides every draw, together with the number of the pass.
    """

    def __init__(
        self,
        people: np.ndarray,
        masked: np.ndarray,
        recordings: np.ndarray,
        samples: int,
        mix_masked: bool,
        seed: int,
    ) -> None:
        self.people, self.recordings, self.samples = people, recordings, samples
        self.seed = np.uint64(seed % 2**64)
        n_masked = np.bincount(people, masked).astype(np.int64)
        n_plain = np.bincount(people) - n_masked
        mixed = (n_masked > 0) & (n_plain > 0) & mix_masked & (samples > 1)
        self.queue = 2 * people + (masked & mixed[people])
        self.length = np.bincount(self.queue, minlength=2 * len(mixed))
        share = np.rint(samples * n_masked / (n_masked + n_plain)).astype(np.int64).clip(1, max(1, samples - 1))
        take_masked = np.where(mixed, share, 0)
        self.take = np.stack([samples - take_masked, take_masked], 1).reshape(-1)

    def of_pass(self, number: int, people: np.ndarray) -> np.ndarray:
        """Return the rows of some people in one pass.

        Args:
            number: number of the pass, from 0.
            people: i8 (m,), no one twice.

        Returns:
            i8 (m, K), plain ones first where they are mixed.
        """
        wanted = np.zeros(len(self.length) // 2, bool)
        wanted[people] = True
        rows = np.flatnonzero(wanted[self.people])
        queue, recording = self.queue[rows], self.recordings[rows]
        wait = self._wait(number, rows, queue, recording)
        first = (queue % 2 == 0) & (wait < self.take[queue])
        used = np.zeros(self.recordings.max() + 1, bool)
        used[recording[first]] = True
        order = np.lexsort((wait, used[recording] & (queue % 2 == 1), queue))
        starts = np.searchsorted(queue[order], np.arange(len(self.length)))
        slot = np.arange(self.samples)[None, :]
        plain = self.take[2 * people][:, None]
        source = 2 * people[:, None] + (slot >= plain)
        place = np.where(slot >= plain, slot - plain, slot) % self.length[source]
        return rows[order][starts[source] + place]

    def _wait(self, number: int, rows: np.ndarray, queue: np.ndarray, recording: np.ndarray) -> np.ndarray:
        """Return how many of its queue are taken before each row, i8."""
        length, take = self.length[queue], self.take[queue]
        turns = np.maximum(1, length // take)
        draw = number // turns
        level = ranks_in_groups(recording, queue, key=scramble(self.seed, rows, draw))
        place = ranks_in_groups(queue, key=(level, scramble(~self.seed, recording, draw)))
        return (place - number % turns * take) % length


def ranks_in_groups(*groups: np.ndarray, key: np.ndarray | tuple[np.ndarray, ...] = ()) -> np.ndarray:
    """Return the place of each element among those that are equal in all `groups`, ordered by `key`, then as given.

    Args:
        groups: arrays (n,).
        key: array, or several of which the first counts most, (n,) each.

    Returns:
        i8 (n,), from 0 in each group.
    """
    keys = key if isinstance(key, tuple) else (key,)
    order = np.lexsort((*reversed(keys), *groups))
    changes = np.zeros(len(order), bool)
    for group in groups:
        ordered = group[order]
        changes[1:] |= ordered[1:] != ordered[:-1]
    places = np.arange(len(order))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = places - np.maximum.accumulate(np.where(changes, places, 0))
    return ranks


def scramble(seed: np.uint64, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return a random u8 for each pair of whole numbers, the same for the same: SplitMix64, Steele et al. 2014."""
    mixed = np.full(len(first), seed, np.uint64)
    for part in (first, second):
        mixed = (mixed ^ part.astype(np.uint64)) + GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed
