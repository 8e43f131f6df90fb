"""PointNet (Qi et al. 2017, arXiv 1612.00593): every point alone through the same layers, then the maximum of all."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from face3d_training.models.base import EmbeddingNet, Outputs
from face3d_training.models.pooling import cloud_mlp
from face3d_training.models.shared_mlp import PointsSpec, check_points, embedding_head, shared_mlp
from face3d_training.registry import register


@register
class PointNetBasicSpec(PointsSpec):
    """PointNet without its transforms ("vanilla" in the paper): robust, small and fast."""

    name: ClassVar[str] = "pointnet_basic"

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
        return PointNet(self, transforms=False)

    def head_widths(self) -> tuple[int, ...]:
        """Return the channels of the hidden head layers."""
        return (self.widths[-1] // 2, self.widths[-1] // 4) if self.head is None else self.head


@register
class PointNetSpec(PointNetBasicSpec):
    """PointNet with the transforms of input and features, which two small networks predict from the cloud."""

    name: ClassVar[str] = "pointnet"

    widths: tuple[int, ...] = Field(
        (64, 64, 64, 128, 1024),
        min_length=3,
        description="channels of the layers that act on each point; the features are transformed after the second, and"
        " the networks that predict transforms have the last three",
    )
    transform_penalty: float = Field(
        0.001, ge=0, description="weight of |I - A A'|², which keeps the transform A of the features near a rotation"
    )

    def build(self) -> EmbeddingNet:
        """Return the network."""
        return PointNet(self, transforms=True)


class Transform(nn.Module):
    """The network that predicts a matrix from a cloud (T-Net); at first it predicts the identity.

    Attributes:
        size: rows and columns of the matrix.
    """

    def __init__(self, in_channels: int, size: int, spec: PointNetBasicSpec) -> None:
        super().__init__()
        self.size = size
        self.points = cloud_mlp(in_channels, spec.widths[-3:], spec.norm)
        self.head = embedding_head(spec.widths[-1], spec.head_widths(), size * size, spec.norm, 0.0)
        with torch.no_grad():
            self.head[-1].get_parameter("weight").zero_()
            self.head[-1].get_parameter("bias").copy_(torch.eye(size).flatten())

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, size, size) for f4 (B, N, C)."""
        return self.head(self.points(points)).unflatten(1, (self.size, self.size))


class PointNet(EmbeddingNet):
    """Network of the family, by its spec."""

    def __init__(self, spec: PointNetBasicSpec, transforms: bool) -> None:
        super().__init__()
        self.name, self.in_channels, self.embedding_size = spec.name, spec.in_channels, spec.embedding_size
        self.penalty_weight = 0.0
        first = spec.widths[:2] if transforms else ()
        self.first = shared_mlp(spec.in_channels, first, spec.norm)
        self.input_transform = self.feature_transform = None
        if isinstance(spec, PointNetSpec):
            self.penalty_weight = spec.transform_penalty
            self.input_transform = Transform(spec.in_channels, 3, spec)
            self.feature_transform = Transform(first[-1], first[-1], spec)
        self.second = cloud_mlp((spec.in_channels, *first)[-1], spec.widths[len(first) :], spec.norm)
        self.head = embedding_head(spec.widths[-1], spec.head_widths(), spec.embedding_size, spec.norm, spec.dropout)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return `embedding` and, where the features are transformed, the weighted `penalty`."""
        check_points(inputs, self.name, self.in_channels)
        outputs: Outputs = {}
        if self.input_transform is not None:
            turned = inputs[..., :3] @ self.input_transform(inputs)
            inputs = torch.cat([turned, inputs[..., 3:]], dim=2)
        features = self.first(inputs)
        if self.feature_transform is not None:
            matrix = self.feature_transform(features)
            outputs["penalty"] = self.penalty_weight * orthogonality_error(matrix)
            features = features @ matrix
        outputs["embedding"] = self.head(self.second(features))
        return outputs


def orthogonality_error(matrices: torch.Tensor) -> torch.Tensor:
    """Return |I - A A'|² (squared Frobenius norm) of each matrix: f4 (B,) for f4 (B, K, K); Qi et al. 2017, eq. 2."""
    identity = torch.eye(matrices.shape[1], device=matrices.device, dtype=matrices.dtype)
    return (identity - matrices @ matrices.transpose(1, 2)).square().sum(dim=(1, 2))
