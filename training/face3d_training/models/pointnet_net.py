"""PointNet: the network of the options in `pointnet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, Outputs
from face3d_training.models.pooling import cloud_mlp
from face3d_training.models.shared_mlp import check_points, embedding_head, shared_mlp

if TYPE_CHECKING:
    from face3d_training.models.pointnet import PointNetBasicSpec, PointNetSpec


class Transform(nn.Module):
    """The network that predicts a matrix from a cloud (T-Net); at first it predicts the identity.

    Attributes:
        size: rows and columns of the matrix.
    """

    def __init__(self, in_channels: int, size: int, spec: PointNetSpec) -> None:
        super().__init__()
        self.size = size
        widths = spec.head_widths() if spec.transform_head is None else spec.transform_head
        self.points = cloud_mlp(in_channels, spec.widths[-3:], spec.norm)
        self.head = embedding_head(spec.widths[-1], widths, size * size, spec.norm, 0.0)
        with torch.no_grad():
            self.head[-1].get_parameter("weight").zero_()
            self.head[-1].get_parameter("bias").copy_(torch.eye(size).flatten())

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, size, size) for f4 (B, N, C)."""
        return self.head(self.points(points)).unflatten(1, (self.size, self.size))


class PointNet(EmbeddingNet):
    """Network of the family, by its spec.

    Args:
        spec: the options.
        transforms: those of the networks that transform input and features; None: nothing is transformed.
    """

    def __init__(self, spec: PointNetBasicSpec, transforms: PointNetSpec | None = None) -> None:
        super().__init__()
        self.name, self.in_channels, self.embedding_size = spec.name, spec.in_channels, spec.embedding_size
        self.sigmoid, self.normalized = spec.sigmoid, spec.normalized
        self.penalty_weight = 0.0 if transforms is None else transforms.transform_penalty
        first = () if transforms is None else spec.widths[:2]
        self.first = shared_mlp(spec.in_channels, first, spec.norm)
        self.input_transform = self.feature_transform = None
        if transforms is not None:
            self.input_transform = Transform(spec.in_channels, 3, transforms)
            self.feature_transform = Transform(first[-1], first[-1], transforms)
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
