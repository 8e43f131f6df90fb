"""Margin losses: softmax of the angle between embeddings and class weights, with a margin for the right person."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pydantic import Field
from pytorch_metric_learning.losses import ArcFaceLoss, CosFaceLoss
from pytorch_metric_learning.losses.large_margin_softmax_loss import LargeMarginSoftmaxLoss
from pytorch_metric_learning.utils.common_functions import TorchInitWrapper
from torch import nn

from face3d_training.losses.base import LossModule, LossSpec, LossValue, TensorBatch
from face3d_training.losses.softmax import accuracy
from face3d_training.models.base import Outputs
from face3d_training.registry import register

COSINE_LIMIT = 1 - 1e-6
"""Beyond it the slope of the arc cosine, infinite at 1, is taken for 0: the embedding is where it should be."""
START_SPREAD = 0.01
"""Deviation of class weights at first, as in InsightFace: only their directions count, but long ones turn slowly."""


class _Margin(LossSpec):
    """What losses with a margin have in common."""

    scale: float = Field(64.0, gt=0, description="factor of cosines before the softmax")


@register
class ArcFace(_Margin):
    """Cross-entropy of scale · cos(angle to each person's weight), the right person's angle enlarged by the margin.

    Deng et al. 2019 (arXiv 1801.07698). Where the enlarged angle would exceed π, cos(angle) − margin · sin(margin)
    takes its place, so that the loss still falls with the angle.
    """

    name: ClassVar[str] = "arcface"

    margin: float = Field(0.5, ge=0, lt=math.pi / 2, description="angle added for the right person, radians")

    def build(self, n_classes: int, embedding_size: int) -> MarginLoss:
        """Return the loss with fresh class weights."""
        margin_deg = math.degrees(self.margin)
        return MarginLoss(_FiniteArcFace(n_classes, embedding_size, margin_deg, self.scale, **_start()))


@register
class CosFace(_Margin):
    """Cross-entropy of scale · cosine to each person's weight, the right person's lowered by the margin.

    Wang et al. 2018 (arXiv 1801.09414).
    """

    name: ClassVar[str] = "cosface"

    margin: float = Field(0.35, ge=0, lt=1, description="value subtracted from the right person's cosine")

    def build(self, n_classes: int, embedding_size: int) -> MarginLoss:
        """Return the loss with fresh class weights."""
        return MarginLoss(CosFaceLoss(n_classes, embedding_size, margin=self.margin, scale=self.scale, **_start()))


@register
class Combined(_Margin):
    """Cross-entropy of scale · cosine, the right person's being cos(m1 · angle + m2) − m3.

    Deng et al. 2019 (arXiv 1801.07698), equation 4. Beyond π the cosine goes on falling, as (−1)^k cos(x) − 2k for the
    k-th π (Liu et al. 2017, SphereFace, arXiv 1704.08063), where `arcface` bends off in a straight line.
    """

    name: ClassVar[str] = "combined"

    m1: float = Field(1.0, ge=1, description="factor of the right person's angle (SphereFace)")
    m2: float = Field(0.3, ge=0, lt=math.pi / 2, description="angle added to it, radians (ArcFace)")
    m3: float = Field(0.2, ge=0, lt=1, description="value subtracted from its cosine (CosFace)")

    def build(self, n_classes: int, embedding_size: int) -> MarginLoss:
        """Return the loss with fresh class weights."""
        return MarginLoss(_CombinedMargins(self, n_classes, embedding_size))


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
