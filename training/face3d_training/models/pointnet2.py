"""PointNet++ (Qi et al. 2017, arXiv 1706.02413): a small PointNet in balls around sampled points, twice, then over all.

Radii are in the unit of the input, for clouds of about the unit sphere (`data.point_scale_mm` 100, or `unit_sphere`).
A ball that holds more points than are used gives the first ones, as the published kernel does: clouds whose points are
ordered by farthest point sampling, as `subsample` leaves them, are thinned evenly by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple

import torch
from pydantic import Field, field_validator
from torch import nn

from face3d_data.errors import UserError
from face3d_training.models.base import EmbeddingNet, Outputs
from face3d_training.models.pooling import GroupMLP
from face3d_training.models.shared_mlp import ChannelsLastNorm, NormKind, PointsSpec, check_points, embedding_head
from face3d_training.ops import ball_query, farthest_points, find_kernel, gather_points
from face3d_training.registry import register

PositiveCount = Annotated[int, Field(gt=0)]
Radius = Annotated[float, Field(gt=0)]


class BallScale(NamedTuple):
    """One PointNet around each center: its ball, the points it takes from there, and its layers."""

    radius: float
    neighbors: int
    widths: tuple[int, ...]


class SampledSpec(PointsSpec):
    """A network that samples points, by a named method."""

    sampling: str = Field(
        "exact",
        description="how centers are chosen: exact; fast, by fpsample on the CPU, other points that cover as well; or"
        " pointnet2, the CUDA kernel of pointnet2_ops, which starts at the first point",
    )

    @field_validator("sampling")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            find_kernel("farthest_points", value)
        except UserError as error:
            raise ValueError(str(error)) from None
        return value


class PointNet2Spec(SampledSpec):
    """Options of all PointNet++."""

    centers: tuple[PositiveCount, PositiveCount] = Field(
        (512, 128), description="points sampled on the first and second level"
    )
    head: tuple[PositiveCount, ...] = Field(
        (512, 256), description="channels of the layers before the embedding; []: none"
    )

    def levels(self) -> tuple[tuple[BallScale, ...], tuple[BallScale, ...]]:
        """Return the scales of both levels."""
        raise TypeError(f"{type(self).__name__} defines no levels()")

    def build(self) -> EmbeddingNet:
        """Return the network."""
        return PointNet2(self)


@register
class PointNet2SsgSpec(PointNet2Spec):
    """PointNet++ with one scale at each level (SSG)."""

    name: ClassVar[str] = "pointnet2_ssg"

    radii: tuple[Radius, Radius] = Field((0.2, 0.4), description="radius of a ball on each level")
    neighbors: tuple[PositiveCount, PositiveCount] = Field(
        (64, 64), description="points taken from a ball on each level"
    )

    def levels(self) -> tuple[tuple[BallScale, ...], tuple[BallScale, ...]]:
        """Return the scales of both levels."""
        first = BallScale(self.radii[0], self.neighbors[0], (64, 64, 128))
        return (first,), (BallScale(self.radii[1], self.neighbors[1], (128, 128, 256)),)


@register
class PointNet2SsgEliteSpec(PointNet2SsgSpec):
    """PointNet++ SSG that takes 22 points from a ball: a third of the work, the same weights."""

    name: ClassVar[str] = "pointnet2_ssg_elite"

    neighbors: tuple[PositiveCount, PositiveCount] = Field(
        (22, 22), description="points taken from a ball on each level"
    )


@register
class PointNet2MsgSpec(PointNet2Spec):
    """PointNet++ with three scales at each level (MSG)."""

    name: ClassVar[str] = "pointnet2_msg"

    radii: tuple[tuple[Radius, Radius, Radius], tuple[Radius, Radius, Radius]] = Field(
        ((0.1, 0.2, 0.4), (0.2, 0.4, 0.8)), description="radii of the balls on each level"
    )
    neighbors: tuple[
        tuple[PositiveCount, PositiveCount, PositiveCount], tuple[PositiveCount, PositiveCount, PositiveCount]
    ] = Field(((16, 32, 128), (32, 64, 128)), description="points taken from each ball on each level")

    def levels(self) -> tuple[tuple[BallScale, ...], tuple[BallScale, ...]]:
        """Return the scales of both levels."""
        widths = (((32, 32, 64), (64, 64, 128), (64, 96, 128)), ((64, 64, 128), (128, 128, 256), (128, 128, 256)))
        first, second = (
            tuple(BallScale(*scale) for scale in zip(*level, strict=True))
            for level in zip(self.radii, self.neighbors, widths, strict=True)
        )
        return first, second


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

    def __init__(self, centers: int, scales: Sequence[BallScale], channels: int, norm: NormKind, sampling: str) -> None:
        super().__init__()
        self.centers, self.sampling = centers, sampling
        self.scales = nn.ModuleList(BallNet(channels, scale, norm) for scale in scales)
        self.out_channels = sum(scale.widths[-1] for scale in scales)

    def forward(self, xyz: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the centers f4 (B, S, 3) and their features f4 (B, S, out)."""
        centers = gather_points(xyz, farthest_points(xyz, self.centers, self.sampling))
        return centers, torch.cat([scale(xyz, features, centers) for scale in self.scales], dim=2)


class PointNet2(EmbeddingNet):
    """Network of the family, by its spec."""

    def __init__(self, spec: PointNet2Spec) -> None:
        super().__init__()
        self.name, self.in_channels, self.embedding_size = spec.name, spec.in_channels, spec.embedding_size
        self.least = max(spec.centers)
        first, second = spec.levels()
        self.first = SetAbstraction(spec.centers[0], first, spec.in_channels - 3, spec.norm, spec.sampling)
        self.second = SetAbstraction(spec.centers[1], second, self.first.out_channels, spec.norm, spec.sampling)
        self.whole = GroupMLP(3 + self.second.out_channels, (256, 512, 1024), spec.norm)
        self.head = embedding_head(1024, spec.head, spec.embedding_size, spec.norm, spec.dropout)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return `embedding`."""
        check_points(inputs, self.name, self.in_channels, self.least)
        xyz, features = self.second(*self.first(inputs[..., :3], inputs[..., 3:]))
        whole = self.whole(torch.cat([xyz, features], dim=2))
        return {"embedding": self.head(whole)}
