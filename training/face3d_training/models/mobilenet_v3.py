"""MobileNet V3 on images (Howard et al. 2019, arXiv 1905.02244), small and large.

Layers and names are those of egcode/facerec (models/mobilenet_v3.py), whose weights load here: squeeze and excitation
has linear layers without biases and a fourth of the channels, and both networks end in 1,280 channels. torchvision's
MobileNet V3 differs in all of that, so its weights do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec
from face3d_training.models.resnet import Norm
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


InvertedBottleneck = tuple[int, int, int, bool, bool, int]
"""Side of the filter, expanded channels, channels that go out, squeeze and excitation, hard swish, stride."""


@register
class MobileNetV3Small(ImageSpec):
    """MobileNet V3, small."""

    name: ClassVar[str] = "mobilenet_v3_small"
    default_weights: ClassVar[int | None] = 2_313_240
    first_convolution: ClassVar[str] = "features.0.0.weight"
    last_layer: ClassVar[str] = "classifier.1.weight"
    aliases: ClassVar[dict[str, str]] = {f"out.1.{part}": f"classifier.1.{part}" for part in ("weight", "bias")}
    blocks: ClassVar[tuple[InvertedBottleneck, ...]] = (
        (3, 16, 16, True, False, 2),
        (3, 72, 24, False, False, 2),
        (3, 88, 24, False, False, 1),
        (5, 96, 40, True, True, 2),
        (5, 240, 40, True, True, 1),
        (5, 240, 40, True, True, 1),
        (5, 120, 48, True, True, 1),
        (5, 144, 48, True, True, 1),
        (5, 288, 96, True, True, 2),
        (5, 576, 96, True, True, 1),
        (5, 576, 96, True, True, 1),
    )
    last: ClassVar[int] = 576

    dropout: float = Field(0.2, ge=0, lt=1, description="share of features dropped before the embedding")
    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.mobilenet_v3_net import MobileNetV3

        return MobileNetV3(self)


@register
class MobileNetV3Large(MobileNetV3Small):
    """MobileNet V3, large."""

    name: ClassVar[str] = "mobilenet_v3_large"
    default_weights: ClassVar[int | None] = 4_851_288
    blocks: ClassVar[tuple[InvertedBottleneck, ...]] = (
        (3, 16, 16, False, False, 1),
        (3, 64, 24, False, False, 2),
        (3, 72, 24, False, False, 1),
        (5, 72, 40, True, False, 2),
        (5, 120, 40, True, False, 1),
        (5, 120, 40, True, False, 1),
        (3, 240, 80, False, True, 2),
        (3, 200, 80, False, True, 1),
        (3, 184, 80, False, True, 1),
        (3, 184, 80, False, True, 1),
        (3, 480, 112, True, True, 1),
        (3, 672, 112, True, True, 1),
        (5, 672, 160, True, True, 2),
        (5, 960, 160, True, True, 1),
        (5, 960, 160, True, True, 1),
    )
    last: ClassVar[int] = 960
