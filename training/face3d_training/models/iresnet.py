"""Improved residual networks (iResNet) for face recognition: IR-18 to IR-152, also with squeeze and excitation.

Units and output layer are those of Deng et al. 2019 (ArcFace, arXiv 1801.07698, section 3.1); layers and names follow
the published PyTorch port TreB1eN/InsightFace_Pytorch (model.py), whose weights load here. Squeeze and excitation is
that of Hu et al. 2018 (arXiv 1709.01507) with reduction 16.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec, side_in
from face3d_training.models.resnet import Norm
from face3d_training.registry import register

if TYPE_CHECKING:
    import torch

    from face3d_training.models.embedding_net import EmbeddingNet


@register
class IR50(ImageSpec):
    """IR-50."""

    name: ClassVar[str] = "ir50"
    default_weights: ClassVar[int | None] = 43_574_976
    first_convolution: ClassVar[str] = "input_layer.0.weight"
    last_layer: ClassVar[str] = "output_layer.3.weight"
    excited: ClassVar[bool] = False
    depths: ClassVar[tuple[int, ...]] = (3, 4, 14, 3)

    image_size_px: int = Field(112, ge=16, description="side of the images; the size of the last layer depends on it")
    dropout: float = Field(0.4, ge=0, lt=1, description="share of features dropped before the embedding")
    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")

    def options_in(self, state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return channels, length of the embedding, and the side of the images that the last layer is for."""
        return super().options_in(state) | side_in(state.get(self.last_layer), 512, 16)

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.iresnet_net import IResNet

        return IResNet(self)


@register
class IRSE50(IR50):
    """IR-50 with squeeze and excitation."""

    name: ClassVar[str] = "ir_se50"
    default_weights: ClassVar[int | None] = 43_797_696
    excited: ClassVar[bool] = True


@register
class IR18(IR50):
    """IR-18: two units a stage; on maps of 64 cells a network for GPUs."""

    name: ClassVar[str] = "ir18"
    default_weights: ClassVar[int | None] = 24_017_536
    depths: ClassVar[tuple[int, ...]] = (2, 2, 2, 2)


@register
class IR101(IR50):
    """IR-101."""

    name: ClassVar[str] = "ir101"
    default_weights: ClassVar[int | None] = 65_129_792
    depths: ClassVar[tuple[int, ...]] = (3, 13, 30, 3)


@register
class IR152(IR50):
    """IR-152."""

    name: ClassVar[str] = "ir152"
    default_weights: ClassVar[int | None] = 70_737_600
    depths: ClassVar[tuple[int, ...]] = (3, 8, 36, 3)


@register
class IRSE101(IR101):
    """IR-101 with squeeze and excitation."""

    name: ClassVar[str] = "ir_se101"
    default_weights: ClassVar[int | None] = 65_502_016
    excited: ClassVar[bool] = True


@register
class IRSE152(IR152):
    """IR-152 with squeeze and excitation."""

    name: ClassVar[str] = "ir_se152"
    default_weights: ClassVar[int | None] = 71_148_736
    excited: ClassVar[bool] = True
