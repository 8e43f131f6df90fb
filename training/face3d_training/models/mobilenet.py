"""MobileNet V2 on images (Sandler et al. 2018, arXiv 1801.04381), with torchvision's names for its weights.

Published files call the last layer `classifier.1` (torchvision), `classifier`, or `out.1` (egcode/facerec).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec
from face3d_training.models.resnet import Norm
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


@register
class MobileNetV2(ImageSpec):
    """MobileNet V2."""

    name: ClassVar[str] = "mobilenet_v2"
    default_weights: ClassVar[int | None] = 2_879_744
    first_convolution: ClassVar[str] = "features.0.0.weight"
    last_layer: ClassVar[str] = "classifier.1.weight"
    aliases: ClassVar[dict[str, str]] = {
        f"{layer}.{part}": f"classifier.1.{part}" for layer in ("classifier", "out.1") for part in ("weight", "bias")
    }

    width: float = Field(
        1.0, gt=0, le=4, description="factor on the channels of every layer; the last one keeps at least 1280"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="share of features dropped before the embedding")
    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.mobilenet_net import MobileNet

        return MobileNet(self)
