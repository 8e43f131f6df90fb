"""Neighbour search among points: within a radius, or the k nearest."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from face3d_training.ops.kernels import find_kernel, kernel

CPU_CHUNK = 2**19
"""Distances computed at once on a CPU: what its cache holds."""
CHUNK = 2**26
"""Distances computed at once on other devices."""
BLOCK = 4
"""Distances of which only the lowest is sorted at first."""
BLOCKS_FROM = 20
"""Points for each nearest one that is wanted, from which that is faster."""


@torch.compiler.disable
@torch.no_grad()
def ball_query(
    points: torch.Tensor, centers: torch.Tensor, radius: float, k: int, method: str = "exact"
) -> torch.Tensor:
    """Find k points within a radius of each center: the first ones, as PointNet++ does (Qi et al. 2017).

    Args:
        points: f4 (B, N, 3), finite.
        centers: f4 (B, S, 3), finite.
        radius: a point is within when its squared distance is less than radius² (float32).
        k: how many. Fewer are filled up with the first of them; where there is none, with the nearest point.
        method: name of the implementation.

    Returns:
        i8 (B, S, k), in the order of points.

    Raises:
        UserError: there is no such method.
    """
    return find_kernel("ball_query", method)(points.float(), centers.float(), radius, k)


@torch.compiler.disable
@torch.no_grad()
def nearest_points(points: torch.Tensor, centers: torch.Tensor, k: int, method: str = "exact") -> torch.Tensor:
    """Find the k points nearest to each center.

    Args:
        points: f4 (B, N, 3), finite.
        centers: f4 (B, S, 3), finite.
        k: how many, at most N.
        method: name of the implementation.

    Returns:
        i8 (B, S, k), nearest first.

    Raises:
        ValueError: k is larger than N.
        UserError: there is no such method.
    """
    if k > points.shape[1]:
        raise ValueError(f"{k} nearest of {points.shape[1]} points")
    return find_kernel("nearest_points", method)(points.float(), centers.float(), k)


def squared_distances(points: torch.Tensor, centers: torch.Tensor) -> torch.Tensor:
    """Return (dx² + dy²) + dz², f4 (B, S, N), of points (B, N, 3) to centers (B, S, 3); no step is fused."""
    x, y, z = (centers[:, :, None, axis] - points[:, None, :, axis] for axis in range(3))
    return x.mul_(x).add_(y.mul_(y)).add_(z.mul_(z))


def _chunks(points: torch.Tensor, centers: torch.Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield parts (clouds, centers) of a batch whose distances fit together."""
    (batch, size, _), n_centers = points.shape, centers.shape[1]
    at_once = (CPU_CHUNK if points.device.type == "cpu" else CHUNK) // size
    clouds, rows = max(1, at_once // n_centers), max(1, min(n_centers, at_once))
    for cloud in range(0, batch, clouds):
        for row in range(0, n_centers, rows):
            yield slice(cloud, cloud + clouds), slice(row, row + rows)


@kernel("ball_query", "exact")
def _ball_query(points: torch.Tensor, centers: torch.Tensor, radius: float, k: int) -> torch.Tensor:
    limit = torch.tensor(radius, dtype=torch.float32, device=points.device).square()
    slots = torch.arange(k, device=points.device)
    found = torch.empty(*centers.shape[:2], k, dtype=torch.int64, device=points.device)
    points = points.transpose(1, 2).contiguous().transpose(1, 2)  # a coordinate of all points lies together
    for part in _chunks(points, centers):
        distances = squared_distances(points[part[0]], centers[part]).flatten(0, 1)
        inside = (distances < limit).flatten().nonzero().squeeze(1)
        rows = torch.arange(len(distances) + 1, device=points.device) * points.shape[1]
        ends = torch.searchsorted(inside, rows)
        first, count = ends[:-1, None], (ends[1:] - ends[:-1])[:, None]
        place = first + torch.where(slots < count, slots, 0)
        chosen = functional.pad(inside, (0, 1))[place] - rows[:-1, None]
        none = count[:, 0] == 0
        if none.any():
            chosen[none] = distances[none].argmin(1, keepdim=True)
        found[part] = chosen.view(found[part].shape)
    return found


@kernel("nearest_points", "exact")
def _nearest_points(points: torch.Tensor, centers: torch.Tensor, k: int) -> torch.Tensor:
    found = torch.empty(*centers.shape[:2], k, dtype=torch.int64, device=points.device)
    points = points.transpose(1, 2).contiguous().transpose(1, 2)
    size = points.shape[1]
    every = torch.arange(size, device=points.device)
    for part in _chunks(points, centers):
        distances, index = squared_distances(points[part[0]], centers[part]), every
        if size % BLOCK == 0 and size >= BLOCKS_FROM * k:
            # The k blocks whose minima are lowest hold the k nearest: fewer to sort.
            blocks = _lowest(distances.unflatten(2, (-1, BLOCK)).amin(3), every[: size // BLOCK], k)
            index = (blocks[..., None] * BLOCK + every[:BLOCK]).flatten(2)
            distances = distances.gather(2, index)
        found[part] = _lowest(distances, index, k)
    return found


def _lowest(distances: torch.Tensor, index: torch.Tensor, k: int) -> torch.Tensor:
    """Return the k indices with the lowest distances, lowest first; of equal distances the lowest index."""
    # The bits of a float that is not negative sort as it does; with the index below them no two keys are equal.
    keys = distances.view(torch.int32).long().bitwise_left_shift_(32).bitwise_or_(index)
    return keys.topk(k, dim=2, largest=False).values.bitwise_and_(0xFFFFFFFF)
