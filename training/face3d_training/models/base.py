"""Base of networks' options, which build a module. Without torch, as all modules of options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from face3d_training.registry import Spec

if TYPE_CHECKING:
    import torch

    from face3d_training.models.adapt import WeightsFit
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

    def renamed(self, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a state dict of a published file of this network under the names that the weights have here.

        Args:
            state: tensors by name, without the prefixes that all names share.
        """
        return dict(state)

    def options_in(self, state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Return the options that the shapes of weights give, such as the length of an embedding.

        Args:
            state: tensors by the names that they have here.
        """
        return {}

    def fit(self, state: Mapping[str, torch.Tensor], net: EmbeddingNet) -> WeightsFit:
        """Return what of a published state dict fits a network of this spec: prefixes dropped, names resolved."""
        from face3d_training.models.adapt import drop_prefixes, fit_state

        return fit_state(self.renamed(drop_prefixes(state)), net)

    def count_weights(self) -> int:
        """Return the number of weights of the network, which takes no memory for it."""
        import torch

        with torch.device("meta"):
            return sum(weight.numel() for weight in self.build().parameters())
