"""Margin losses: the modules of the options in `margins`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from pytorch_metric_learning.losses.large_margin_softmax_loss import LargeMarginSoftmaxLoss
from pytorch_metric_learning.utils.common_functions import TorchInitWrapper
from torch import nn

from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.losses.softmax_loss import accuracy
from face3d_training.models.embedding_net import Outputs

if TYPE_CHECKING:
    from face3d_training.losses.margins import Combined


COSINE_LIMIT = 1 - 1e-6
"""Beyond it the slope of the arc cosine, infinite at 1, is taken for 0: the embedding is where it should be."""


START_SPREAD = 0.01
"""Deviation of class weights at first, as in InsightFace: only their directions count, but long ones turn slowly."""


class MarginLoss(LossModule):
    """A loss of pytorch-metric-learning that has a weight for each person.

    Args:
        loss: that loss.
    """

    def __init__(self, loss: LargeMarginSoftmaxLoss) -> None:
        super().__init__()
        self.loss: Any = loss

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the mean over the batch; stat `accuracy` is the share that is nearest to the right weight."""
        embedding, label = outputs["embedding"], batch["label"]
        loss = self.loss(embedding, label)
        with torch.no_grad():
            return LossValue(loss, {"accuracy": accuracy(self.loss.get_cosine(embedding), label)})


class _FiniteArcFace(ArcFaceLoss):
    """The library's, with gradients that are finite where embedding and weight agree."""

    def get_angles(self, cosine_of_target_classes: torch.Tensor) -> torch.Tensor:
        return torch.acos(cosine_of_target_classes.clamp(-COSINE_LIMIT, COSINE_LIMIT))


class _CombinedMargins(LargeMarginSoftmaxLoss):
    def __init__(self, spec: Combined, n_classes: int, embedding_size: int) -> None:
        self.spec = spec
        super().__init__(n_classes, embedding_size, margin=0, scale=spec.scale, **_start())

    def init_margin(self) -> None:
        """Leave the library's single margin alone."""

    def cast_types(self, dtype: torch.dtype, device: torch.device) -> None:
        self.W.data = self.W.data.to(device, dtype)

    def modify_cosine_of_target_classes(self, cosine_of_target_classes: torch.Tensor) -> torch.Tensor:
        angle = torch.acos(cosine_of_target_classes.clamp(-COSINE_LIMIT, COSINE_LIMIT))
        angle = self.spec.m1 * angle + self.spec.m2
        turns = torch.floor(angle.detach() / math.pi)
        return (1 - 2 * (turns % 2)) * torch.cos(angle) - 2 * turns - self.spec.m3

    def scale_logits(self, logits: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return logits * self.scale


def _start() -> dict[str, TorchInitWrapper]:
    return {"weight_init_func": TorchInitWrapper(nn.init.normal_, std=START_SPREAD)}
