"""MobileFaceNet on images and maps of faces (Chen et al. 2018, arXiv 1804.07573)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec
from face3d_training.models.resnet import Norm
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


@register
class MobileFaceNet(ImageSpec):
    """MobileFaceNet: bottlenecks of MobileNet V2 with PReLU, then a depthwise layer over all places instead of a mean.

    The last layer weighs places, as the middle of a face says more than its edge.
    """

    name: ClassVar[str] = "mobilefacenet"
    default_weights: ClassVar[int | None] = 1_068_928
    first_convolution: ClassVar[str] = "stem.0.weight"

    embedding_size: int = Field(256, gt=0, description="length of an embedding")
    image_size_px: int = Field(112, ge=16, description="side of the images; 64 for maps as the stage makes them")
    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.mobilefacenet_net import MobileFaceNetNet

        return MobileFaceNetNet(self)
