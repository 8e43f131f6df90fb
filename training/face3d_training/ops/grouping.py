"""Grouping of points: rows gathered by index, and features interpolated to other points."""

from __future__ import annotations

import torch

from face3d_training.ops.kernels import find_kernel, kernel
from face3d_training.ops.neighbors import nearest_points

SMALLEST = 1e-8
"""Added to squared distances, so that a point that is its own neighbour has a finite weight."""


def gather_points(features: torch.Tensor, index: torch.Tensor, method: str = "exact") -> torch.Tensor:
    """Return the rows of each cloud that an index names; gradients flow back to the rows.

    Args:
        features: f4 (B, N, C).
        index: i8 (B, ...), 0 … N − 1.
        method: name of the implementation.

    Returns:
        f4 (B, ..., C).

    Raises:
        UserError: there is no such method.
    """
    return find_kernel("gather_points", method)(features, index)


@kernel("gather_points", "exact")
def _gather_points(features: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    batch, size, channels = features.shape
    # One index over all clouds: whole rows are copied, and their gradients added, without an index of the cloud beside.
    first = torch.arange(0, batch * size, size, device=index.device).view(-1, *[1] * (index.ndim - 1))
    return features.reshape(-1, channels).index_select(0, (index + first).flatten()).view(*index.shape, channels)


def interpolate_three(points: torch.Tensor, known: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Carry features from known points to others, weighted by the inverse squared distances of the three nearest.

    Feature propagation of PointNet++ (Qi et al. 2017, arXiv 1706.02413, eq. 2 with p = 2 and k = 3).

    Args:
        points: f4 (B, N, 3), where features are wanted.
        known: f4 (B, S, 3), where they are known; with S < 3 all are used.
        features: f4 (B, S, C).

    Returns:
        f4 (B, N, C).
    """
    index = nearest_points(known, points, min(3, known.shape[1]))
    with torch.no_grad():
        weights = 1 / ((gather_points(known, index) - points[:, :, None]).square().sum(3) + SMALLEST)
        weights /= weights.sum(2, keepdim=True)
    return (gather_points(features, index) * weights[..., None]).sum(2)
