"""Batching of people or samples: any batch of any epoch is computed without those before it."""

from __future__ import annotations

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.errors import UserError
from face3d_data.plurals import counted


def deal(n: int, per_batch: int, iterations: int, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Assign people or samples to the batches of an epoch: all of them in each pass, none twice in a batch.

    Passes follow one another through the epochs, and the order of each is drawn. The last batch of a pass is filled up
    from the start of its order.

    Args:
        n: how many there are, at least `per_batch`.
        per_batch: how many a batch takes.
        iterations: batches of an epoch.
        seed: decides, with the number of the pass, the order.
        epoch: the epoch.

    Returns:
        Who is in each batch, i8 (iterations, per_batch), and in which pass they are, of the same shape: what fills up
        the last batch of a pass counts to the next one.
    """
    batches = -(-n // per_batch)
    passes, places = np.divmod(epoch * iterations + np.arange(iterations), batches)
    dealt = np.empty((iterations, per_batch), np.int64)
    for number in np.unique(passes).tolist():
        order = np.random.default_rng(seed_from("deal", seed, number)).permutation(n)
        dealt[passes == number] = np.resize(order, (batches, per_batch))[places[passes == number]]
    slots = places[:, None] * per_batch + np.arange(per_batch)
    return dealt, passes[:, None] + (slots >= n)


def check_people(people: np.ndarray, per_batch: int) -> int:
    """Return how many people there are.

    Args:
        people: i8 (n,), the person of each row.
        per_batch: people that a batch takes.

    Raises:
        UserError: fewer than two, or than a batch takes.
    """
    count = len(np.unique(people))
    if count < 2:
        raise UserError(
            f"{counted(len(people), 'sample')} of {counted(count, 'identity')}: at least two people are needed: check "
            "data.train_split and data.where"
        )
    if count < per_batch:
        raise UserError(
            f"batch.identities is {per_batch}, but there are only {counted(count, 'person')} to learn from: set "
            f"it to {count} or "
            "less, or check data.train_split and data.where"
        )
    if per_batch < 2:
        raise UserError("batch.identities is 1: a batch of one person has no negatives: set 2 or more")
    return count
