"""PointNet++: the network of the options in `pointnet2`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, Outputs
from face3d_training.models.points_spec import NormKind
from face3d_training.models.pooling import GroupMLP
from face3d_training.models.shared_mlp import ChannelsLastNorm, check_points, embedding_head
from face3d_training.ops import FarthestSampling, ball_query, gather_points

if TYPE_CHECKING:
    from face3d_training.models.pointnet2 import BallScale, PointNet2Spec


class BallNet(nn.Module):
    """The PointNet of one scale, over the points of a ball: their places relative to its center, and their features.

    The first layer is linear, so that it is computed once a point and once a center, and the difference is gathered,
    not once for every ball that a point lies in; in float32, as nearly equal numbers are subtracted.
    """

    def __init__(self, channels: int, scale: BallScale, norm: NormKind) -> None:
        super().__init__()
        self.radius, self.neighbors = scale.radius, scale.neighbors
        self.first = nn.Linear(3 + channels, scale.widths[0])
        self.norm = ChannelsLastNorm(norm, scale.widths[0])
        self.rest = GroupMLP(scale.widths[0], scale.widths[1:], norm)

    def forward(self, xyz: torch.Tensor, features: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, S, out) for f4 (B, N, 3) points, (B, N, C) features and (B, S, 3) centers."""
        index = ball_query(xyz, centers, self.radius, self.neighbors)
        with torch.autocast(xyz.device.type, enabled=False):
            of_points = self.first(torch.cat([xyz, features], dim=2).float())
            of_centers = nn.functional.linear(centers.float(), self.first.weight[:, :3])
        values = gather_points(of_points, index) - of_centers[:, :, None]
        return self.rest(torch.relu(self.norm(values)))


class SetAbstraction(nn.Module):
    """One level: points are sampled, and each scale's PointNet describes the balls around them."""

    def __init__(
        self, centers: int, scales: Sequence[BallScale], channels: int, norm: NormKind, sampling: FarthestSampling
    ) -> None:
        super().__init__()
        self.centers, self.sampling = centers, sampling
        self.scales = nn.ModuleList(BallNet(channels, scale, norm) for scale in scales)
        self.out_channels = sum(scale.widths[-1] for scale in scales)

    def forward(self, xyz: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the centers f4 (B, S, 3) and their features f4 (B, S, out)."""
        centers = gather_points(xyz, self.sampling(xyz, self.centers))
        return centers, torch.cat([scale(xyz, features, centers) for scale in self.scales], dim=2)


class PointNet2(EmbeddingNet):
    """Network of the family, by its spec."""

    def __init__(self, spec: PointNet2Spec) -> None:
        super().__init__()
        self.name, self.in_channels, self.embedding_size = spec.name, spec.in_channels, spec.embedding_size
        self.sigmoid, self.normalized = spec.sigmoid, spec.normalized
        self.least = max(spec.centers)
        first, second = spec.levels()
        sampling = FarthestSampling(spec.sampling, spec.fps_start)
        self.first = SetAbstraction(spec.centers[0], first, spec.in_channels - 3, spec.norm, sampling)
        self.second = SetAbstraction(spec.centers[1], second, self.first.out_channels, spec.norm, sampling)
        self.whole = GroupMLP(3 + self.second.out_channels, (256, 512, 1024), spec.norm)
        self.head = embedding_head(1024, spec.head, spec.embedding_size, spec.norm, spec.dropout)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return `embedding`."""
        check_points(inputs, self.name, self.in_channels, self.least)
        xyz, features = self.second(*self.first(inputs[..., :3], inputs[..., 3:]))
        whole = self.whole(torch.cat([xyz, features], dim=2))
        return {"embedding": self.head(whole)}
