"""Small residual network on maps of faces: metric height, slopes and validity, 64 cells wide."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec
from face3d_training.models.resnet import Norm
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


@register
class MapResNet(ImageSpec):
    """Residual network of about a million weights on maps.

    A stem of stride 2, four stages, of which the last three halve the map, and one linear layer over all that is left:
    places are kept, as maps are aligned. Layers are those of He et al. 2016 (arXiv 1512.03385) with PReLU.
    """

    name: ClassVar[str] = "map_resnet"
    default_weights: ClassVar[int | None] = 1_215_288
    first_convolution: ClassVar[str] = "stem.0.weight"

    in_channels: int = Field(4, ge=1, le=16, description="channels: 4 of a map with slopes, 5 of one with normals")
    embedding_size: int = Field(256, gt=0, description="length of an embedding")
    image_size_px: int = Field(64, ge=16, description="rows and columns of the maps; the last layer depends on it")
    widths: tuple[int, int, int, int] = Field((24, 48, 96, 160), description="channels of the four stages")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of features dropped before the embedding")
    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.map_resnet_net import MapResNetNet

        return MapResNetNet(self)
