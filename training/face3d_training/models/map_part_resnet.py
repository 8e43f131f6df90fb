"""Part networks on maps of faces: upper face, nose and whole face, weighed by how much of each is visible."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from face3d_training.models.image_spec import ImageSpec
from face3d_training.models.resnet import Norm
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


@register
class MapPartResNet(ImageSpec):
    """Three small residual networks on the upper face, the nose and the whole face of a map, in one embedding space.

    A cell that was not seen, or is occluded, is empty for all three. The embedding is their mean, weighed by the share
    of each part that is visible, so that a covered part says nothing. Which cells are occluded the network learns to
    see by itself from masks that are drawn in training (loss `occlusion`); with `occlusion: given` the dataset says
    it, in training and use: `data.fields: [map, map_occlusion]`.
    """

    name: ClassVar[str] = "map_part_resnet"
    default_weights: ClassVar[int | None] = 1_363_696
    first_convolution: ClassVar[str] = "parts.whole.stem.0.weight"

    in_channels: int = Field(
        4, ge=2, le=16, description="channels: 4 of a map with slopes, 5 of one with normals; 1 more of map_occlusion"
    )
    embedding_size: int = Field(256, gt=0, description="length of an embedding")
    image_size_px: int = Field(64, ge=16, description="rows and columns of the maps; the layers depend on it")
    cell_mm: float = Field(2.0, gt=0, description="width of a cell of the maps, mm, as the stage maps has it")
    top_mm: float = Field(66.0, description="y of the maps' upper edge, mm, as the stage maps has it in above_mm")
    widths: tuple[int, int, int, int] = Field((16, 32, 64, 96), description="channels of the four stages of each part")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of features dropped before the embedding of a part")
    drop_parts: float = Field(
        0.1, ge=0, lt=1, description="share of parts that say nothing in training, so that each learns to stand alone"
    )
    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")
    occlusion: Literal["learnt", "given"] = Field(
        "learnt", description="how it knows occluded cells: seen by itself, or from map_occlusion, the last channel"
    )

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.map_part_resnet_net import MapPartResNetNet

        return MapPartResNetNet(self)
