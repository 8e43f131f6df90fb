"""Closed-set classification: which trained person a capture shows, by the class weights of the loss.

The headline of recognisers that are trained and tested on the same people by other captures (a split `by: capture`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from face3d_training.leaks import name_hashes
from face3d_training.losses.loss_module import LossModule
from face3d_training.losses.weighted import build_losses
from face3d_training.models.base import ModelSpec

CLASS_PEOPLE = "class_people"
"""Key of a checkpoint: i8 (C,), hashes of the people's identities in the order of the classes."""
RANKS = (1, 5)
BLOCK_ROWS = 4096


def class_people(identities: Sequence[str]) -> torch.Tensor:
    """Return i8 (C,), hashes by which people are known again whatever the order in which another dataset has them.

    Args:
        identities: of the training people, in the order of their labels.
    """
    return torch.from_numpy(name_hashes(list(identities)).copy())


@dataclass(frozen=True, eq=False)
class ClosedSet:
    """Rows of people that a network was trained on.

    Attributes:
        rows: i64 (n,), their places in a table.
        classes: i64 (n,), the class of each.
        count: C, classes that there are.
    """

    rows: np.ndarray
    classes: np.ndarray
    count: int

    @classmethod
    def of(cls, identities: Sequence[str], people: torch.Tensor) -> ClosedSet:
        """Return the rows whose identity is one of the people; the others are left out.

        Args:
            identities: (N,), of each row.
            people: what `class_people` returned.
        """
        class_of = {number: place for place, number in enumerate(people.tolist())}
        found = np.array([class_of.get(number, -1) for number in name_hashes(list(identities)).tolist()], np.int64)
        rows = np.flatnonzero(found >= 0)
        return cls(rows, found[rows], len(class_of))

    @property
    def ranks(self) -> tuple[int, ...]:
        """The ranks that say something: among five classes everybody is one of the first five."""
        return tuple(rank for rank in RANKS if rank < self.count)

    def ranked(self, losses: LossModule, vectors: np.ndarray) -> np.ndarray | None:
        """Return i64 (n,), the rank of each row's own class, ties counting against it; None: the loss has no classes.

        Args:
            losses: the loss, with its class weights.
            vectors: f4 (N, E), embeddings of all rows of the table.
        """
        weight = next(losses.parameters(), torch.zeros(0))
        found = []
        for start in range(0, len(self.rows), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            embedding = torch.from_numpy(vectors[self.rows[part]]).to(weight.device, torch.float32)
            with torch.inference_mode():
                scores = losses.class_scores(embedding)
            if scores is None:
                return None
            own = scores.gather(1, torch.from_numpy(self.classes[part]).to(scores.device)[:, None])
            found.append((scores >= own).sum(1).cpu().numpy())
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def figures(self, losses: LossModule, vectors: np.ndarray) -> dict[str, float]:
        """Return `top1` and `top5`, the shares of rows whose own class is the first, or among the first five."""
        rank = self.ranked(losses, vectors)
        if rank is None or not len(rank):
            return {}
        return {f"top{k}": float((rank <= k).mean()) for k in self.ranks}


def trained_losses(
    options: Mapping[str, Mapping[str, Any]], spec: ModelSpec, info: Mapping[str, Any], state: Mapping[str, Any]
) -> LossModule | None:
    """Return the loss of a checkpoint with its class weights; None where it keeps none, or does not say whose they are.

    Args:
        options: the config's `loss`.
        spec: the network's options.
        info: the checkpoint's keys.
        state: the loss's weights.

    Raises:
        UserError: a loss is not installed, or the weights are of another.
    """
    if CLASS_PEOPLE not in info or not state:
        return None
    losses = build_losses(options, len(info[CLASS_PEOPLE]), spec.embedding_size, spec.name)
    losses.load_state_dict(dict(state))
    return losses.eval()
