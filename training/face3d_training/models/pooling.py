"""Max pooling fused with the layer before it: the same numbers in a third of the time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from face3d_training.models.points_spec import NormKind
from face3d_training.models.shared_mlp import ChannelsLastNorm, shared_mlp

PRODUCTS = 2**22
"""Number of values before a maximum that are computed at once; none of them is kept."""


class MaximumLayer(nn.Module):
    """A linear layer, norm and ReLU on every point of a group, then the maximum over the group.

    Batch norm and ReLU are monotonic in each channel, so only the maximum of the linear layer (the minimum if the
    norm's scale is negative) has to pass through them. The norm's mean and variance are still those of all points: mean
    W·m + b and variance diag(W C W'), from the mean m and covariance C of the input; and gradients flow only through
    the points that are the maximum. So norm, ReLU and gradients over all points, the largest tensors of a PointNet, are
    never computed. That pays if a cloud has more points than the input has channels, and the output has many more
    channels; in the small groups of PointNet++ it does not.

    Attributes:
        linear, norm: the layers.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: NormKind) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        self.norm = ChannelsLastNorm(norm, out_channels)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return f4 (..., out) for f4 (B, ..., points, in)."""
        norm = self.norm.norm
        if type(norm) is not nn.BatchNorm1d:  # group norm, or one over several processes
            return functional.relu(self.norm(self.linear(values))).max(dim=-2).values
        scale, shift = norm.weight, norm.bias
        top = self._extreme(values, torch.where(scale < 0, -1.0, 1.0)) + self.linear.bias
        mean, variance = self._statistics(values, norm)
        return functional.relu((top - mean) * (scale * torch.rsqrt(variance + norm.eps)) + shift)

    def _extreme(self, values: torch.Tensor, sign: torch.Tensor) -> torch.Tensor:
        """Return the maximum of W·values over the points, without the bias; the minimum where sign is −1."""
        weight, points = self.linear.weight * sign[:, None], values.shape[-2]
        rows = values.reshape(-1, points, values.shape[-1])
        at_once = max(1, PRODUCTS // (points * len(weight)))
        with torch.no_grad():
            place = torch.cat([_winners(weight, some) for some in rows.split(at_once)])
            place += torch.arange(0, len(rows) * points, points, device=place.device)[:, None]
        won = rows.flatten(0, 1).index_select(0, place.flatten()).view(*place.shape, -1)
        return (won * self.linear.weight).sum(2).view(*values.shape[:-2], -1)

    def _statistics(self, values: torch.Tensor, norm: nn.BatchNorm1d) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and variance that the norm uses, f4 (out,) each; update the running ones as it does."""
        if not norm.training and norm.running_mean is not None and norm.running_var is not None:
            return norm.running_mean, norm.running_var
        rows = values.flatten(0, -2)
        if len(rows) < 2:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {rows.shape}")
        with torch.autocast(values.device.type, enabled=False):
            rows, weight = rows.float(), self.linear.weight.float()
            center = rows.sum(0) / len(rows)  # of mean(0) the gradient would be divided row by row
            centered = rows - center
            covariance = centered.T @ centered / len(rows)
            mean = weight @ center + self.linear.bias
            variance = ((weight @ covariance) * weight).sum(1).clamp(min=0)
        if norm.training:
            _move(norm, mean.detach(), variance.detach() * (len(rows) / (len(rows) - 1)))
        return mean, variance


def _winners(weight: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return which point of each group has the largest product with each row of a weight: i8 (groups, out)."""
    return torch.bmm(weight.expand(len(rows), -1, -1), rows.transpose(1, 2)).argmax(dim=2)


def _move(norm: nn.BatchNorm1d, mean: torch.Tensor, variance: torch.Tensor) -> None:
    """Move a norm's running statistics, where it keeps them."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance, share)


def cloud_mlp(in_channels: int, widths: Sequence[int], norm: NormKind) -> nn.Sequential:
    """Return `shared_mlp` and the maximum over all points of a cloud, by `MaximumLayer`: f4 (B, N, in) → (B, out)."""
    inner = (in_channels, *widths)[-2]
    return nn.Sequential(*shared_mlp(in_channels, widths[:-1], norm), MaximumLayer(inner, widths[-1], norm))


class GroupMLP(nn.Sequential):
    """`shared_mlp` and the maximum over the points of many small groups: f4 (B, ..., points, in) → (B, ..., out)."""

    def __init__(self, in_channels: int, widths: Sequence[int], norm: NormKind) -> None:
        super().__init__(*list(shared_mlp(in_channels, widths, norm))[:-1])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the maxima; the last ReLU comes after them, where it has less to do and changes nothing else."""
        return functional.relu(super().forward(values).max(dim=-2).values)
