"""Health of embeddings: figures of a batch that show a collapse early."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

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
