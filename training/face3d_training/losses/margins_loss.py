"""Margin losses: the modules of the options in `margins`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from pytorch_metric_learning.losses import ArcFaceLoss, SubCenterArcFaceLoss
from pytorch_metric_learning.losses.large_margin_softmax_loss import LargeMarginSoftmaxLoss
from pytorch_metric_learning.utils.common_functions import TorchInitWrapper
from torch import nn
from torch.nn import functional

from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.losses.softmax_loss import accuracy
from face3d_training.models.embedding_net import Outputs

if TYPE_CHECKING:
    from face3d_training.losses.margins import AdaFace, Combined


COSINE_LIMIT = 1 - 1e-6
"""Beyond it the slope of the arc cosine, infinite at 1, is taken for 0: the embedding is where it should be."""


START_SPREAD = 0.01
"""Deviation of class weights at first, as in InsightFace: only their directions count, but long ones turn slowly."""
ANGLE_LIMIT, NORM_LIMITS, NORM_STEP = 1e-3, (1e-3, 100.0), 0.99
"""AdaFace: angles with their margin are kept that far from 0 and π, lengths within these bounds; and the share of a
new batch in the running mean and deviation of lengths (the authors' code, github.com/mk-minchul/AdaFace)."""


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
            return LossValue(loss, {"accuracy": accuracy(self.class_scores(embedding), label)})

    def class_scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, C), cosines; of several weights of a person the largest."""
        return self.loss.get_cosine(embedding)


class _FiniteArcFace(ArcFaceLoss):
    """The library's, with gradients that are finite where embedding and weight agree."""

    def get_angles(self, cosine_of_target_classes: torch.Tensor) -> torch.Tensor:
        return torch.acos(cosine_of_target_classes.clamp(-COSINE_LIMIT, COSINE_LIMIT))


class _FiniteSubCenters(SubCenterArcFaceLoss):
    """The library's, with the same finite gradients."""

    get_angles = _FiniteArcFace.get_angles


class AdaFaceLoss(LossModule):
    """The loss of `AdaFace`.

    Args:
        spec: the options.
        n_classes: people.
        embedding_size: length of an embedding.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, spec: AdaFace, n_classes: int, embedding_size: int) -> None:
        super().__init__()
        self.spec = spec
        self.weight = nn.Parameter(torch.empty(n_classes, embedding_size))
        nn.init.normal_(self.weight, std=START_SPREAD)
        # As in the authors' code; the first batch moves them by 99 %.
        self.register_buffer("mean", torch.tensor(20.0))
        self.register_buffer("deviation", torch.tensor(100.0))

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the mean over the batch.

        Stats are `accuracy`, the share that is nearest to the right weight, and `norm`, the mean length of embeddings.
        """
        embedding, label = outputs["embedding"], batch["label"]
        norm = outputs["norm"].detach().clamp(*NORM_LIMITS)
        cosine = self.class_scores(embedding)
        quality = self._quality(norm)
        right = cosine.gather(1, label[:, None]).clamp(-COSINE_LIMIT, COSINE_LIMIT)
        angle = (torch.acos(right) - self.spec.margin * quality).clamp(ANGLE_LIMIT, math.pi - ANGLE_LIMIT)
        with_margin = torch.cos(angle) - self.spec.margin * (1 + quality)
        logits = self.spec.scale * cosine.scatter(1, label[:, None], with_margin)
        stats = {"accuracy": accuracy(cosine.detach(), label), "norm": norm.mean()}
        return LossValue(functional.cross_entropy(logits, label), stats)

    def class_scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, C), cosines."""
        return functional.linear(functional.normalize(embedding), functional.normalize(self.weight))

    @torch.no_grad()
    def _quality(self, norm: torch.Tensor) -> torch.Tensor:
        """Return q of each sample (B, 1), −1 to 1, and let mean and deviation follow the batch in training."""
        if self.training:
            self.mean += NORM_STEP * (norm.mean() - self.mean).to(self.mean.dtype)
            self.deviation += NORM_STEP * (norm.std(correction=0) - self.deviation).to(self.mean.dtype)
        offset = (norm - self.mean) / (self.deviation + ANGLE_LIMIT)
        return (self.spec.concentration * offset).clamp(-1, 1)[:, None]


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
