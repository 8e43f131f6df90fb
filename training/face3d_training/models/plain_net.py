"""Plain networks: a torch module as a network of this program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from face3d_data.errors import UserError
from face3d_training.models.embedding_net import EmbeddingNet, Outputs
from face3d_training.models.shared_mlp import check_points

if TYPE_CHECKING:
    from face3d_training.models.plain import PlainSpec


class PlainNet(EmbeddingNet):
    """A torch module as a network: what it returns is made unit length, and its length is checked.

    Args:
        net: from inputs to f4 (B, E), or to a mapping with `embedding` and what losses ask for.
        spec: its options.
    """

    def __init__(self, net: nn.Module, spec: PlainSpec) -> None:
        super().__init__()
        self.net, self.name = net, spec.name
        self.embedding_size, self.in_channels = spec.embedding_size, spec.in_channels

    def compute(self, inputs: torch.Tensor) -> Outputs:
        """Return the module's outputs.

        Raises:
            UserError: they are not embeddings of the declared length, or the points have other channels.
        """
        if inputs.ndim == 3 and self.in_channels is not None:
            check_points(inputs, self.name, self.in_channels)
        made = self.net(inputs)
        outputs = dict(made) if isinstance(made, dict) else {"embedding": made}
        embedding = outputs.get("embedding")
        if not torch.is_tensor(embedding) or embedding.shape != (len(inputs), self.embedding_size):
            got = tuple(embedding.shape) if torch.is_tensor(embedding) else type(made).__name__
            wanted = (len(inputs), self.embedding_size)
            raise UserError(f"model {self.name}: returns {got} for {len(inputs)} samples: return a tensor {wanted}")
        return outputs
