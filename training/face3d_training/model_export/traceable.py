"""Form of a network that can be written as a graph of operators, with a batch of any size."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_training.models.embedding_net import EmbeddingNet
from face3d_training.models.pooling import MaximumLayer
from face3d_training.ops import FarthestSampling


class EveryPoint(nn.Module):
    """What `MaximumLayer` computes, over every point: no step of it depends on the size of the batch.

    Args:
        layer: whose weights it takes.
    """

    def __init__(self, layer: MaximumLayer) -> None:
        super().__init__()
        self.linear, self.norm = layer.linear, layer.norm

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return f4 (..., out) for f4 (B, ..., points, in)."""
        return functional.relu(self.norm(self.linear(values))).amax(dim=-2)


def traceable(net: EmbeddingNet, name: str, form: str) -> EmbeddingNet:
    """Return a copy of a network, in evaluation and on the CPU, whose operators do not depend on the batch's size.

    Args:
        net: the network.
        name: of its kind, for the message.
        form: `onnx` or `torchscript`, for the message.

    Raises:
        UserError: the network samples points, which is no operator.
    """
    if any(isinstance(getattr(module, "sampling", None), FarthestSampling) for module in net.modules()):
        raise UserError(
            f"--format {form}: {name} samples points one after another, each by its distance from all before it, and "
            "searches their neighbors; neither is an operator of such a file: give --format safetensors, or train a "
            "network without sampling (pointnet, or one of maps or images)"
        )
    copied = deepcopy(net).cpu().eval()
    for module in list(copied.modules()):
        for key, child in list(module.named_children()):
            if isinstance(child, MaximumLayer):
                setattr(module, key, EveryPoint(child))
    return copied
