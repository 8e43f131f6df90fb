"""Residual networks on images (He et al. 2016, arXiv 1512.03385), with torchvision's names for their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec, side_in
from face3d_training.registry import register

if TYPE_CHECKING:
    import torch

    from face3d_training.models.embedding_net import EmbeddingNet


Norm = Literal["batch", "group"]


class ResNetSpec(ImageSpec):
    """Options of a residual network.

    Attributes:
        bottleneck: whether blocks narrow the channels for their 3×3 convolution.
        depths: blocks of each stage (He et al. 2016, table 1).
    """

    first_convolution: ClassVar[str] = "conv1.weight"
    last_layer: ClassVar[str] = "fc.weight"
    bottleneck: ClassVar[bool]
    depths: ClassVar[tuple[int, ...]]

    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.resnet_net import BasicBlock, Bottleneck, ResNet

        block = Bottleneck if self.bottleneck else BasicBlock
        return ResNet(block, self.depths, self.in_channels, self.embedding_size, self.norm)


@register
class ResNet18(ResNetSpec):
    """ResNet-18."""

    name: ClassVar[str] = "resnet18"
    default_weights: ClassVar[int | None] = 11_439_168
    bottleneck: ClassVar[bool] = False
    depths: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)


@register
class ResNet34(ResNetSpec):
    """ResNet-34."""

    name: ClassVar[str] = "resnet34"
    default_weights: ClassVar[int | None] = 21_547_328
    bottleneck: ClassVar[bool] = False
    depths: ClassVar[tuple[int, ...]] = (3, 4, 6, 3)


@register
class ResNet50(ResNetSpec):
    """ResNet-50."""

    name: ClassVar[str] = "resnet50"
    default_weights: ClassVar[int | None] = 24_557_120
    bottleneck: ClassVar[bool] = True
    depths: ClassVar[tuple[int, ...]] = (3, 4, 6, 3)


@register
class ResNet101(ResNetSpec):
    """ResNet-101."""

    name: ClassVar[str] = "resnet101"
    default_weights: ClassVar[int | None] = 43_549_248
    bottleneck: ClassVar[bool] = True
    depths: ClassVar[tuple[int, ...]] = (3, 4, 23, 3)


@register
class ResNet152(ResNetSpec):
    """ResNet-152."""

    name: ClassVar[str] = "resnet152"
    default_weights: ClassVar[int | None] = 59_192_896
    bottleneck: ClassVar[bool] = True
    depths: ClassVar[tuple[int, ...]] = (3, 8, 36, 3)


class FaceResNetSpec(ResNetSpec):
    """Options of a residual network whose last layer sees every place of the last map, not their mean."""

    image_size_px: int = Field(112, ge=32, description="side of the images; the size of the last layer depends on it")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of features dropped before the embedding")

    def options_in(self, state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return channels, length of the embedding, and the side of the images that the last layer is for."""
        return super().options_in(state) | side_in(state.get(self.last_layer), 2048, 32)

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.resnet_net import FaceResNet

        return FaceResNet(self)


@register
class FaceResNet50(FaceResNetSpec):
    """ResNet-50 with the output layer of face recognition: norm, dropout, one layer over the whole map, norm.

    Output "E" of Deng et al. 2019 (arXiv 1801.07698, section 3.1.1); layers and names are those of egcode/facerec
    (models/resnet.py, `ResNet_50`), whose weights load here.
    """

    name: ClassVar[str] = "face_resnet50"
    default_weights: ClassVar[int | None] = 40_290_880
    bottleneck: ClassVar[bool] = True
    depths: ClassVar[tuple[int, ...]] = (3, 4, 6, 3)


@register
class FaceResNet101(FaceResNet50):
    """ResNet-101 with the output layer of face recognition."""

    name: ClassVar[str] = "face_resnet101"
    default_weights: ClassVar[int | None] = 59_283_008
    depths: ClassVar[tuple[int, ...]] = (3, 4, 23, 3)


@register
class FaceResNet152(FaceResNet50):
    """ResNet-152 with the output layer of face recognition."""

    name: ClassVar[str] = "face_resnet152"
    default_weights: ClassVar[int | None] = 74_926_656
    depths: ClassVar[tuple[int, ...]] = (3, 8, 36, 3)
