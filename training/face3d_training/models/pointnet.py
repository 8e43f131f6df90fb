"""PointNet (Qi et al. 2017, arXiv 1612.00593): every point alone through the same layers, then the maximum of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.models.points_spec import PointsSpec
from face3d_training.models.published_points import POINTNET, Rename, with_identity
from face3d_training.registry import register

if TYPE_CHECKING:
    import torch

    from face3d_training.models.embedding_net import EmbeddingNet


@register
class PointNetBasicSpec(PointsSpec):
    """PointNet without its transforms ("vanilla" in the paper): robust, small and fast."""

    name: ClassVar[str] = "pointnet_basic"
    default_weights: ClassVar[int | None] = 940_928

    widths: tuple[int, ...] = Field(
        (64, 64, 64, 128, 1024), min_length=1, description="channels of the layers that act on each point"
    )
    head: tuple[int, ...] | None = Field(
        None,
        description="channels of the layers between maximum and embedding; if not given, 1/2 and 1/4 of the last"
        " width (512 and 256 as published); []: none",
    )

    def build(self) -> EmbeddingNet:
        """Return the network."""
        from face3d_training.models.pointnet_net import PointNet

        return PointNet(self)

    def head_widths(self) -> tuple[int, ...]:
        """Return the channels of the hidden head layers."""
        return (self.widths[-1] // 2, self.widths[-1] // 4) if self.head is None else self.head


@register
class PointNetSpec(PointNetBasicSpec):
    """PointNet with the transforms of input and features, which two small networks predict from the cloud."""

    name: ClassVar[str] = "pointnet"
    default_weights: ClassVar[int | None] = 3_601_353

    widths: tuple[int, ...] = Field(
        (64, 64, 64, 128, 1024),
        min_length=3,
        description="channels of the layers that act on each point; the features are transformed after the second, and"
        " the networks that predict transforms have the last three",
    )
    transform_head: tuple[int, ...] | None = Field(
        None,
        description="channels of the layers between maximum and matrix in the networks that predict transforms; if not"
        " given, those of head",
    )
    transform_penalty: float = Field(
        0.001, ge=0, description="weight of |I - A A'|², which keeps the transform A of the features near a rotation"
    )

    def build(self) -> EmbeddingNet:
        """Return the network."""
        from face3d_training.models.pointnet_net import PointNet

        return PointNet(self, self)


@register
class PointNetTripletSpec(PointNetSpec):
    """PointNet with a maximum of 2,048 channels and one hidden layer in the networks that predict transforms.

    The triplet network of doi 10.1007/s11042-020-10160-9 as azhadzuraimi/3D-face-masked-recognition has it
    (models/Pointnet.py), where the embedding passes a logistic function (`sigmoid`), and no penalty is learnt from.
    """

    name: ClassVar[str] = "pointnet_triplet"
    published: ClassVar[tuple[Rename, ...]] = POINTNET
    default_weights: ClassVar[int | None] = 4_262_857

    widths: tuple[int, ...] = Field(
        (64, 64, 64, 128, 2048),
        min_length=3,
        description="channels of the layers that act on each point; the features are transformed after the second, and"
        " the networks that predict transforms have the last three",
    )
    head: tuple[int, ...] | None = Field((512, 256), description="channels of the layers between maximum and embedding")
    transform_head: tuple[int, ...] | None = Field(
        (256,),
        description="channels of the layers between maximum and matrix in the networks that predict transforms",
    )
    transform_penalty: float = Field(
        0.0, ge=0, description="weight of |I - A A'|², which keeps the transform A of the features near a rotation"
    )

    def renamed(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a state dict of a published file under the names, and with the biases, that the weights have here."""
        found = super().renamed(state)
        return with_identity(found) if found.keys() != state.keys() else found
