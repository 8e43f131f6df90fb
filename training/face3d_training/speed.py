"""Cost of a network: parameters, operations, and time per face."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from face3d_training.evaluation.metrics.results import ModelFacts, Timing

BATCH_SIZES = (1, 64)
LEAST_RUNS = 3
SECONDS_EACH = 1.0


def measure_cost(
    net: nn.Module, faces: torch.Tensor, batch_sizes: Sequence[int] = BATCH_SIZES, seconds: float = SECONDS_EACH
) -> ModelFacts:
    """Return the cost of a network, timed in evaluation mode on its device.

    Args:
        net: any network from faces to embeddings.
        faces: f4 (n, …) inputs, n > 0, which are repeated to fill batches: real ones, since the time of a neighbour
            search depends on the data.
        batch_sizes: sizes of the batches that are timed.
        seconds: time for each batch size, after a first pass that is not counted.
    """
    device = next(net.parameters()).device
    was_training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            faces = faces.to(device)
            flops = count_flops(net, faces[:1])
            timings = tuple(_time(net, _batch(faces, size), seconds) for size in batch_sizes)
    finally:
        net.train(was_training)
    return ModelFacts(count_parameters(net), flops, timings, _name_device(device))


def count_parameters(net: nn.Module) -> int:
    """Return how many numbers a network learns; shared ones count once."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def count_flops(net: nn.Module, face: torch.Tensor) -> int:
    """Return the floating-point operations of a forward pass: matrix products and convolutions, 2 a multiply-add.

    Args:
        net: any network.
        face: its input, f4 (1, …).
    """
    with FlopCounterMode(display=False) as counter:
        net(face)
    return counter.get_total_flops()


def _batch(faces: torch.Tensor, size: int) -> torch.Tensor:
    return faces[torch.arange(size, device=faces.device) % len(faces)]


def _time(net: nn.Module, batch: torch.Tensor, seconds: float) -> Timing:
    spent: list[float] = []
    net(batch)
    _wait_for(batch.device)
    while len(spent) < LEAST_RUNS or sum(spent) < seconds:
        start = time.perf_counter()
        net(batch)
        _wait_for(batch.device)
        spent.append(time.perf_counter() - start)
    median_s = statistics.median(spent)
    return Timing(len(batch), 1000 * median_s / len(batch), len(batch) / median_s, len(spent))


def _wait_for(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _name_device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' * (threads != 1)}"
    return device.type
