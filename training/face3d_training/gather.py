"""Gathering of rows from all processes into one batch, with gradients that flow back to their processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import distributed


def world_size() -> int:
    """Return how many processes learn together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def gather_sizes(size: int, device: torch.device) -> list[int]:
    """Return a number of each process, by rank."""
    if world_size() == 1:
        return [size]
    mine = torch.tensor([size], dtype=torch.int64, device=device)
    sizes = [torch.empty_like(mine) for _ in range(world_size())]
    distributed.all_gather(sizes, mine)
    return [int(found) for found in sizes]


def gather_rows(tensors: Mapping[str, torch.Tensor], sizes: Sequence[int]) -> dict[str, torch.Tensor]:
    """Return the rows of all processes, in the order of their ranks; every process has to call it.

    If every process computes the same loss from what it gets, and gradients of the weights are then averaged over
    processes, as DistributedDataParallel does, they are those of that loss in one process: the gradient of a row is
    the number of processes times that of the loss.

    Args:
        tensors: (B, …) each, B = `sizes[rank]`; the same names, in the same order, in all processes.
        sizes: rows of each process.
    """
    if world_size() == 1:
        return dict(tensors)
    return {name: _GatherRows.apply(tensor, tuple(sizes)) for name, tensor in tensors.items()}


@torch.no_grad()
def average(tensor: torch.Tensor) -> torch.Tensor:
    """Return the mean of a tensor over all processes."""
    if world_size() == 1:
        return tensor
    total = tensor.clone()
    distributed.all_reduce(total)
    return total / world_size()


class _GatherRows(torch.autograd.Function):
    """Needs no communication in `backward`: all processes have the same gradient, of the same loss."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
        ctx.sizes = sizes
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))  # processes exchange tensors of one shape only
        padded[: len(rows)] = rows
        found = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(found, padded)
        return torch.cat([part[:size] for part, size in zip(found, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        mine = gradients[0].split(ctx.sizes)[distributed.get_rank()]
        return mine * len(ctx.sizes), None
