"""Inception-ResNet v2 on images (Szegedy et al. 2017, arXiv 1602.07261).

Layers, residual scales and names are those of the published weights (TensorFlow's, ported in
Cadene/pretrained-models.pytorch), which load here; the average over 8 × 8 is one over the whole map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


@register
class InceptionResNetV2(ImageSpec):
    """Inception-ResNet v2."""

    name: ClassVar[str] = "inception_resnet_v2"
    default_weights: ClassVar[int | None] = 55_093_408
    first_convolution: ClassVar[str] = "conv2d_1a.conv.weight"
    last_layer: ClassVar[str] = "last_linear.weight"

    dropout: float = Field(0.2, ge=0, lt=1, description="share of features dropped before the embedding")

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.inception_resnet_net import InceptionResNet

        return InceptionResNet(self)
