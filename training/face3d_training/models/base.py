"""Base of networks' options, which build a module. Without torch, as all modules of options."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from face3d_training.registry import Spec

if TYPE_CHECKING:
    from face3d_training.models.embedding_net import EmbeddingNet


class ModelSpec(Spec):
    """Options of a network.

    Attributes:
        inputs: what it takes: `points` f4 (B, N, 3[+C]), or `image` f4 (B, C, H, W).
        in_channels: channels that it takes; a network that takes others than 3 has an option, or an attribute, of that
            name, which is None where any number is taken.
        default_weights: number of weights with the default options, where a class says it itself: catalogues show it
            without building the network.
    """

    kind: ClassVar[str] = "model"
    inputs: ClassVar[Literal["points", "image"]]
    default_weights: ClassVar[int | None] = None

    embedding_size: int = Field(512, gt=0, description="length of an embedding")

    def build(self) -> EmbeddingNet:
        """Return the network with fresh weights, drawn from torch's global generator."""
        raise TypeError(f"{type(self).__name__} defines no build()")

    def count_weights(self) -> int:
        """Return the number of weights of the network, which takes no memory for it."""
        import torch

        with torch.device("meta"):
            return sum(weight.numel() for weight in self.build().parameters())
