"""Health of embeddings: figures of a batch that show a collapse early, and the end of a network that diverged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from face3d_data.errors import RunStopped
from face3d_data.plurals import counted
from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs


class Watched(LossModule):
    """A loss that also tells what the embeddings look like, as `spread`, `genuine` and `impostor`.

    Args:
        losses: the loss itself.
    """

    def __init__(self, losses: LossModule) -> None:
        super().__init__()
        self.losses: nn.Module = losses

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the loss, with the embeddings' figures among its numbers."""
        value: LossValue = self.losses(outputs, batch)
        return replace(value, stats={**value.stats, **embedding_stats(outputs["embedding"], batch["label"])})


def diverged(run: str | Path, what: str) -> RunStopped:
    """Return the end of a run whose network diverged.

    Args:
        run: the run's folder.
        what: what was not finite, and when.
    """
    return RunStopped(
        f"{run}: {what}: lower --optimizer.learning-rate, or set --optimizer.clip-norm 1; the last checkpoint is whole"
    )


def check_finite_embeddings(run: str | Path, vectors: np.ndarray, of: str, epoch: int) -> None:
    """Check that embeddings f4 (n, E) are finite.

    Args:
        run: the run's folder.
        vectors: the embeddings.
        of: whose.
        epoch: number of the epoch from 1.

    Raises:
        RunStopped: one is not.
    """
    wrong = int((~np.isfinite(vectors).all(axis=1)).sum())
    if wrong:
        said = f"{counted(wrong, 'embedding')} of {len(vectors)} of {of} {'is' if wrong == 1 else 'are'} not finite"
        raise diverged(run, f"{said} after epoch {epoch}")


@torch.no_grad()
def embedding_stats(embedding: torch.Tensor, label: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return how far apart embeddings lie.

    Args:
        embedding: (B, E), unit length.
        label: i8 (B,).

    Returns:
        `spread`: rms distance to their mean (0 where all are equal, at most 1); `genuine` and `impostor`: mean
        Euclidean distance of pairs of one person and of two; NaN where there is no such pair. Tensors of shape ().
    """
    embedding = embedding.detach().float()
    spread = (embedding - embedding.mean(0)).square().sum(1).mean().sqrt()
    distance = (2 - 2 * embedding @ embedding.T).clamp(min=0).sqrt()
    same = label[:, None] == label[None, :]
    genuine, impostor = same.triu(1), (~same).triu(1)
    means = {
        name: torch.where(pairs, distance, 0).sum() / pairs.sum()
        for name, pairs in (("genuine", genuine), ("impostor", impostor))
    }
    return {"spread": spread, **means}
