"""Margin losses: softmax of the angle between embeddings and class weights, with a margin for the right person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.losses.base import LossSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.losses.margins_loss import AdaFaceLoss, MarginLoss


class _Margin(LossSpec):
    """What losses with a margin have in common."""

    scale: float = Field(64.0, gt=0, description="factor of cosines before the softmax")


@register
class ArcFace(_Margin):
    """Cross-entropy of scale · cos(angle to each person's weight), the right person's angle enlarged by the margin.

    Deng et al. 2019 (arXiv 1801.07698). Where the enlarged angle would exceed π, cos(angle) − margin · sin(margin)
    takes its place, so that the loss still falls with the angle. With several sub-centers a person has as many weights,
    of which the nearest counts (Deng et al. 2020, Sub-center ArcFace, ECCV): poor captures gather at another one than
    the good ones, which they then do not pull along.
    """

    name: ClassVar[str] = "arcface"

    margin: float = Field(0.5, ge=0, lt=math.pi / 2, description="angle added for the right person, radians")
    sub_centers: int = Field(
        1, ge=1, le=16, description="weights of each person, of which the nearest counts; 3: sub-center ArcFace"
    )

    def build(self, n_classes: int, embedding_size: int) -> MarginLoss:
        """Return the loss with fresh class weights."""
        from face3d_training.losses.margins_loss import MarginLoss, _FiniteArcFace, _FiniteSubCenters, _start

        options = {"num_classes": n_classes, "embedding_size": embedding_size, "scale": self.scale, **_start()}
        options["margin"] = math.degrees(self.margin)
        if self.sub_centers == 1:
            return MarginLoss(_FiniteArcFace(**options))
        return MarginLoss(_FiniteSubCenters(sub_centers=self.sub_centers, **options))


@register
class AdaFace(_Margin):
    """Cross-entropy of scale · cosine, with a margin that follows the capture's quality: the length of its embedding.

    Kim, Jain and Liu 2022 (CVPR, arXiv 2204.00964). q = the length before it is made 1, less the
    batch's mean and divided by its standard deviation, times `concentration`, from −1 to 1. The right person's cosine
    is cos(angle − margin · q) − margin · (1 + q): at q = −1 that is ArcFace's margin, at 0 CosFace's, and at 1 a good
    capture is pushed hardest while it is still far off. Mean and deviation run from batch to batch.
    """

    name: ClassVar[str] = "adaface"
    needs: ClassVar[tuple[str, ...]] = ("norm",)

    margin: float = Field(0.4, ge=0, lt=math.pi / 2, description="margin, radians and cosine")
    concentration: float = Field(
        0.333,
        gt=0,
        le=4,
        description="factor of the normalised length of an embedding: at 1/3, three standard deviations reach q = ±1",
    )

    def build(self, n_classes: int, embedding_size: int) -> AdaFaceLoss:
        """Return the loss with fresh class weights."""
        from face3d_training.losses.margins_loss import AdaFaceLoss

        return AdaFaceLoss(self, n_classes, embedding_size)


@register
class CosFace(_Margin):
    """Cross-entropy of scale · cosine to each person's weight, the right person's lowered by the margin.

    Wang et al. 2018 (arXiv 1801.09414).
    """

    name: ClassVar[str] = "cosface"

    margin: float = Field(0.35, ge=0, lt=1, description="value subtracted from the right person's cosine")

    def build(self, n_classes: int, embedding_size: int) -> MarginLoss:
        """Return the loss with fresh class weights."""
        from pytorch_metric_learning.losses import CosFaceLoss

        from face3d_training.losses.margins_loss import MarginLoss, _start

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
        from face3d_training.losses.margins_loss import MarginLoss, _CombinedMargins

        return MarginLoss(_CombinedMargins(self, n_classes, embedding_size))
