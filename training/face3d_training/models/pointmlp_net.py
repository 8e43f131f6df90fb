"""PointMLP: the network of the options in `pointmlp`."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_training.models.embedding_net import EmbeddingNet, Outputs
from face3d_training.models.points_spec import NormKind
from face3d_training.models.shared_mlp import ChannelsLastNorm, check_points, embedding_head, shared_mlp
from face3d_training.ops import FarthestSampling, gather_points, nearest_points

if TYPE_CHECKING:
    from face3d_training.models.pointmlp import PointMLPSpec


SMALLEST = 1e-5
"""Added to the deviation, as published."""


class ResidualBlock(nn.Module):
    """Two linear layers with norms, added to the input; the ReLU after it is left to the caller."""

    def __init__(self, channels: int, inner: int, norm: NormKind) -> None:
        super().__init__()
        self.inner = shared_mlp(channels, (inner,), norm, bias=False)
        self.outer = nn.Linear(inner, channels, bias=False)
        self.norm = ChannelsLastNorm(norm, channels)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, ..., C) for the same."""
        return self.norm(self.outer(self.inner(values))) + values


class LocalGrouper(nn.Module):
    """The k nearest points of each sampled one, in the geometric affine module's terms, through the first layer.

    Published: W [α (x − a) / σ + β, a] for each point x of a group with the anchor a. As that is linear in x, it is
    computed here once a point and once an anchor, and gathered: W' x / σ and the rest, W' = W with α.
    """

    def __init__(
        self, channels: int, out_channels: int, neighbors: int, reducer: int, sampling: FarthestSampling
    ) -> None:
        super().__init__()
        self.neighbors, self.reducer, self.sampling = neighbors, reducer, sampling
        self.alpha = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.linear = nn.Linear(2 * channels, out_channels, bias=False)

    def forward(self, xyz: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the anchors' places f4 (B, S, 3), and f4 (B, S, k, out), for f4 (B, N, 3) and (B, N, C)."""
        chosen = self.sampling(xyz, xyz.shape[1] // self.reducer)
        centers, anchors = gather_points(xyz, chosen), gather_points(features, chosen)
        index = nearest_points(xyz, centers, self.neighbors)
        with torch.autocast(xyz.device.type, enabled=False):  # nearly equal numbers are subtracted
            features, anchors = features.float(), anchors.float()
            of_group, of_anchor = self.linear.weight.split(features.shape[2], dim=1)
            deviation = deviations(features, anchors, index) + SMALLEST
            projected = nn.functional.linear(features, of_group * self.alpha) / deviation[:, None, None]
            rest = nn.functional.linear(anchors, of_anchor, of_group @ self.beta) - gather_points(projected, chosen)
        return centers, gather_points(projected, index) + rest[:, :, None]


def deviations(features: torch.Tensor, anchors: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Return each cloud's standard deviation (n - 1) of x − a over all channels of all points x of all groups.

    σ of Ma et al. 2022 as their code has it, a the anchor of x. The squares are multiplied out, so that the groups, the
    largest tensors, need not be formed.

    Args:
        features: f4 (B, N, C).
        anchors: f4 (B, S, C).
        index: i8 (B, S, k), the points of each anchor's group, each once.

    Returns:
        f4 (B,), at least 1e-5.
    """
    member = features.new_zeros(*anchors.shape[:2], features.shape[1]).scatter_(2, index, 1.0)
    center = features.detach().mean(1, keepdim=True)  # off both, so that fewer digits cancel
    features, anchors = features - center, anchors - center
    times, neighbors, count = member.sum(1), index.shape[2], index[0].numel() * features.shape[2]
    of_points = features.square().sum(2) * times
    of_anchors = anchors.square().sum(2) * neighbors - 2 * (anchors * (member @ features)).sum(2)
    squares = of_points.sum(1) + of_anchors.sum(1)
    total = (features.sum(2) * times).sum(1) - neighbors * anchors.sum((1, 2))
    return ((squares - total.square() / count) / (count - 1)).clamp(min=SMALLEST**2).sqrt()


class PointMlpStage(nn.Module):
    """Groups, the blocks on their points, the maximum of each group, and the blocks on the groups."""

    def __init__(self, spec: PointMLPSpec, number: int, channels: int) -> None:
        super().__init__()
        self.out_channels = channels * spec.dims[number]
        inner = max(1, int(self.out_channels * spec.expansion))
        self.group = LocalGrouper(
            channels,
            self.out_channels,
            spec.neighbors[number],
            spec.reducers[number],
            FarthestSampling(spec.sampling, spec.fps_start),
        )
        self.norm = ChannelsLastNorm(spec.norm, self.out_channels)
        self.pre, self.pos = (
            nn.ModuleList(ResidualBlock(self.out_channels, inner, spec.norm) for _ in range(blocks[number]))
            for blocks in (spec.pre_blocks, spec.pos_blocks)
        )

    def forward(self, xyz: torch.Tensor, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the anchors f4 (B, S, 3) and their features f4 (B, S, out)."""
        centers, grouped = self.group(xyz, features)
        values = self.norm(grouped)
        for block in self.pre:
            values = block(torch.relu(values))
        values = values.max(dim=2).values  # and ReLU only then, where it has less to do
        for block in self.pos:
            values = block(torch.relu(values))
        return centers, torch.relu(values)


class PointMLP(EmbeddingNet):
    """Network of the family, by its spec."""

    def __init__(self, spec: PointMLPSpec) -> None:
        super().__init__()
        self.name, self.in_channels, self.embedding_size = spec.name, spec.in_channels, spec.embedding_size
        self.sigmoid, self.normalized = spec.sigmoid, spec.normalized
        fewer = itertools.accumulate(spec.reducers, operator.mul, initial=1)
        self.least = max(k * times for k, times in zip((*spec.neighbors, 1), fewer, strict=True))
        self.embed = shared_mlp(spec.in_channels, (spec.embed,), spec.norm, bias=False)
        channels, stages = spec.embed, []
        for number in range(len(spec.dims)):
            stages.append(PointMlpStage(spec, number, channels))
            channels = stages[-1].out_channels
        self.stages = nn.ModuleList(stages)
        self.head = embedding_head(channels, spec.head, spec.embedding_size, spec.norm, spec.dropout)

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return `embedding`."""
        check_points(inputs, self.name, self.in_channels, self.least)
        xyz, features = inputs[..., :3], self.embed(inputs)
        for stage in self.stages:
            xyz, features = stage(xyz, features)
        return {"embedding": self.head(features.max(dim=1).values)}
