"""Center loss: the module of the options in `center`."""

from __future__ import annotations

import torch

from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs


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
