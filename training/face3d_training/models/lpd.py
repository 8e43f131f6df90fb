"""Latent part detection for masked faces (Ding et al. 2020, ACM MM, doi 10.1145/3394171.3413731).

From the authors' published code (mindspore-ai/models, research/cv/MaskedFaceRecognition): a localiser of two linear
layers on the grey 128 × 128 image gives an axis-parallel crop, a spatial transformer cuts it out at the image's size,
and one ResNet-50 with shared weights and stride 1 in its last stage reads both; global maxima and a norm make the two
features, which are classified separately in training. The crop's height is learnt from the visible share of the face.
For matching their code compares cosines of both features, joined as they come out of the norm: so does `embedding`
here, and `--branch` of the commands takes one of them alone.

Differences from it: scales by sigmoid and a crop that stays inside the image (there: tanh, and zeros outside), no norm
of the localiser's output, images of any size, and a linear layer to the embedding's length, except for the published
length of 4096.
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
class Lpd(ImageSpec):
    """Latent part detection: a ResNet-50 on the face and on its unmasked part."""

    name: ClassVar[str] = "lpd"
    default_weights: ClassVar[int | None] = 25_089_316
    first_convolution: ClassVar[str] = "conv1.weight"

    embedding_size: int = Field(
        512,
        gt=0,
        multiple_of=2,
        description="length of an embedding: one half for the face, one for its latent part",
    )
    norm: Norm = Field("batch", description="normalisation over the batch, or over groups of channels of each sample")

    def make(self) -> EmbeddingNet:
        """Return the network with fresh weights."""
        from face3d_training.models.lpd_net import LatentPartNet

        return LatentPartNet(self)
