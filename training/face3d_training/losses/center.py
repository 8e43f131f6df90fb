"""Center loss: pulls a person's embeddings to their centre, which follows them."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from face3d_training.losses.base import LossModule, LossSpec, LossValue, TensorBatch
from face3d_training.models.base import Outputs
from face3d_training.registry import register


@register
class Center(LossSpec):
    """Center loss: half the mean squared distance of embeddings to the centre of their person.

    Wen et al. 2016, A discriminative feature learning approach for deep face recognition (ECCV). It pulls embeddings
    of a person together but separates nobody, so combine it with another loss. Centres start at 0 and are moved by the
    paper's own rule (its equation 4), at the rate `alpha` and not at the optimizer's.
    """

    name: ClassVar[str] = "center"

    alpha: float = Field(0.5, gt=0, le=1, description="share of the way that a step moves centres to their samples")

    def build(self, n_classes: int, embedding_size: int) -> CenterLoss:
        """Return the loss with all centres at 0."""
        return CenterLoss(n_classes, embedding_size, self.alpha)


class CenterLoss(LossModule):
    """The loss of `Center`.

    Args:
        n_classes: people.
        embedding_size: length of an embedding.
        alpha: rate of the centres.
    """

    centers: torch.Tensor

    def __init__(self, n_classes: int, embedding_size: int, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.register_buffer("centers", torch.zeros(n_classes, embedding_size))

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the loss with the present centres, and move them in training."""
        label = batch["label"]
        offset = outputs["embedding"] - self.centers[label]
        if self.training:
            self._follow(offset.detach(), label)
        distance = offset.detach().norm(dim=1).mean()
        return LossValue(offset.square().sum(1).mean() / 2, {"distance": distance})

    @torch.no_grad()
    def _follow(self, offset: torch.Tensor, label: torch.Tensor) -> None:
        counts = torch.bincount(label, minlength=len(self.centers)).to(offset.dtype)
        total = torch.zeros_like(self.centers, dtype=offset.dtype).index_add_(0, label, offset)
        self.centers += (self.alpha * total / (1 + counts)[:, None]).to(self.centers.dtype)
