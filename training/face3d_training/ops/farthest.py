"""Farthest point sampling of many clouds at once: exact, by fpsample, or by PointNet++'s CUDA kernel."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

from face3d_data.errors import MissingDependency
from face3d_data.geometry.farthest import fast_farthest
from face3d_training.ops.kernels import find_kernel, kernel

BLOCK = 64
"""Distances among which a maximum is looked for in two steps on a CPU."""
TWO_STEPS = 32_768
"""Distances from which two steps are faster than one argmax, which is not vectorised."""


@torch.compiler.disable
@torch.no_grad()
def farthest_points(
    points: torch.Tensor, n_points: int, method: str = "exact", start: torch.Tensor | None = None
) -> torch.Tensor:
    """Farthest point sampling of each cloud: each next point is the farthest from all before it (Eldar et al. 1997).

    Args:
        points: f4 (B, N, 3), finite.
        n_points: how many, at most N. If a cloud has fewer distinct points, the rest is index 0, repeated.
        method: `exact`: torch, the indices of a plain loop. `fast`: fpsample on the CPU, cloud by cloud, which covers a
            cloud as well within a few percent but with other indices, the first included. `pointnet2`: the kernel of
            pointnet2_ops (CUDA), which starts at index 0 and never chooses points within 0.032 of the origin.
        start: i8 (B,), first index of each cloud; None: the point that is farthest from the centroid, so that the
            choice does not depend on the order of points. Not for `pointnet2`.

    Returns:
        i8 (B, n_points), in the order of choice.

    Raises:
        ValueError: `n_points` is 0 or more than N, or the method does not take a start.
        UserError: there is no such method.
        MissingDependency: the method's library or device is missing.
    """
    if not 0 < n_points <= points.shape[1]:
        raise ValueError(f"cannot choose {n_points} of {points.shape[1]} points")
    return find_kernel("farthest_points", method)(points.float(), n_points, start)


class FarthestSampling(NamedTuple):
    """Farthest point sampling as a network's options ask for it.

    Attributes:
        method: as of `farthest_points`.
        first: index of the first point of each cloud; None: the farthest from the centroid.
    """

    method: str = "exact"
    first: int | None = None

    def __call__(self, points: torch.Tensor, n_points: int) -> torch.Tensor:
        """Return i8 (B, n_points), the indices of f4 (B, N, 3) points that are chosen; errors as `farthest_points`."""
        if self.first is None or self.method == "pointnet2":  # which begins at 0 anyway
            return farthest_points(points, n_points, self.method)
        start = torch.full(points.shape[:1], self.first, device=points.device)
        return farthest_points(points, n_points, self.method, start)


def farthest_from_centroid(points: torch.Tensor) -> torch.Tensor:
    """Return the index of the point farthest from each cloud's centroid, i8 (B,) for f4 (B, N, 3)."""
    offset = points - points.mean(dim=1, keepdim=True, dtype=torch.float64).to(points.dtype)
    x, y, z = offset.square_().unbind(2)
    return (x + y).add_(z).argmax(1)


@kernel("farthest_points", "exact")
def _exact(points: torch.Tensor, n_points: int, start: torch.Tensor | None) -> torch.Tensor:
    batch, size, _ = points.shape
    block = BLOCK if points.device.type == "cpu" and batch * size >= TWO_STEPS else None
    # Coordinates apart and buffers reused, as memory decides speed. No fused multiply-add: it would round differently.
    columns = functional.pad(points.permute(2, 0, 1), (0, -size % block if block else 0)).contiguous()
    offset = torch.empty_like(columns)
    squared = offset[0]
    nearest = torch.full_like(squared, torch.inf)
    nearest[:, size:] = -torch.inf
    chosen = torch.empty(n_points, batch, dtype=torch.int64, device=points.device)
    chosen[0] = farthest_from_centroid(points) if start is None else start
    for i in range(1, n_points):
        torch.sub(columns, columns.gather(2, chosen[i - 1].view(1, batch, 1).expand(3, -1, -1)), out=offset)
        torch.mul(offset, offset, out=offset)
        torch.add(squared, offset[1], out=squared)
        torch.add(squared, offset[2], out=squared)
        torch.minimum(nearest, squared, out=nearest)
        chosen[i] = nearest.argmax(1) if block is None else _first_maximum(nearest.unflatten(1, (-1, block)))
    return chosen.T.contiguous()


def _first_maximum(blocks: torch.Tensor) -> torch.Tensor:
    """Return the index of each row's first maximum, i8 (B,), in f4 (B, blocks, size): first the block, then in it."""
    of_block = blocks.amax(2).argmax(1)
    in_block = blocks[torch.arange(len(blocks)), of_block].argmax(1)
    return in_block.add_(of_block, alpha=blocks.shape[2])


@kernel("farthest_points", "fast")
def _fast(points: torch.Tensor, n_points: int, start: torch.Tensor | None) -> torch.Tensor:
    first = (farthest_from_centroid(points) if start is None else start).tolist()
    clouds = points.cpu().contiguous().numpy()
    chosen = [torch.from_numpy(fast_farthest(cloud, n_points, i)) for cloud, i in zip(clouds, first, strict=True)]
    return torch.stack(chosen).to(points.device)


@kernel("farthest_points", "pointnet2")
def _pointnet2(points: torch.Tensor, n_points: int, start: torch.Tensor | None) -> torch.Tensor:
    if start is not None:
        raise ValueError("method 'pointnet2' starts at index 0: give it no start")
    if points.device.type != "cuda":
        raise MissingDependency(_remedy("it needs a CUDA device"))
    try:
        from pointnet2_ops.pointnet2_utils import furthest_point_sample
    except ImportError as error:
        raise MissingDependency(_remedy(str(error))) from None
    return furthest_point_sample(points.contiguous(), n_points).long()


def _remedy(problem: str) -> str:
    return (
        f"sampling 'pointnet2' cannot run ({problem}): on a machine with CUDA, pip install --no-build-isolation"
        " 'git+https://github.com/erikwijmans/Pointnet2_PyTorch#subdirectory=pointnet2_ops_lib', or set model.sampling"
        " to exact"
    )
