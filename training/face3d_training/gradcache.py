"""Gradient caching: the exact gradient of a large batch in small parts, for losses that compare samples.

Gao et al. 2021, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup (arXiv 2101.06983): embeddings
of all parts are computed without a graph, the loss of the whole batch gives their gradients, and each part is computed
again to carry its share of them into the weights. Memory is that of one part; time grows by one forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from face3d_training.gather import average, gather_rows, gather_sizes
from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs

EmbeddingPair = tuple[torch.Tensor, torch.Tensor]
"""A tensor and the gradient of the loss with respect to it."""


def backward(
    net: nn.Module, losses: LossModule, batch: TensorBatch, parts: int, fabric: Fabric | None = None
) -> LossValue:
    """Add the gradients of a batch's loss to the weights of the network and of the loss.

    The loss is that of the rows of all processes together. What the network draws (dropout) is the same both times
    that a part is computed. Running statistics are moved once by each part: with a batch normalisation they, and the
    normalisation itself, are of parts and not of the batch, so that the result differs from that in one part.

    Args:
        net: an `EmbeddingNet`, as it is or as `fabric` set it up, in training mode.
        losses: the loss as it is, not set up by `fabric`, with the same weights in all processes.
        batch: this process's rows: `inputs` (B, …) and what the losses need of each sample; `triplet` (T, 3), where it
            is there, holds places among the rows of all processes and is the same in each.
        parts: parts that the rows are computed in; fewer where one would hold less than two samples.
        fabric: what set up the network; float32 in one process if not given.

    Returns:
        The loss, without a graph. If it is None, gradients and running statistics are as before, in all processes.
    """
    inputs = batch["inputs"]
    sizes = gather_sizes(len(inputs), inputs.device)
    pieces = inputs.tensor_split(max(1, min(parts, min(sizes) // 2)))
    before = [(buffer, buffer.clone()) for buffer in net.buffers()]
    states, found = _first_pass(net, pieces)
    value, of_outputs, of_losses = _compare(losses, found, batch, sizes)
    if value.loss is None or len(pieces) > 1:
        _restore(before)
    if value.loss is None:
        return value
    shares = {name: gradient.tensor_split(len(pieces)) for name, gradient in of_outputs.items()}
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        with _unsynchronised(net, fabric, enabled=not last):
            outputs = found[0] if len(pieces) == 1 else _again(net, piece, states[number])
            pairs = [(outputs[name], share[number]) for name, share in shares.items()] + (of_losses if last else [])
            carrier = torch.stack([(tensor * gradient).sum() for tensor, gradient in pairs]).sum()
            carrier.backward() if fabric is None else fabric.backward(carrier)
    return replace(value, loss=value.loss.detach())


def _first_pass(net: nn.Module, pieces: Sequence[torch.Tensor]) -> tuple[list[list[torch.Tensor]], list[Outputs]]:
    """Return the generators' states before each part, and its outputs; with a graph where there is one part only."""
    states, found = [], []
    for piece in pieces:
        states.append(_random_states(piece.device))
        with torch.set_grad_enabled(len(pieces) == 1):
            found.append(net(piece, full=True))
    return states, found


def _compare(
    losses: LossModule, found: Sequence[Outputs], batch: TensorBatch, sizes: Sequence[int]
) -> tuple[LossValue, Outputs, list[EmbeddingPair]]:
    """Return the loss of all rows, its gradients of this process's outputs, and the loss's own weights with theirs."""
    cached = {name: torch.cat([outputs[name].detach() for outputs in found]) for name in found[0]}
    leaves = {name: tensor.requires_grad_() for name, tensor in cached.items() if tensor.is_floating_point()}
    labels = {name: tensor for name, tensor in batch.items() if name not in ("inputs", "triplet")}
    whole = {"triplet": batch["triplet"]} if "triplet" in batch else {}
    # Read here, before the backward pass is queued, a device is waited for once in a step.
    value = losses(gather_rows(cached, sizes), gather_rows(labels, sizes) | whole).read()
    if value.loss is None:
        return value, {}, []
    own = [weight for weight in losses.parameters() if weight.requires_grad]
    # Outputs that the loss does not use get zeros: DistributedDataParallel waits for a gradient of every weight.
    gradients = torch.autograd.grad(value.loss, [*leaves.values(), *own], materialize_grads=True)
    of_losses = zip(own, map(average, gradients[len(leaves) :]), strict=True)
    return value, dict(zip(leaves, gradients, strict=False)), list(of_losses)


def _again(net: nn.Module, piece: torch.Tensor, states: list[torch.Tensor]) -> Outputs:
    """Compute a part with a graph, drawing what was drawn the first time."""
    after = _random_states(piece.device)
    _set_random_states(piece.device, states)
    try:
        return net(piece, full=True)
    finally:
        _set_random_states(piece.device, after)


def _random_states(device: torch.device) -> list[torch.Tensor]:
    """Return the states of the CPU's generator and of the device's."""
    own = [] if device.type == "cpu" else [torch.get_device_module(device).get_rng_state()]
    return [torch.get_rng_state(), *own]


def _set_random_states(device: torch.device, states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[1])


@torch.no_grad()
def _restore(before: Sequence[EmbeddingPair]) -> None:
    for buffer, value in before:
        buffer.copy_(value)


def _unsynchronised(net: Any, fabric: Fabric | None, enabled: bool) -> AbstractContextManager:
    """Return a context in which gradients are not exchanged: one exchange is enough for all parts."""
    return nullcontext() if fabric is None else fabric.no_backward_sync(net, enabled=enabled)
